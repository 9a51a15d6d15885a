"""What can be wrong with a tariff or with the facts of a session.

DomainError
├── Invalid → TariffInvalid    400  the tariff object breaks OCPI 2.2.1 or our extension; names its fields
└── RatingRefused              409  these facts have no price; a person must look at the session
"""

from cms.base.errors import DomainError, Invalid


class TariffInvalid(Invalid):
    """Not a tariff we can price with. `data["fields"]` maps `elements.0.price_components.1.vat` to sentences."""


class RatingRefused(DomainError):
    """The facts contradict each other (a register ran backwards, a session ended before it began)."""

    code = "rating_refused"
    status = 409
