"""Whoever acts: a member of an operator's team, one of its programs, or Magetsi itself."""

from dataclasses import dataclass

from accounts.choices import Role
from accounts.models import ApiKey, Membership, Operator, User


@dataclass(frozen=True, slots=True)
class Actor:
    """On whose behalf something is read or changed, and with which role.

    Exactly one of `user` and `api_key` is set for requests from outside; neither for what Magetsi
    does by itself or what somebody does with a shell on the server.
    """

    operator: Operator
    role: Role
    user: User | None = None
    api_key: ApiKey | None = None

    @classmethod
    def from_api_key(cls, api_key: ApiKey) -> "Actor":
        """A program that showed `api_key`; its operator should be loaded with it."""
        return cls(operator=api_key.operator, role=Role(api_key.role), api_key=api_key)

    @classmethod
    def from_membership(cls, membership: Membership) -> "Actor":
        """A member of a team; operator and user should be loaded with the membership."""
        return cls(operator=membership.operator, role=Role(membership.role), user=membership.user)

    @classmethod
    def system(cls, operator: Operator) -> "Actor":
        """Magetsi itself, or whoever has a shell on the server: every right, nobody's name."""
        return cls(operator=operator, role=Role.OWNER)

    @property
    def key(self) -> str:
        """Names the caller among all callers, as in `api_key:7`."""
        if self.api_key is not None:
            return f"api_key:{self.api_key.pk}"
        if self.user is not None:
            return f"user:{self.user.pk}:{self.operator.pk}"
        return f"system:{self.operator.pk}"
