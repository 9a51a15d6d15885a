"""Who may call what: every view says which capability each of its methods needs."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from django.core.exceptions import ImproperlyConfigured
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.services.actors import Actor
from accounts.services.permissions import Capability, require

if TYPE_CHECKING:
    # The settings of REST framework import this module; its views import the settings.
    from rest_framework.views import APIView

_READING = {"GET", "HEAD", "OPTIONS"}


class RolePermission(BasePermission):
    """Refuses early what the domain function would refuse later; nobody without a key gets through."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if not isinstance(request.auth, Actor):
            return False
        method = request.method or ""
        if not hasattr(view, method.lower()):
            return True  # 405 comes next, the same for every role.
        declared: Mapping[str, Capability] = getattr(view, "capabilities", {})
        capability = declared.get("GET" if method == "HEAD" else method)
        if capability is None and method not in _READING:
            raise ImproperlyConfigured(f"{type(view).__name__} names no capability for {method}.")
        require(request.auth, capability or "read")
        return True
