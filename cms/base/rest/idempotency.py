"""`Idempotency-Key`: one POST, one effect, the same answer for every retry.

The key's row, the effect and the answer are one transaction. A duplicate that arrives meanwhile waits
on the unique row and then gets the answer; a process that dies in between leaves no row behind, so that
a retry does the work. Answers are kept encrypted, for they may show a secret once.
"""

import base64
import hashlib
import string
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from cryptography.fernet import Fernet
from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from cms.base.errors import Conflict, Invalid
from cms.base.models import IdempotentAnswer

KEPT_FOR = timedelta(hours=48)
WAIT_MS = 10_000
_MAX_KEY_LENGTH = 255
_KEY_CHARACTERS = frozenset(string.ascii_letters + string.digits + string.punctuation + " ")


@dataclass(frozen=True, slots=True)
class Answer:
    """A rendered response; `replayed` where it was given before."""

    status: int
    body: bytes
    replayed: bool = False


class _NotKept(Exception):
    """Carries an answer out of the transaction that is undone."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


def answer_once(*, owner: str, key: str, request: bytes, produce: Callable[[], Answer]) -> Answer:
    """The answer given to `request` under this key, or a new one from `produce`.

    `owner` names who asks: keys of different callers never meet. `request` is all that makes two
    requests the same: method, address and body. Answers of 500 and above are not kept, and their
    effects are undone.

    Raises:
        Invalid: the key is empty, too long or not printable ASCII.
        Conflict: the key belongs to another request, or the same request is still under way.
    """
    if not key or len(key) > _MAX_KEY_LENGTH or not _KEY_CHARACTERS.issuperset(key):
        raise Invalid.fields(
            {"Idempotency-Key": ["A key has 1 to 255 printable ASCII characters."]}
        )
    request_hash = hashlib.sha256(request).hexdigest()
    try:
        with transaction.atomic():
            row, is_new = _claim(owner, key, request_hash)
            if not is_new:
                return _answer_of(row, request_hash)
            answer = produce()
            if answer.status >= 500:
                raise _NotKept(answer)
            row.status = answer.status
            row.body = _cipher().encrypt(answer.body).decode("ascii")
            row.save(update_fields=["status", "body"])
            return answer
    except _NotKept as undone:
        return undone.answer


def forget_old_answers() -> int:
    """Delete answers older than `KEPT_FOR`; returns how many. Safe to run at any time."""
    deleted, _ = IdempotentAnswer.objects.filter(created_at__lt=timezone.now() - KEPT_FOR).delete()
    return deleted


def _claim(owner: str, key: str, request_hash: str) -> tuple[IdempotentAnswer, bool]:
    """The key's row, and whether it is ours to fill; waits for whoever is filling it."""
    _set_lock_timeout(f"{WAIT_MS}ms")
    try:
        claimed = IdempotentAnswer.objects.get_or_create(
            owner=owner, key=key, defaults={"request_hash": request_hash}
        )
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) != "55P03":
            raise
        raise Conflict(
            "A request with this Idempotency-Key is still under way. Try again in a moment.",
            code="in_progress",
        ) from error
    _set_lock_timeout("0")
    return claimed


def _set_lock_timeout(value: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [value])


def _answer_of(row: IdempotentAnswer, request_hash: str) -> Answer:
    if row.request_hash != request_hash:
        raise Conflict(
            "This Idempotency-Key was used for another request.", code="idempotency_key_reused"
        )
    if row.status is None:
        raise Conflict(
            "A request with this Idempotency-Key is still under way. Try again in a moment.",
            code="in_progress",
        )
    return Answer(row.status, _cipher().decrypt(row.body.encode("ascii")), replayed=True)


def _cipher() -> Fernet:
    secret = hashlib.sha256(b"idempotent-answer:" + settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(secret))
