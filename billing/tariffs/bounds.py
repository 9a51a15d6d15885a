"""Minimum and maximum price: a line of its own that lifts or lowers the totals to the bound.

The line's net is the difference, taxed with the average VAT of the other lines: their exact tax over their exact net.
If they have no net, it is the plain average of their rates, and without any line that of the tariff's components.

`excl_vat` bounds the net total, `incl_vat` the gross total; where both are given the stricter decides. A minimum is
applied before a maximum. A gross bound is met exactly: the line's gross is the difference, its net that less the VAT
within, rounded half up, its tax the rest.

Source: OCPI 2.2.1 §11.3.1, notes on min_price and max_price.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from billing.tariffs.tariff import PriceBound, Tariff
from cms.base.money import round_half_up, to_minor


@dataclass(frozen=True, slots=True)
class Amount:
    """A line's money before and after rounding; `vat` is a fraction of one."""

    exact_net: Fraction
    vat: Fraction
    net_minor: int
    tax_minor: int


def adjustments(tariff: Tariff, amounts: Sequence[Amount]) -> list[Amount]:
    """None, one or two amounts to add: the lift to the minimum, then the cut to the maximum."""
    vat = _average_vat(tariff, amounts)
    net = sum(amount.net_minor for amount in amounts)
    gross = net + sum(amount.tax_minor for amount in amounts)
    added = []
    for bound, side in ((tariff.min_price, 1), (tariff.max_price, -1)):
        amount = bound and _difference(bound, net, gross, vat, tariff.currency, side)
        if amount:
            added.append(amount)
            net += amount.net_minor
            gross += amount.net_minor + amount.tax_minor
    return added


def _difference(
    bound: PriceBound, net: int, gross: int, vat: Fraction, currency: str, side: int
) -> Amount | None:
    """What to add so that neither given bound is passed; `side` is 1 for a minimum, -1 for a maximum."""
    chosen = None
    if bound.excl_vat is not None:
        missing = to_minor(bound.excl_vat, currency) - net
        if missing * side > 0:
            chosen = Amount(Fraction(missing), vat, missing, round_half_up(missing * vat))
            gross += chosen.net_minor + chosen.tax_minor
    if bound.incl_vat is not None:
        missing = to_minor(bound.incl_vat, currency) - gross
        if missing * side > 0:
            if chosen:
                missing += chosen.net_minor + chosen.tax_minor
            exact_net = missing / (1 + vat)
            net_minor = round_half_up(exact_net)
            chosen = Amount(exact_net, vat, net_minor, missing - net_minor)
    return chosen


def _average_vat(tariff: Tariff, amounts: Sequence[Amount]) -> Fraction:
    if net := sum((amount.exact_net for amount in amounts), Fraction(0)):
        return sum((amount.exact_net * amount.vat for amount in amounts), Fraction(0)) / net
    rates = [amount.vat for amount in amounts] or [
        Fraction(component.vat or 0) / 100
        for element in tariff.elements
        for component in element.price_components
    ]
    return sum(rates, Fraction(0)) / len(rates)
