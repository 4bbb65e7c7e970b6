"""What the events of jobs add up to: for one queue, and for all of them together."""

from __future__ import annotations

import operator
from typing import NamedTuple

from naq_runtime.events.models import JobEvent, JobEventType
from naq_tui.model.seconds import SecondCounts
from naq_tui.model.sketch import STEP_S, RollingSketch

__all__ = ["RATE_WINDOW_S", "Figures", "Latency", "Quantiles", "Tally"]

RATE_WINDOW_S = 10
"""Rates are means of this many whole seconds."""
MINUTE_S = 60
_SHARES = (0.5, 0.95)

_ENQUEUED, _STARTED = JobEventType.ENQUEUED, JobEventType.STARTED
_COMPLETED, _CANCELLED = JobEventType.COMPLETED, JobEventType.CANCELLED
_ERRORS = frozenset((JobEventType.FAILED, JobEventType.TIMED_OUT))
_OTHER_ENTRIES = frozenset((JobEventType.SCHEDULED, JobEventType.REQUEUED))
"""A job that waits for others is enqueued when they have ended; it comes in only then."""


class Quantiles(NamedTuple):
    """Durations, in milliseconds."""

    p50: float
    p95: float


class Figures(NamedTuple):
    """What a tally says at one moment. Rates are per second."""

    enqueued_rate: float
    done_rate: float
    """Completed, failed for good and timed out for good."""
    failed_rate: float
    """Failed for good and timed out for good."""
    failed: int
    """For good, in the latest minute."""
    failed_share: float
    """Of the jobs that ended in the latest minute; 0 to 1."""
    wait: Quantiles | None
    run: Quantiles | None
    """Of all attempts."""
    retried_rate: float
    """Attempts that failed or timed out, and are followed by another."""
    retried: int
    """In the latest minute."""
    cancelled_rate: float
    cancelled: int
    """In the latest minute."""


class Latency(NamedTuple):
    """How long jobs waited and ran, in steps of `STEP_S` seconds, the oldest first."""

    first: int
    """The second in which the first step begins."""
    wait: list[Quantiles | None]
    """``None`` for a step in which none began."""
    run: list[Quantiles | None]
    """Of all attempts; ``None`` for a step in which none ended."""

    def at(self, second: int) -> tuple[Quantiles | None, Quantiles | None]:
        """The wait and the run of the step with this second."""
        place = (second - self.first) // STEP_S
        return (self.wait[place], self.run[place]) if 0 <= place < len(self.wait) else (None, None)


class Tally:
    """Counts by second, and durations, of what happened to jobs."""

    __slots__ = (
        "cancelled",
        "completed",
        "enqueued",
        "failed",
        "latest",
        "retried",
        "run",
        "wait",
    )

    def __init__(self, history_s: int = 128, durations_s: int = MINUTE_S) -> None:
        self.enqueued = SecondCounts(history_s)
        self.completed = SecondCounts(history_s)
        self.failed = SecondCounts(history_s)
        self.retried = SecondCounts(MINUTE_S + 2)
        self.cancelled = SecondCounts(MINUTE_S + 2)
        self.wait = RollingSketch(durations_s)
        self.run = RollingSketch(durations_s)
        self.latest = 0
        """The latest second in which anything happened."""

    def count(self, event: JobEvent, second: int) -> None:
        """Take in one event that happened in this second."""
        kind = event.event_type
        if second > self.latest:
            self.latest = second
        if kind is _ENQUEUED:
            self.enqueued.add(second)
        elif kind is _STARTED:
            if event.wait_ms is not None:
                self.wait.observe(second, event.wait_ms)
        elif kind is _COMPLETED:
            self.completed.add(second)
            if event.duration_ms is not None:
                self.run.observe(second, event.duration_ms)
        elif kind in _ERRORS:
            self._count_error(event, second)
        elif kind in _OTHER_ENTRIES:
            self.enqueued.add(second)
        elif kind is _CANCELLED:
            self.cancelled.add(second)

    def _count_error(self, event: JobEvent, second: int) -> None:
        """An attempt is over: so is the job, unless another attempt follows."""
        if event.final is False:
            self.retried.add(second)
        else:
            self.failed.add(second)
        if event.duration_ms is not None:
            self.run.observe(second, event.duration_ms)

    def figures(self, second: int, since: int) -> Figures:
        """What stands in this second; rates cover whole seconds before it, none before ``since``."""
        last = second - 1
        first = max(second - RATE_WINDOW_S, since)
        covered = max(1, second - first)
        completed, failed = self.completed.total(first, last), self.failed.total(first, last)
        failed_minute = self.failed.total(second - MINUTE_S, second)
        ended_minute = failed_minute + self.completed.total(second - MINUTE_S, second)
        return Figures(
            enqueued_rate=self.enqueued.total(first, last) / covered,
            done_rate=(completed + failed) / covered,
            failed_rate=failed / covered,
            failed=failed_minute,
            failed_share=failed_minute / ended_minute if ended_minute else 0.0,
            wait=_p50_p95(self.wait, second),
            run=_p50_p95(self.run, second),
            retried_rate=self.retried.total(first, last) / covered,
            retried=self.retried.total(second - MINUTE_S, second),
            cancelled_rate=self.cancelled.total(first, last) / covered,
            cancelled=self.cancelled.total(second - MINUTE_S, second),
        )

    def latency(self, first: int, last: int) -> Latency:
        """How long jobs waited and ran, from the step with the first second to the one with the last."""
        wait, run = (sketch.course(first, last, _SHARES) for sketch in (self.wait, self.run))
        return Latency(first // STEP_S * STEP_S, _pairs(wait), _pairs(run))

    def ended(self, first: int, last: int) -> tuple[int, ...]:
        """Jobs that completed or failed for good, in each of these seconds."""
        return tuple(map(operator.add, self.completed.series(first, last), self.failed.series(first, last)))


def _pairs(found: list[tuple[float, ...] | None]) -> list[Quantiles | None]:
    return [None if values is None else Quantiles(*values) for values in found]


def _p50_p95(sketch: RollingSketch, second: int) -> Quantiles | None:
    found = sketch.quantiles(second, _SHARES)
    return Quantiles(*found) if found else None
