"""Rules of law that a price must keep, checked before it is published and before it is assigned.

Only tariffs that name their country (`x_magetsi.country`) are judged. Pure: values in, values out; whoever shows a sentence
translates it.
"""

from decimal import Decimal

from django.utils.translation import gettext_noop

from billing.tariffs.tariff import Dimension, Tariff, TariffElement, TariffType

FAST_KW = Decimal(50)
_EUROPEAN_UNION = frozenset(
    [
        "AT",
        "BE",
        "BG",
        "CY",
        "CZ",
        "DE",
        "DK",
        "EE",
        "ES",
        "FI",
        "FR",
        "GR",
        "HR",
        "HU",
        "IE",
        "IT",
        "LT",
        "LU",
        "LV",
        "MT",
        "NL",
        "PL",
        "PT",
        "RO",
        "SE",
        "SI",
        "SK",
    ]
)


def broken_rules(tariff: Tariff, *, at_fast_point: bool = False) -> dict[str, str]:
    """The rules that `tariff` breaks, code → sentence; empty where it keeps all we know.

    `at_fast_point` says that it is to apply to a charging point of 50 kW or more; without that only
    elements that ask for such a power themselves are judged by the rule for those.

    Source: Regulation (EU) 2023/1804, article 5(4); SI 2023/1168 (UK), price per kWh.
    """
    country = tariff.x_magetsi.country if tariff.x_magetsi else None
    if country is None or tariff.type not in (None, TariffType.AD_HOC_PAYMENT):
        return {}
    charging = [e for e in tariff.elements if not (e.restrictions and e.restrictions.reservation)]
    broken: dict[str, str] = {}
    if country in _EUROPEAN_UNION and any(
        _prices(element, Dimension.TIME, Dimension.FLAT)
        for element in charging
        if at_fast_point or _is_for_fast_points(element)
    ):
        broken["afir_5_4"] = gettext_noop(
            "At 50 kW and more an ad-hoc price in the European Union is per kWh, with an occupancy fee at"
            " most (Regulation (EU) 2023/1804, article 5(4)): leave TIME and FLAT out."
        )
    if country == "GB" and any(_prices(element, Dimension.TIME) for element in charging):
        broken["uk_price_per_kwh"] = gettext_noop(
            "In the United Kingdom the price of public charging is in pence per kWh (SI 2023/1168):"
            " leave TIME out."
        )
    return broken


def _prices(element: TariffElement, *dimensions: Dimension) -> bool:
    return any(c.type in dimensions and c.price > 0 for c in element.price_components)


def _is_for_fast_points(element: TariffElement) -> bool:
    least = element.restrictions.min_power if element.restrictions else None
    return least is not None and least >= FAST_KW
