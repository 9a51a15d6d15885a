"""Identities that knock and that nobody knows: who is told, and how often.

Every open page of whoever may adopt one asks anew when it is told, so that neither one charger that knocks for ever
nor a stranger who makes identities up may have them told all the time.
"""

# Open pages of whoever may adopt a station listen to this group of the channel layer.
NEWCOMERS = "newcomers"
# Stands in a message in place of a station's id.
NO_STATION = 0

_AGAIN_AFTER_S = 60.0
_PAUSE_S = 2.0
_REMEMBERED = 10_000


class Newcomers:
    """Tells of an identity once a minute, and of all together once in two seconds, however often they knock."""

    def __init__(self) -> None:
        self._told_s: dict[str, float] = {}
        self._is_new = False
        self._quiet_until_s = 0.0

    def knocked(self, identity: str, now_s: float) -> None:
        """Somebody whom nobody knows was turned away."""
        told_s = self._told_s.get(identity)
        if told_s is not None and now_s - told_s < _AGAIN_AFTER_S:
            return
        if len(self._told_s) >= _REMEMBERED:
            self._told_s.clear()
        self._told_s[identity] = now_s
        self._is_new = True

    def take(self, now_s: float) -> bool:
        """Whether there is something to tell, and the pages had their pause."""
        if not self._is_new or now_s < self._quiet_until_s:
            return False
        self._is_new = False
        self._quiet_until_s = now_s + _PAUSE_S
        return True
