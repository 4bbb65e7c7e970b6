"""What could not be kept: how many of which type, since when and until when."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from naq_runtime.clock import Clock

__all__ = ["DroppedEvents", "Drops"]

_MOST_KEYS = 64
_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,40}", re.ASCII)
_OTHER = "other"
"""Counts what has no proper name, or comes when there are too many names."""


@dataclass(frozen=True, slots=True)
class DroppedEvents:
    """What a logger could not keep."""

    counts: dict[str, int]
    """By ``category.type``."""
    first_ns: int
    """When the first of them was dropped, by the clock of this process."""
    last_ns: int


class Drops:
    """Counts exactly, in bounded memory.

    Attributes:
        ever: all of them.
    """

    def __init__(self, clock: Clock) -> None:
        self.ever = 0
        self._clock = clock
        self._counts: Counter[str] = Counter()
        self._first_ns = self._last_ns = 0

    def __bool__(self) -> bool:
        """Whether there is something to report."""
        return bool(self._counts)

    def add(self, key: str) -> None:
        """Count one, by ``category.type``."""
        if key not in self._counts and (len(self._counts) >= _MOST_KEYS or not _PLAIN.fullmatch(key)):
            key = _OTHER
        self._last_ns = self._clock.time_ns()
        if not self._counts:
            self._first_ns = self._last_ns
        self._counts[key] += 1
        self.ever += 1

    def take(self) -> DroppedEvents:
        """What there is to report, once."""
        counts, self._counts = dict(self._counts), Counter()
        return DroppedEvents(counts, self._first_ns, self._last_ns)
