"""Time comes in by argument, so that tests can set it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

__all__ = ["SYSTEM_CLOCK", "Clock", "ManualClock", "SystemClock", "nanoseconds_of"]


_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Goes on while the machine sleeps; outside of Linux the other one does so, too."""


class Clock(Protocol):
    """What the rest of the package knows of time."""

    def time_ns(self) -> int:
        """Wall clock, nanoseconds since 1970 UTC."""
        ...

    def monotonic_ns(self) -> int:
        """A clock that nobody sets and that goes on while the machine sleeps; nanoseconds from an arbitrary start."""
        ...


class SystemClock:
    """The clocks of this machine."""

    __slots__ = ()

    time_ns = staticmethod(time.time_ns)
    monotonic_ns = staticmethod(partial(time.clock_gettime_ns, _STEADY))


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

    def set_by(self, seconds: float) -> None:
        """Set the wall clock forward, or back, as somebody does whose clock is wrong; the other one stands."""
        self._now_ns += int(seconds * 1e9)


SYSTEM_CLOCK = SystemClock()


def nanoseconds_of(moment: str) -> int:
    """A moment as the server writes it, RFC 3339, in nanoseconds since 1970 UTC."""
    seconds, _, rest = moment.removesuffix("Z").partition(".")
    whole = datetime.fromisoformat(seconds).replace(tzinfo=UTC)
    return int(whole.timestamp()) * 1_000_000_000 + int(rest.ljust(9, "0")[:9])
