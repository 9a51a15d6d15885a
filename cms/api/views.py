"""Addresses that belong to the API as a whole."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cms.base.errors import NotFound


@extend_schema(exclude=True)
class Nowhere(APIView):
    """Any address below /api/v1/ that nothing answers: 404 in the shape of every refusal, whoever asks."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        hint = "" if request.path.endswith("/") else " Addresses end in a slash."
        raise NotFound(f"There is nothing at this address.{hint}")

    def get(self, request: Request) -> Response:
        raise NotFound("There is nothing at this address.")
