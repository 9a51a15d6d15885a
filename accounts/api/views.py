"""Tokens, groups, unknown tokens, and the operator itself."""

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import selectors
from accounts.api.base import ApiView
from accounts.api.serializers import (
    IdTokenFields,
    IdTokenFilters,
    IdTokenGroupSerializer,
    IdTokenSerializer,
    OperatorSerializer,
    UnknownIdTokenSerializer,
)
from accounts.services import id_tokens


class IdTokenList(ApiView):
    """What identifies drivers at this operator's stations."""

    capabilities = {"POST": "tokens.change"}
    serializer_class = IdTokenSerializer
    filter_class = IdTokenFilters
    ordering_fields = {"id": "id", "uid": "uid_folded", "created_at": "created_at"}

    @extend_schema(parameters=[IdTokenFilters], responses=IdTokenSerializer(many=True))
    def get(self, request: Request) -> Response:
        tokens = selectors.id_tokens_for(self.actor)
        return self.page(selectors.filter_id_tokens(tokens, **self.filters()))

    @extend_schema(responses={201: IdTokenSerializer})
    def post(self, request: Request) -> Response:
        return self.created(id_tokens.create_id_token(acting=self.actor, **self.body()))


class IdTokenDetail(ApiView):
    """One id token."""

    capabilities = {"PATCH": "tokens.change"}
    serializer_class = IdTokenSerializer

    def get(self, request: Request, id: str) -> Response:
        return self.shown(selectors.get_id_token_for(self.actor, id))

    def patch(self, request: Request, id: str) -> Response:
        token = selectors.get_id_token_for(self.actor, id)
        changes = self.body(instance=token)
        return self.shown(id_tokens.update_id_token(acting=self.actor, id_token=token, **changes))


class IdTokenGroupList(ApiView):
    """Tokens that may end each other's transactions."""

    capabilities = {"POST": "tokens.change"}
    serializer_class = IdTokenGroupSerializer
    ordering_fields = {"id": "id", "name": "name"}

    @extend_schema(responses=IdTokenGroupSerializer(many=True))
    def get(self, request: Request) -> Response:
        self.filters()
        return self.page(selectors.id_token_groups_for(self.actor))

    @extend_schema(responses={201: IdTokenGroupSerializer})
    def post(self, request: Request) -> Response:
        return self.created(id_tokens.create_id_token_group(acting=self.actor, **self.body()))


class IdTokenGroupDetail(ApiView):
    """One group of id tokens."""

    capabilities = {"PATCH": "tokens.change"}
    serializer_class = IdTokenGroupSerializer

    def get(self, request: Request, id: str) -> Response:
        return self.shown(selectors.get_id_token_group_for(self.actor, id))

    def patch(self, request: Request, id: str) -> Response:
        group = selectors.get_id_token_group_for(self.actor, id)
        changes = self.body(instance=group)
        return self.shown(
            id_tokens.update_id_token_group(acting=self.actor, group=group, **changes)
        )


class UnknownIdTokenList(ApiView):
    """Tokens that were presented at this operator's stations and belong to nobody yet."""

    serializer_class = UnknownIdTokenSerializer
    ordering = "-last_seen_at"
    ordering_fields = {
        "id": "id",
        "first_seen_at": "first_seen_at",
        "last_seen_at": "last_seen_at",
    }

    @extend_schema(responses=UnknownIdTokenSerializer(many=True))
    def get(self, request: Request) -> Response:
        self.filters()
        return self.page(selectors.unknown_id_tokens_for(self.actor))


class UnknownIdTokenAdoption(ApiView):
    """Make an id token out of an unknown one."""

    capabilities = {"POST": "tokens.change"}
    serializer_class = IdTokenSerializer

    @extend_schema(request=IdTokenFields, responses={201: IdTokenSerializer})
    def post(self, request: Request, id: str) -> Response:
        selectors.get_unknown_id_token_for(self.actor, id)
        fields = self.body(IdTokenFields)
        token = id_tokens.adopt_unknown_id_token(acting=self.actor, unknown_id=id, **fields)
        return self.shown(token, status=status.HTTP_201_CREATED)


class OwnOperator(ApiView):
    """The operator that the key belongs to."""

    serializer_class = OperatorSerializer

    def get(self, request: Request) -> Response:
        return self.shown(self.actor.operator)
