"""Time comes in by argument, so that tests can set it."""

from __future__ import annotations

import time
from typing import Protocol

__all__ = ["SYSTEM_CLOCK", "Clock", "ManualClock", "SystemClock"]


class Clock(Protocol):
    """What the rest of the package knows of time."""

    def time_ns(self) -> int:
        """Wall clock, nanoseconds since 1970 UTC."""
        ...

    def monotonic_ns(self) -> int:
        """A clock that never steps back, nanoseconds from an arbitrary start."""
        ...


class SystemClock:
    """The clocks of this machine."""

    __slots__ = ()

    time_ns = staticmethod(time.time_ns)
    monotonic_ns = staticmethod(time.monotonic_ns)


class ManualClock:
    """A clock that stands still until it is moved; for tests and recordings."""

    def __init__(self, now_ns: int = 1_700_000_000_000_000_000) -> None:
        self._now_ns = now_ns
        self._monotonic_ns = 0

    def time_ns(self) -> int:
        """The moment that was set."""
        return self._now_ns

    def monotonic_ns(self) -> int:
        """Nanoseconds that this clock has been advanced by."""
        return self._monotonic_ns

    def advance(self, seconds: float) -> None:
        """Move both clocks forward."""
        step = int(seconds * 1e9)
        self._now_ns += step
        self._monotonic_ns += step


SYSTEM_CLOCK = SystemClock()
