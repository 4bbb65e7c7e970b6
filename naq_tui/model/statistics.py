"""The rows of the statistics: each group with its figures, and how it went."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from naq_tui.model.seconds import SECOND_NS

if TYPE_CHECKING:
    from naq_runtime.statistics.answer import GroupStatistics
    from naq_runtime.statistics.trends import EventTrends, Trend

__all__ = ["GROUPINGS", "NOBODY", "WINDOWS", "Bars", "Course", "GroupView", "Window", "bars_of", "course_of", "rows_of"]

GROUPINGS = ("queue", "function", "worker")
_STEPS = ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,))
"""Where bars begin, in each power of ten."""
NOBODY = "(none)"
"""Stands for what names no queue, no function or no worker."""


class Window(NamedTuple):
    """How far back is counted."""

    name: str
    seconds: int
    every_s: int
    """How often it is counted anew."""
    since: str
    """As commands take it."""


WINDOWS = (Window("5 min", 300, 5, "5m"), Window("1 h", 3600, 15, "1h"), Window("24 h", 86_400, 30, "24h"))


@dataclass(frozen=True)
class GroupView:
    """A row."""

    name: str
    statistics: GroupStatistics
    trend: Trend
    seconds: float
    """That were counted."""

    @cached_property
    def rate(self) -> float:
        """Attempts that ended by themselves, a second."""
        return (self.statistics.completed + self.statistics.failed) / self.seconds

    @property
    def share(self) -> float:
        """Of attempts that failed, 0 to 1."""
        return self.statistics.failure_share or 0.0


def rows_of(trends: EventTrends, grouping: str) -> list[GroupView]:
    """Those to whose jobs something happened."""
    counted = trends.statistics
    seconds = max(1.0, (counted.until_ns - counted.since_ns) / SECOND_NS)
    rows = []
    for group in counted.groups:
        if group.enqueued or group.started or group.completed or group.failed or group.cancelled or group.dead:
            names = (group.queue, group.function, group.worker)
            name = names[GROUPINGS.index(grouping)]
            rows.append(GroupView(NOBODY if name is None else name, group, trends.by_names[names], seconds))
    return rows


class Course(NamedTuple):
    """How it went in one group, in equal steps; the last may not be over."""

    first_ns: int
    step_ns: int
    until_ns: int
    completed: tuple[float, ...]
    """A second."""
    failed: tuple[float, ...]
    wait: tuple[tuple[float, float] | None, ...]
    """p50 and p95, in milliseconds."""
    run: tuple[tuple[float, float] | None, ...]


def course_of(trends: EventTrends, trend: Trend) -> Course:
    """The counts as rates; those of the last step are of the part of it that is over."""
    step_s = trends.step_ns / SECOND_NS
    until_ns = trends.statistics.until_ns
    last_s = min(step_s, (until_ns - trends.first_ns) / SECOND_NS - step_s * (len(trend.completed) - 1))

    def rates(counts: tuple[int, ...]) -> tuple[float, ...]:
        # What has only begun says little: a job in its first moment would be a peak.
        return (*(count / step_s for count in counts[:-1]), counts[-1] / max(last_s, step_s / 5))

    return Course(
        trends.first_ns, trends.step_ns, until_ns, rates(trend.completed), rates(trend.failed), trend.wait, trend.run
    )


class Bars(NamedTuple):
    """A histogram: how many durations were from each bound on, and below the next."""

    bounds_ms: tuple[float, ...]
    """One more than there are counts."""
    counts: tuple[int, ...]
    marks: dict[int, str]
    """What to say of a bar: which percentile lies in it."""


def bars_of(buckets: Mapping[int, int], quantiles: Mapping[str, float], most: int) -> Bars:
    """The durations of a sketch in at most so many bars, with round bounds: 1, 2, 5, 10 …, or more of them, or fewer.

    Args:
        quantiles: milliseconds, by what each is called.
    """
    for steps in _STEPS:
        bars = _bars(buckets, quantiles, steps)
        if len(bars.counts) <= most:
            break
    return bars


def _bars(buckets: Mapping[int, int], quantiles: Mapping[str, float], steps: Sequence[float]) -> Bars:
    from naq_runtime.statistics.sketch import bounds_ms

    bounds = [0.0, *(step * 10.0**power for power in range(-3, 12) for step in steps)]
    counts = [0] * len(bounds)

    def place(duration_ms: float) -> int:
        return bisect(bounds, duration_ms) - 1

    for bucket, count in buckets.items():
        counts[place(sum(bounds_ms(bucket)) / 2)] += count
    held = [index for index, count in enumerate(counts) if count]
    if not held:
        return Bars((), (), {})
    first, last = held[0], held[-1]
    marks: dict[int, str] = {}
    for name, duration_ms in quantiles.items():
        index = max(first, min(last, place(duration_ms))) - first
        marks[index] = f"{marks[index]} {name}" if index in marks else name
    edges = (*bounds, float("inf"))
    return Bars(tuple(edges[first : last + 2]), tuple(counts[first : last + 1]), marks)
