"""JSON out, numbers exact."""

from collections.abc import Mapping
from typing import Any

from rest_framework.renderers import BaseRenderer

from cms.base.json import dumps_bytes


class JSONRenderer(BaseRenderer):
    """Compact UTF-8 JSON; decimals keep their digits, datetimes end in `Z`."""

    media_type = "application/json"
    format = "json"
    charset = None
    render_style = "text"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        return b"" if data is None else dumps_bytes(data)
