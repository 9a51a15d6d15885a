"""Refusals of billing.

DomainError (cms.base.errors)
├── NoTariff           409  no tariff applies; never a price of zero
├── UnlawfulTariff     400  a tariff breaks a rule of the country it is for; an owner may insist
└── NotReleasable      409  a session is not in a state from which it can be released
"""

from django.utils.translation import gettext as _

from cms.base.errors import Conflict, Invalid


class NoTariff(Conflict):
    """No tariff applies at this place and time. A missing tariff is never a price of zero."""

    code = "no_tariff"

    def __init__(self) -> None:
        super().__init__(_("No tariff applies there at that time. Assign one first."))


class UnlawfulTariff(Invalid):
    """The tariff breaks `rules`, each a code and a sentence."""

    code = "unlawful_tariff"

    def __init__(self, rules: dict[str, str]) -> None:
        told = {code: _(sentence) for code, sentence in rules.items()}
        super().__init__(
            _("The tariff breaks a rule: %(rules)s") % {"rules": " ".join(told.values())},
            data={"rules": told},
        )


class NotReleasable(Conflict):
    """Only a session in review can be released."""

    code = "not_in_review"

    def __init__(self, status: str) -> None:
        super().__init__(
            _("Only a session in review can be released; this one is %(status)s.")
            % {"status": status},
            data={"status": status},
        )
