"""Objects in and out of the API."""

from collections.abc import Mapping
from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.exceptions import ValidationError


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields it does not know, by name, together with everything else that is wrong.

    A field that can only be read is ignored when it is sent, so that an object can be read, changed
    and sent back. Names in `fixed` may be sent with the value they have and no other.
    """

    fixed: ClassVar[tuple[str, ...]] = ()

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return super().to_internal_value(data)
        errors: dict[str, Any] = {
            str(name): ["There is no such field."] for name in data if name not in self.fields
        }
        if self.instance is not None:
            shown = self.to_representation(self.instance) if self.fixed else {}
            errors |= {
                name: ["This cannot be changed."]
                for name in self.fixed
                if name in data and data[name] != shown[name]
            }
        errors |= self._missing_inside(data)
        try:
            value = super().to_internal_value(data)
        except ValidationError as error:
            errors = {**error.detail, **errors}  # type: ignore[dict-item]
        if errors:
            raise ValidationError(errors)
        return value

    def _missing_inside(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """What an object within a changed one lacks: a change replaces it, so it must be whole.

        REST framework asks only the outermost object whether it is partial, and then lets everything go.
        """
        if self.root is self or not getattr(self.root, "partial", False):
            return {}
        return {
            name: [field.error_messages["required"]]
            for name, field in self.fields.items()
            if field.required and not field.read_only and name not in data
        }


class Filters(StrictSerializer):
    """The query parameters of a list. Whatever is not declared, or given twice, is refused."""
