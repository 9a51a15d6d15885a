"""`Authorization: Bearer <key>`."""

from django.contrib.auth.models import AnonymousUser
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts.services.actors import Actor
from accounts.services.api_keys import find_api_key, note_api_key_use


class ApiKeyAuthentication(BaseAuthentication):
    """Turns a bearer key into the `Actor` it stands for, as `request.auth`; there is no user."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, Actor] | None:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        api_key = find_api_key(key.strip())
        if api_key is None:
            raise AuthenticationFailed("This key is not known, or it was revoked.")
        note_api_key_use(api_key)
        return AnonymousUser(), Actor.from_api_key(api_key)

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="Magetsi API"'
