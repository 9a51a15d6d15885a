"""What stands on a connector's label: a code that leads a telephone to its page.

Eight characters of Crockford's base 32, drawn at random: 40 bits say nothing of how many connectors
there are, and a code that was seen somewhere leads to no other. A code is given once and stays, for it
is printed.
"""

import secrets
from collections.abc import Iterable

from django.db import IntegrityError, transaction

from stations.models import Connector

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 8
_MISREAD = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})
_TRIES = 5


def normal_code(text: str) -> str | None:
    """The code that somebody meant who typed `text`; None where it can be none.

    Case, hyphens and blanks play no part; O is read as 0, I and L as 1, as Crockford proposes.
    """
    code = text.upper().translate(_MISREAD)
    return code if len(code) == LENGTH and all(char in ALPHABET for char in code) else None


def ensure_connector_code(connector: Connector) -> str:
    """The connector's code, given to it now if it has none. Idempotent, also side by side."""
    for _ in range(_TRIES):
        if connector.code:
            break
        code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        try:
            with transaction.atomic():
                Connector.objects.filter(pk=connector.pk, code=None).update(code=code)
        except IntegrityError as error:
            if "stations_connector_code_unique" not in str(error):
                raise
            continue
        connector.refresh_from_db(fields=["code"])
    if not connector.code:
        raise RuntimeError("No free connector code was found; is randomness broken?")
    return connector.code


def ensure_connector_codes(connectors: Iterable[Connector]) -> None:
    """Give each its code; a statement or two for each that has none, nothing for the others."""
    for connector in connectors:
        ensure_connector_code(connector)
