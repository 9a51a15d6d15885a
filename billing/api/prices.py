"""A price as the API describes it. `billing.tariffs.price.price_to_json` writes it; this is its schema."""

from typing import Any

from rest_framework import serializers

from billing.tariffs.price import LineDimension, Unit
from cms.base.rest.fields import Choice, Moment
from cms.base.rest.serializers import StrictSerializer


def exact(**options: Any) -> serializers.DecimalField:
    """A JSON number, read and written exactly; shown only, unless told."""
    options = options or {"read_only": True}
    return serializers.DecimalField(
        max_digits=None, decimal_places=None, coerce_to_string=False, **options
    )


class PriceLineSerializer(StrictSerializer):
    """One unit price times one quantity; `unit_price` in major units, net of VAT."""

    dimension = Choice([d.value for d in LineDimension], read_only=True)
    quantity = exact()
    unit = Choice([u.value for u in Unit], read_only=True)
    unit_price = exact()
    vat_percent = exact()
    net_minor = serializers.IntegerField(read_only=True)
    tax_minor = serializers.IntegerField(read_only=True)
    gross_minor = serializers.IntegerField(read_only=True)

    def get_fields(self) -> dict[str, Any]:
        """`from` is a word of Python's, so it cannot stand above."""
        return {
            **super().get_fields(),
            "from": Moment(read_only=True),
            "to": Moment(read_only=True),
        }


class PriceSerializer(StrictSerializer):
    """What a session costs: amounts in minor units, totals the sums of the lines."""

    currency = serializers.CharField(read_only=True, help_text="ISO 4217.")
    final = serializers.BooleanField(read_only=True, help_text="False while the session runs.")
    net_minor = serializers.IntegerField(read_only=True)
    tax_minor = serializers.IntegerField(read_only=True)
    gross_minor = serializers.IntegerField(read_only=True)
    lines = PriceLineSerializer(many=True, read_only=True)


class TariffReferenceSerializer(StrictSerializer):
    """A version of a tariff."""

    id = serializers.CharField(read_only=True)
    version = serializers.IntegerField(read_only=True)
