"""How it went: the same counts as in `EventStatistics`, step by step of time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from naq_runtime.statistics.answer import EventStatistics, Latency, statistics_of
from naq_runtime.statistics.rollup import UNITS, Group
from naq_runtime.statistics.sketch import Sketch

__all__ = ["FINE_NS", "EventTrends", "GroupNames", "Percentiles", "Trend", "step_ns_of", "trend_of"]

FINE_NS = 5_000_000_000
"""A step that is shorter than a minute: only the events themselves tell it."""
_STEPS = 24
"""The longest steps are taken of which a window has so many."""

GroupNames = tuple[str | None, str | None, str | None]
"""Queue, function and worker; ``None`` for what is not told apart, and for events that name none."""
Percentiles = tuple[float, float]
"""p50 and p95, in milliseconds."""


class Trend(Struct, frozen=True, kw_only=True):
    """What happened to one group; the sequences have one place a step, the oldest first."""

    enqueued: tuple[int, ...]
    completed: tuple[int, ...]
    failed: tuple[int, ...]
    """Attempts that ended in an error; those above their time limit included."""
    wait: tuple[Percentiles | None, ...]
    """Of what began in the step; ``None`` where nothing did."""
    run: tuple[Percentiles | None, ...]
    """Of what ended in it."""
    wait_buckets: Mapping[int, int] = {}
    """How many of all waits fell into each bucket; see `naq_runtime.statistics.sketch.bounds_ms`."""
    run_buckets: Mapping[int, int] = {}


class EventTrends(Struct, frozen=True, kw_only=True):
    """What happened in a time, counted, and how it went."""

    statistics: EventStatistics
    """All of the time together."""
    step_ns: int
    """The length of a step: a second, a minute or an hour, or some of them. The last one is not over yet."""
    first_ns: int
    """When the first step begins."""
    total: Trend
    by_names: Mapping[GroupNames, Trend]
    """Of each of the groups of the statistics."""


def step_ns_of(window_ns: int) -> int:
    """The length of the steps of a window of this length."""
    return next((unit.length_ns for unit in UNITS if window_ns >= _STEPS * unit.length_ns), FINE_NS)


def trend_of(steps: Sequence[Group | None], whole: Group) -> Trend:
    """What groups say, one a step, ``None`` where nothing happened; and what they add up to."""
    told = [None if group is None else statistics_of(group) for group in steps]
    return Trend(
        enqueued=tuple(one.enqueued if one else 0 for one in told),
        completed=tuple(one.completed if one else 0 for one in told),
        failed=tuple(one.failed if one else 0 for one in told),
        wait=tuple(_percentiles(one.wait) if one else None for one in told),
        run=tuple(_percentiles(one.run) if one else None for one in told),
        wait_buckets=_buckets(whole.wait),
        run_buckets=_buckets(whole.run),
    )


def _percentiles(latency: Latency | None) -> Percentiles | None:
    return None if latency is None else (latency.p50_ms, latency.p95_ms)


def _buckets(sketch: Sketch | None) -> Mapping[int, int]:
    return {} if sketch is None else sketch.buckets
