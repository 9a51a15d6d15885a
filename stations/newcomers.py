"""Identities that knock and that nobody knows: who is told, and how often."""

# Open pages of whoever may adopt a station listen to this group of the channel layer.
NEWCOMERS = "newcomers"
# Stands in a message in place of a station's id.
NO_STATION = 0

_AGAIN_AFTER_S = 60.0
_REMEMBERED = 10_000


class Newcomers:
    """Tells of an identity once a minute, however often it knocks: pages ask anew each time they are told."""

    def __init__(self) -> None:
        self._told_s: dict[str, float] = {}
        self._is_new = False

    def knocked(self, identity: str, now_s: float) -> None:
        """Somebody whom nobody knows was turned away."""
        told_s = self._told_s.get(identity)
        if told_s is not None and now_s - told_s < _AGAIN_AFTER_S:
            return
        if len(self._told_s) >= _REMEMBERED:
            self._told_s.clear()
        self._told_s[identity] = now_s
        self._is_new = True

    def take(self) -> bool:
        """Whether there is something to tell since this was last asked."""
        is_new, self._is_new = self._is_new, False
        return is_new
