"""What the events of the last while add up to: counts and durations, in steps of five seconds."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from naq_runtime.events.models import (
    Event,
    JobEvent,
    JobEventType,
    ScheduleEvent,
    ScheduleEventType,
    SystemEvent,
    SystemEventType,
)
from naq_runtime.statistics.sketch import add_counts, bucket_of, nanoseconds, quantiles_of

__all__ = ["EventWindows"]

STEP_S = 5
"""Windows move on in steps of so many seconds."""
KEY_LIMIT = 500
"""Different pairs of queue and function, and different schedules; what comes beyond is counted under ``(others)``."""
_OTHERS = "(others)"
_WORD = re.compile(r"[\w.:-]{0,200}")
"""What a queue, a function or a schedule can be called. Alerts go to chats, and their records have to be stored: what
somebody has made up is not to be shown as it is.
"""
_SECOND_NS = 1_000_000_000

G = TypeVar("G")
Key = tuple[str, str, str]
"""What was counted, and the values of two labels: queue and function, or schedule and nothing."""

_ENDS: Mapping[JobEventType, str] = {
    JobEventType.COMPLETED: "completed",
    JobEventType.FAILED: "failed",
    JobEventType.TIMED_OUT: "failed",
}


class _Step:
    """What happened within five seconds."""

    __slots__ = ("counts", "durations")

    def __init__(self) -> None:
        self.counts: dict[Key, int] = {}
        self.durations: dict[Key, dict[int, int]] = {}


class EventWindows:
    """Counts events by when they happened; what is older than the longest window is forgotten.

    Args:
        longest_s: the longest window that is asked for.
        since_ns: from when on all events come by.
    """

    def __init__(self, longest_s: float, since_ns: int) -> None:
        self.since_ns = since_ns
        self._kept = int(longest_s) // STEP_S + 2
        self._steps: dict[int, _Step] = {}
        self._keys: set[tuple[str, str]] = set()

    def take(self, event: Event, now_ns: int) -> None:
        """Count an event; one that says it is of a time to come happens now."""
        if type(event) is JobEvent:
            self._take_job(event, now_ns)
        elif type(event) is ScheduleEvent and event.event_type is ScheduleEventType.MISSED:
            self._count("missed", event.schedule_id, "", event.moment_ns, now_ns, event.count or 1)
        elif type(event) is SystemEvent:
            if event.event_type is SystemEventType.LEADER_ELECTED:
                self._count("elected", "", "", event.moment_ns, now_ns)
            elif event.event_type is SystemEventType.EVENTS_DROPPED:
                self._count("dropped", "", "", event.moment_ns, now_ns, sum((event.dropped or {}).values()))

    def forget(self, now_ns: int) -> None:
        """Let go of what no window reaches any more."""
        oldest = now_ns // _SECOND_NS // STEP_S - self._kept
        for number in [number for number in self._steps if number < oldest]:
            del self._steps[number]
        if len(self._keys) >= KEY_LIMIT:
            self._keys = {key[1:] for step in self._steps.values() for key in step.counts}

    def covered_s(self, window_s: float, now_ns: int) -> float:
        """Of how many seconds of a window that ends now the events are known."""
        first_ns = max(_first_step(window_s, now_ns) * STEP_S * _SECOND_NS, self.since_ns)
        return max(0.0, (now_ns - first_ns) / _SECOND_NS)

    def counts(self, what: str, window_s: float, now_ns: int) -> dict[tuple[str, str], int]:
        """How many of something there were within the window, by the values of two labels."""
        found: dict[tuple[str, str], int] = {}
        for step in self._within(window_s, now_ns):
            for (counted, first, second), count in step.counts.items():
                if counted == what:
                    found[first, second] = found.get((first, second), 0) + count
        return found

    def percentiles(
        self, what: str, window_s: float, now_ns: int, group: Callable[[str, str], G | None]
    ) -> dict[G, tuple[float, int]]:
        """The 95th percentile of durations within the window, in seconds, and how many those were, by group.

        Args:
            group: tells the group of two labels; ``None`` leaves them out.
        """
        sums: dict[G, dict[int, int]] = {}
        for step in self._within(window_s, now_ns):
            for (measured, first, second), buckets in step.durations.items():
                key = group(first, second) if measured == what else None
                if key is not None:
                    add_counts(sums.setdefault(key, {}), buckets)
        return {key: (quantiles_of(total, (0.95,))[0] / 1000, sum(total.values())) for key, total in sums.items()}

    def _take_job(self, event: JobEvent, now_ns: int) -> None:
        kind = event.event_type
        if kind is JobEventType.STARTED:
            if event.wait_ms is not None:
                self._measure("wait", event, event.wait_ms, now_ns)
        elif kind in _ENDS:
            if event.duration_ms is not None:
                self._measure("run", event, event.duration_ms, now_ns)
            if event.final is not False:
                self._count(_ENDS[kind], event.queue_name, event.function_name or "", event.moment_ns, now_ns)

    def _count(self, what: str, first: str, second: str, at_ns: int, now_ns: int, count: int = 1) -> None:
        counts = self._step(at_ns, now_ns).counts
        key = (what, *self._bounded(first, second))
        counts[key] = counts.get(key, 0) + count

    def _measure(self, what: str, event: JobEvent, milliseconds: float, now_ns: int) -> None:
        key = (what, *self._bounded(event.queue_name, event.function_name or ""))
        buckets = self._step(event.moment_ns, now_ns).durations.setdefault(key, {})
        bucket = bucket_of(nanoseconds(milliseconds))
        buckets[bucket] = buckets.get(bucket, 0) + 1

    def _bounded(self, first: str, second: str) -> tuple[str, str]:
        """These two values, or what stands for those that are too many."""
        if (first, second) in self._keys:
            return first, second
        if len(self._keys) >= KEY_LIMIT or not (_WORD.fullmatch(first) and _WORD.fullmatch(second)):
            return _OTHERS, _OTHERS
        self._keys.add((first, second))
        return first, second

    def _step(self, at_ns: int, now_ns: int) -> _Step:
        number = min(at_ns, now_ns) // _SECOND_NS // STEP_S
        step = self._steps.get(number)
        if step is None:
            step = self._steps[number] = _Step()
        return step

    def _within(self, window_s: float, now_ns: int) -> list[_Step]:
        first, last = _first_step(window_s, now_ns), now_ns // _SECOND_NS // STEP_S
        return [step for number, step in self._steps.items() if first <= number <= last]


def _first_step(window_s: float, now_ns: int) -> int:
    """The first step that lies within the window as a whole."""
    return -(-(now_ns - int(window_s * _SECOND_NS)) // (STEP_S * _SECOND_NS))
