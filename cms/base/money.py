"""Money as integers in minor units, and the one function that rounds.

An amount is an `int` of minor units beside an ISO 4217 code: 1234 EUR is €12.34, 1234 JPY is ¥1234, 1234 KWD is
1.234 dinars. Unit prices and everything in between are exact (`Decimal` or `Fraction`); never float.
"""

from decimal import Decimal
from fractions import Fraction

# ISO 4217, list one: currencies in use, by the number of digits after the point ("minor unit").
_NO_DIGITS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DIGITS = "BHD IQD JOD KWD LYD OMR TND"
_FOUR_DIGITS = "CLF UYW"
_TWO_DIGITS = """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD
    CAD CDF CHE CHF CHW CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL
    GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD
    LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN
    PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB
    TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG ZWL
"""

_DIGITS: dict[str, int] = {
    code: digits
    for digits, codes in ((0, _NO_DIGITS), (2, _TWO_DIGITS), (3, _THREE_DIGITS), (4, _FOUR_DIGITS))
    for code in codes.split()
}


class UnknownCurrency(ValueError):
    """Not the code of a currency in ISO 4217, written in capitals."""


def minor_digits(currency: str) -> int:
    """How many digits follow the point: 2 for EUR, 0 for JPY, 3 for KWD. Raises UnknownCurrency."""
    try:
        return _DIGITS[currency]
    except (KeyError, TypeError):
        raise UnknownCurrency(f"{currency!r} is not an ISO 4217 currency code.") from None


def round_half_up(value: Decimal | Fraction | int) -> int:
    """The nearest integer; a half goes away from zero, so that a credit mirrors its charge.

    Exact whatever the decimal context says. Raises ValueError or OverflowError for NaN and infinities.
    """
    exact = Fraction(value)
    magnitude = (2 * abs(exact.numerator) + exact.denominator) // (2 * exact.denominator)
    return magnitude if exact >= 0 else -magnitude


def to_minor(amount: Decimal | Fraction | int, currency: str) -> int:
    """Minor units of an amount in major units, rounded half up."""
    return round_half_up(Fraction(amount) * 10 ** minor_digits(currency))


def to_major(amount_minor: int, currency: str) -> Decimal:
    """The amount in major units, with the currency's own number of digits: 1200 EUR is `12.00`."""
    sign, digits = int(amount_minor < 0), tuple(map(int, str(abs(amount_minor))))
    return Decimal((sign, digits, -minor_digits(currency)))


def format_minor(amount_minor: int, currency: str) -> str:
    """`12.34 EUR`: plain text for logs, exports and mails; pages format by locale."""
    return f"{to_major(amount_minor, currency):f} {currency}"
