"""Who may charge: the decision on an id token, made from values that gateways keep in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.choices import AuthorizationStatus, IdTokenStatus

# One row an id token, by operator and folded uid; the columns are `KnownIdToken`'s, in order.
FIND_BY_UID = """
SELECT t.id, t.uid, t.status, t.expires_at, g.name, COALESCE(g.master, false), t.max_concurrent,
       COALESCE(r.allowed, true), r.valid_until
FROM accounts_idtoken t
LEFT JOIN accounts_idtokengroup g ON g.id = t.group_id
LEFT JOIN accounts_chargingright r ON r.id_token_id = t.id
WHERE t.operator_id = %s AND t.uid_folded = %s
"""


@dataclass(frozen=True, slots=True)
class KnownIdToken:
    """What the decision needs of a stored token. `right_valid_until` bounds `allowed`; None is for ever."""

    id: int
    uid: str
    status: str
    expires_at: datetime | None
    group: str | None
    master: bool
    max_concurrent: int | None
    allowed: bool
    right_valid_until: datetime | None

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> "KnownIdToken":
        """From a row of `FIND_BY_UID`."""
        return cls(*row)


@dataclass(frozen=True, slots=True)
class Authorization:
    """The decision. `id_token` is None for a token nobody knows; `expires_at` and `group` go to the station."""

    status: AuthorizationStatus
    id_token: KnownIdToken | None = None

    @property
    def accepted(self) -> bool:
        """Whether energy may flow."""
        return self.status is AuthorizationStatus.ACCEPTED


def authorize_id_token(id_token: KnownIdToken | None, *, now: datetime) -> Authorization:
    """Decide on a token as it is known at `now`; None is a token that this operator does not know.

    Blocked by a person or by a charging right is Blocked; past its date is Expired; unknown is Invalid. The
    limit of concurrent transactions is not judged here but where the start is written.

    Source: OCPP 1.6 §4.2, §7.2 (AuthorizationStatus); OCPP 2.0.1 Part 2, C01.
    """
    if id_token is None or id_token.status == IdTokenStatus.INVALID:
        return Authorization(AuthorizationStatus.INVALID, id_token)
    if id_token.status == IdTokenStatus.BLOCKED:
        return Authorization(AuthorizationStatus.BLOCKED, id_token)
    if id_token.expires_at is not None and id_token.expires_at <= now:
        return Authorization(AuthorizationStatus.EXPIRED, id_token)
    right_applies = id_token.right_valid_until is None or now < id_token.right_valid_until
    if not id_token.allowed and right_applies:
        return Authorization(AuthorizationStatus.BLOCKED, id_token)
    return Authorization(AuthorizationStatus.ACCEPTED, id_token)
