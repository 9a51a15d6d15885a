"""The view that every address of the API is made from.

A view finds out who asks (`actor`), reads (`body`, `filters`), calls one domain function or selector,
and answers (`created`, `shown`, `page`). Authentication, roles, errors and `Idempotency-Key` need no
line in it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, cast

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpResponse
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from accounts.services.actors import Actor
from accounts.services.permissions import Capability
from cms.base.rest.idempotency import Answer, answer_once
from cms.base.rest.schema import ApiSchema
from cms.base.rest.serializers import Filters

_PAGE_PARAMETERS = frozenset({"limit", "cursor", "ordering"})


class ApiView(GenericAPIView[Any]):
    """One address of the API, on behalf of one operator.

    `capabilities` says what each method that changes something needs; reading needs `read` unless
    it says otherwise. `filter_class` declares the query parameters of a list, `ordering_fields` maps
    the words of `?ordering=` to columns that are never null, and `ordering` is how a list comes by
    itself: one column with an index, then the primary key in the same direction.
    """

    capabilities: ClassVar[Mapping[str, Capability]] = {}
    filter_class: ClassVar[type[Filters]] = Filters
    ordering_fields: ClassVar[Mapping[str, str]] = {"id": "id"}
    ordering: ClassVar[str] = "-id"
    metadata_class = None
    schema = ApiSchema()
    lookup_field = "id"

    @property
    def actor(self) -> Actor:
        """Whoever the request's key stands for."""
        return cast(Actor, self.request.auth)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        key = request.headers.get("Idempotency-Key")
        if key is not None and request.method == "POST" and hasattr(self, "post"):
            self._answer_once(key, self.post)

    # --- in ---------------------------------------------------------------------------------

    def body(
        self,
        serializer_class: type[BaseSerializer[Any]] | None = None,
        *,
        instance: Any = None,
    ) -> dict[str, Any]:
        """The request's object, checked; with `instance`, only the fields that are sent.

        Raises:
            ValidationError: something in it cannot be accepted; names the fields.
        """
        serializer_class = serializer_class or self.get_serializer_class()
        serializer = serializer_class(
            instance=instance,
            data=self.request.data or {},
            partial=instance is not None,
            context=self.get_serializer_context(),
        )
        serializer.is_valid(raise_exception=True)
        validated: dict[str, Any] = serializer.validated_data
        return validated

    def filters(self) -> dict[str, Any]:
        """The list's query parameters, checked.

        Raises:
            ValidationError: a parameter is unknown, given twice or has a value it cannot have.
        """
        given = self.request.query_params
        twice = {
            name: ["This parameter is given more than once."]
            for name, values in given.lists()
            if len(values) > 1
        }
        if twice:
            raise ValidationError(twice)
        serializer = self.filter_class(
            data={name: given[name] for name in given if name not in _PAGE_PARAMETERS}
        )
        serializer.is_valid(raise_exception=True)
        validated: dict[str, Any] = serializer.validated_data
        return validated

    # --- out --------------------------------------------------------------------------------

    def page(self, rows: QuerySet[Any]) -> Response:
        """One page of `rows`."""
        paginator = self.paginator
        assert paginator is not None  # noqa: S101 - the settings name one
        page = paginator.paginate_queryset(rows, self.request, view=self)
        assert page is not None  # noqa: S101 - a cursor always gives a list
        context = {**self.get_serializer_context(), **self.page_context(page)}
        serializer = self.get_serializer_class()(page, many=True, context=context)
        return paginator.get_paginated_response(serializer.data)

    def page_context(self, rows: Sequence[Any]) -> dict[str, Any]:
        """What the serializer needs to know of a page as a whole, asked of the database once."""
        return {}

    def shown(self, row: Any, *, status: int = status.HTTP_200_OK) -> Response:
        """One row as this view's serializer shows it."""
        return Response(self.get_serializer(row).data, status=status)

    def created(self, row: Any) -> Response:
        """One new row."""
        return self.shown(row, status=status.HTTP_201_CREATED)

    # --- Idempotency-Key ---------------------------------------------------------------------

    def idempotent_body(self, request: Request) -> bytes:
        """What makes the body of one request the same as another's."""
        body: bytes = request._request.body
        return body

    def _answer_once(self, key: str, handler: Callable[..., Any]) -> None:
        """Put `answer_once` around this request's handler."""

        def post(request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
            def produce() -> Answer:
                try:
                    with transaction.atomic():
                        response = handler(request, *args, **kwargs)
                except Exception as error:  # noqa: BLE001 - the same door that dispatch has
                    response = self.handle_exception(error)
                response = self.finalize_response(request, response, *args, **kwargs)
                response.render()
                return Answer(response.status_code, response.content)

            address = request.get_full_path().encode()
            answer = answer_once(
                owner=self.actor.key,
                key=key,
                request=b"\n".join([b"POST", address, self.idempotent_body(request)]),
                produce=produce,
            )
            headers = {"Idempotent-Replayed": "true"} if answer.replayed else None
            return HttpResponse(
                answer.body,
                status=answer.status,
                content_type="application/json",
                headers=headers,
            )

        self.post = post
