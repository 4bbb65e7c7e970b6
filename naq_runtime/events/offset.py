"""The clock of a process against that of the server: what its events say of the difference.

A time that has been stored is never changed: an event says by how much its emitter's clock was wrong when it happened,
and every reader can put it right without asking anybody. A clock that is nearly right is taken as right, and that costs
no byte.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from naq_runtime.clock import Clock

__all__ = ["NEARLY_NS", "ClockOffset", "KnownClock"]

NEARLY_NS = 10_000_000
"""Clocks that are so near to each other are taken as one; and so far what is told must be off before it changes."""
_STEPS_KEPT = 8


class KnownClock(Protocol):
    """The clock of the server, as far as this process knows it."""

    @property
    def ahead_ns(self) -> int:
        """How far it is ahead of our monotonic clock."""
        ...

    @property
    def error_ns(self) -> int:
        """How wrong that can be."""
        ...


class _Step(NamedTuple):
    """Somebody, or a time service, has set our wall clock."""

    until_ns: int
    """When that was, or a moment later, by the monotonic clock."""
    wall_ns: int
    """How far the wall clock had been ahead of the monotonic one before."""


class ClockOffset:
    """How far the server's clock is ahead of the wall clock of this process, where that is worth telling.

    It stays the same until the clocks have surely moved against each other, so that the events of one emitter keep
    their order. A step of our wall clock is noticed with the first event after it; what was dated before the step is
    still told with the offset of then.

    Args:
        server: the server's clock; ``None`` where there is none, and nothing is ever told.
    """

    def __init__(self, clock: Clock, server: KnownClock | None) -> None:
        self._time_ns, self._monotonic_ns = clock.time_ns, clock.monotonic_ns
        self._server = server
        self._wall_ns = clock.time_ns() - clock.monotonic_ns()
        self._ahead_ns: int | None = None
        self._told_ns = 0
        self._steps: tuple[_Step, ...] = ()

    @property
    def exact_ns(self) -> int:
        """How far the server's clock is ahead now, as far as is known, be it ever so little; 0 without a server."""
        return 0 if self._server is None else self._server.ahead_ns + self._monotonic_ns() - self._time_ns()

    def of(self, timestamp_ns: int) -> int:
        """What is to be added to a time that our wall clock has shown, now or lately; 0 where that is nearly right."""
        server = self._server
        if server is None:
            return 0
        now_ns = self._monotonic_ns()
        if (
            -NEARLY_NS < timestamp_ns - now_ns - self._wall_ns < NEARLY_NS
            and server.ahead_ns == self._ahead_ns  # which is so for nearly every event: it is dated when it is logged
        ):
            return self._told_ns
        return self._looked_at(timestamp_ns, now_ns, server)

    def _looked_at(self, timestamp_ns: int, now_ns: int, server: KnownClock) -> int:
        wall_ns = self._time_ns() - now_ns
        if abs(wall_ns - self._wall_ns) > NEARLY_NS:
            self._steps = (*self._steps[-_STEPS_KEPT + 1 :], _Step(now_ns, self._wall_ns))
            self._wall_ns, self._ahead_ns = wall_ns, None
        if server.ahead_ns != self._ahead_ns:
            self._consider(server)
        if not self._steps:
            return self._told_ns
        return self._told_ns + self._wall_ns - self._wall_then(timestamp_ns, now_ns)

    def _consider(self, server: KnownClock) -> None:
        """The server's clock, or ours, may be another one than it was."""
        self._ahead_ns = server.ahead_ns
        offset_ns, unsure_ns = self._ahead_ns - self._wall_ns, NEARLY_NS + server.error_ns
        if abs(offset_ns - self._told_ns) > unsure_ns:
            self._told_ns = offset_ns if abs(offset_ns) > unsure_ns else 0

    def _wall_then(self, timestamp_ns: int, now_ns: int) -> int:
        """How far the wall clock was ahead of the monotonic one when it showed this.

        After a step back it has shown some times twice. The latest moment counts that is not to come, and at which the
        clock was as it must have been.
        """
        possible = [(timestamp_ns - step.wall_ns, step.wall_ns) for step in self._steps]
        possible = [one for one, step in zip(possible, self._steps, strict=True) if one[0] <= step.until_ns]
        if timestamp_ns - self._wall_ns <= now_ns or not possible:
            possible.append((timestamp_ns - self._wall_ns, self._wall_ns))
        return max(possible)[1]
