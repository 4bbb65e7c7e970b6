"""The server's clock, as far as its answers tell."""

from __future__ import annotations

from naq_runtime.clock import Clock, nanoseconds_of

__all__ = ["ServerClock"]

_LIMIT_NS = 10_000_000_000
"""An answer that took longer says nothing of the clock."""


class ServerClock:
    """Keeps it against our monotonic clock, which nobody sets; before the first answer our wall clock is believed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.ahead_ns = clock.time_ns() - clock.monotonic_ns()
        """How far it is ahead of our monotonic clock, as far as is known."""
        self.least_ahead_ns = self.ahead_ns
        """So far at least, by its last answer."""
        self._within_ns = _LIMIT_NS
        """How long the answer took that is believed."""
        self.error_ns = 0
        """How wrong that can be; 0 before the first answer, when it is only believed."""
        self._told_ns: int | None = None

    def is_old(self, age_ns: int) -> bool:
        """Whether nothing was heard of it for so long: both clocks have gone their own ways since."""
        return self._told_ns is None or self._clock.monotonic_ns() - self._told_ns > age_ns

    @property
    def skew_ns(self) -> int:
        """How far it is ahead of our wall clock now, as far as is known, also when that was set."""
        return self.ahead_ns + self._clock.monotonic_ns() - self._clock.time_ns()

    def now_ns(self) -> int:
        """What it shows now, as far as is known."""
        return self.ahead_ns + self._clock.monotonic_ns()

    def monotonic_ns(self) -> int:
        """The time by which questions and answers are dated."""
        return self._clock.monotonic_ns()

    def told(self, moment: str, asked_ns: int) -> None:
        """It was at ``moment`` somewhere between a question and now, when the answer is here.

        What was measured fastest is believed, until it cannot be any more: the server's clock has been set.
        """
        answered_ns, moment_ns = self._clock.monotonic_ns(), nanoseconds_of(moment)
        self.least_ahead_ns = moment_ns - answered_ns
        took_ns, ahead_ns = answered_ns - asked_ns, moment_ns - (asked_ns + answered_ns) // 2
        was_set = 2 * abs(ahead_ns - self.ahead_ns) > took_ns + self._within_ns
        if took_ns <= self._within_ns or (was_set and took_ns <= _LIMIT_NS):
            self._within_ns, self.ahead_ns, self.error_ns = took_ns, ahead_ns, took_ns // 2
        self._told_ns = answered_ns

    def doubt(self) -> None:
        """It may be the clock of another server from now on: the next answer is believed, and should be asked for."""
        self._within_ns, self._told_ns = _LIMIT_NS, None
