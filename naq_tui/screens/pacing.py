"""When to ask again for something that costs the server more than a word."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from naq_tui.model.seconds import SECOND_NS

__all__ = ["Pacing"]

_SHARE = 20
"""At least so many times as long as the last answer took: nothing is asked for more than a twentieth of the time."""


class Pacing:
    """One question at a time, with a pause between two of them.

    Args:
        pause_s: the shortest pause, in seconds, by the time that is on show.
    """

    def __init__(self, pause_s: float) -> None:
        self._least_ns = int(pause_s * SECOND_NS)
        self._pause_ns = self._least_ns
        self._asked_ns: int | None = None
        self._under_way = False

    def claim(self, now_ns: int) -> bool:
        """Whether to ask now; who is told so asks, within `asking`."""
        if self._under_way:
            return False
        if self._asked_ns is not None and 0 <= now_ns - self._asked_ns < self._pause_ns:
            return False
        self._asked_ns, self._under_way = now_ns, True
        return True

    def hurry(self) -> None:
        """There is something else to ask for: do not wait."""
        self._asked_ns = None

    @contextmanager
    def asking(self) -> Iterator[None]:
        """The time that the answer takes."""
        began_s = time.monotonic()
        try:
            yield
        finally:
            self._under_way = False
            took_ns = int((time.monotonic() - began_s) * SECOND_NS)
            self._pause_ns = max(self._least_ns, _SHARE * took_ns)
