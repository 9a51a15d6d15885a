"""The seam between us and whoever moves the money.

A provider puts a hold on a payment method before energy flows, captures what the session cost and
releases the rest; it can give captured money back. Nothing in Magetsi knows more of a provider than
this page. Which provider an operator uses is the operator's setting; without one, sessions are priced and
nothing is collected.

Amounts are integers in minor units. Each request carries an idempotency key made of our own ids
(`payment-<pk>-capture-<version>`): the same key and amount is the same request, however often it is sent.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from cms.base.errors import DomainError
from cms.base.money import minor_digits


class ProviderError(DomainError):
    """The provider refused or could not be reached; subclasses say which."""

    code = "payment_failed"
    status = 409


class Declined(ProviderError):
    """The payment method does not give the money. Asking again with the same method is of no use."""

    code = "payment_declined"


class OutcomeUnknown(ProviderError):
    """No answer, or none that could be read: the request may or may not have had its effect.

    Ask for the state (`PaymentProvider.look_up`) before anything else is done.
    """

    code = "payment_outcome_unknown"


@dataclass(frozen=True, slots=True)
class Amount:
    """Money to move: more than nothing, in minor units of an ISO 4217 currency."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        minor_digits(self.currency)  # Raises UnknownCurrency.
        if self.minor <= 0:
            raise ValueError("There is nothing to move.")


class HoldStatus(StrEnum):
    """Where a hold stands at the provider."""

    REQUIRES_ACTION = "requires_action"
    HELD = "held"
    CAPTURED = "captured"
    RELEASED = "released"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Hold:
    """Money set aside. `reference` is the provider's name for it.

    After `capture_before` the provider lets go of it by itself. `action_url` is where the driver has to
    confirm while the status is `requires_action`.
    """

    reference: str
    status: HoldStatus
    held_minor: int
    captured_minor: int
    refunded_minor: int
    currency: str
    capture_before: datetime | None
    action_url: str | None = None


@dataclass(frozen=True, slots=True)
class Refund:
    """Money given back from one hold; a refund can still fail after it was accepted."""

    reference: str
    hold_reference: str
    amount: Amount
    settled: bool


class PaymentProvider(Protocol):
    """What we ask of a provider. Every method raises ProviderError."""

    name: str

    def hold(self, *, amount: Amount, method: str, idempotency_key: str) -> Hold:
        """Set `amount` aside on the payment method the driver chose (the provider's token for it)."""

    def capture(self, *, reference: str, amount: Amount, idempotency_key: str) -> Hold:
        """Take `amount`, at most what is held, once; the rest of the hold is released with it."""

    def release(self, *, reference: str, idempotency_key: str) -> Hold:
        """Let go of the whole hold. One that is released already stays so."""

    def refund(self, *, reference: str, amount: Amount, idempotency_key: str) -> Refund:
        """Give back `amount`, at most what was captured and not yet given back."""

    def look_up(self, *, reference: str) -> Hold:
        """The hold as the provider sees it now; the truth after a lost answer or a late notice."""
