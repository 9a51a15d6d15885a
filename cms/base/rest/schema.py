"""The OpenAPI description of what every address has in common."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

_IDEMPOTENCY_KEY = OpenApiParameter(
    name="Idempotency-Key",
    type=OpenApiTypes.STR,
    location=OpenApiParameter.HEADER,
    description=(
        "1 to 255 printable ASCII characters. The same key and body give the same answer again;"
        " another body under the same key is a conflict."
    ),
)


class RefusalSerializer(serializers.Serializer[Any]):
    """Any refusal. Of a 400, `data.fields` lists sentences by the path of the field."""

    code = serializers.SlugField()
    message = serializers.CharField()
    data = serializers.DictField()  # type: ignore[assignment]


class ApiSchema(AutoSchema):
    """Adds the idempotency key to every POST and the shape of refusals to everything."""

    def get_override_parameters(self) -> list[Any]:
        parameters = list(super().get_override_parameters())
        return [*parameters, _IDEMPOTENCY_KEY] if self.method == "POST" else parameters

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        refusal = self._get_response_for_code(  # type: ignore[no-untyped-call]
            RefusalSerializer, "default", direction=direction
        )
        return {**bodies, "default": {**refusal, "description": "A refusal."}}
