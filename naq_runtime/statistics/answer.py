"""The answer to how many events there were of what kind, and how long jobs waited and ran."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from naq_runtime.statistics.rollup import Gap, Group
from naq_runtime.statistics.sketch import Sketch, quantiles_of

__all__ = ["EventStatistics", "GroupStatistics", "Latency", "statistics_of"]


class Latency(Struct, frozen=True):
    """How long something took, in milliseconds; percentiles are within 1 %, the rest is exact."""

    count: int
    mean_ms: float
    max_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


class GroupStatistics(Struct, frozen=True, kw_only=True):
    """What happened to the jobs of a queue, of a function, at a worker, or to all."""

    queue: str | None = None
    """``None`` when the answer is not by queue, and for events that name none; ``(others)`` for those of many queues,
    each of which had no place of its own. The next two are alike."""
    function: str | None = None
    worker: str | None = None
    enqueued: int = 0
    started: int = 0
    completed: int = 0
    failed: int = 0
    """Attempts that ended in an error; those above their time limit included."""
    retried: int = 0
    cancelled: int = 0
    dead: int = 0
    """Jobs that became dead letters."""
    failure_share: float | None = None
    """Failed attempts among those that ended by themselves or by their time limit, 0 to 1; ``None`` when none did."""
    wait: Latency | None = None
    """Between becoming runnable and starting."""
    run: Latency | None = None
    """Of attempts that ended by themselves or by their time limit."""
    events: int = 0
    """Of all types."""
    types: dict[str, int] = {}
    """How many of each, by ``category.type``."""


class EventStatistics(Struct, frozen=True, kw_only=True):
    """What happened between two moments, counted."""

    since_ns: int
    """The time that the answer covers: from here …"""
    until_ns: int
    """… to before here."""
    asked_since_ns: int
    """The time that was asked for."""
    asked_until_ns: int
    is_exact: bool
    """Whether it covers just that. If not, the events at its ends, or the roll-ups of minutes, are no longer there,
    and the answer covers whole minutes, hours or days."""
    total: GroupStatistics
    groups: tuple[GroupStatistics, ...] = ()
    """By what was asked for, the most events first."""
    has_others: bool = False
    """Whether some are counted together as ``(others)``, because there were too many to be told apart."""
    gaps: tuple[Gap, ...] = ()
    """Events of that time that were lost before anybody counted them."""
    ended_logs_ns: tuple[int, ...] = ()
    """Moments of that time after which a log was deleted: what it held from there on was counted by nobody."""
    rolled_up: int = 0
    """Events that were counted by roll-ups."""
    scanned: int = 0
    """Events that were read one by one."""


def statistics_of(group: Group, **names: str | None) -> GroupStatistics:
    """What a group says, under these names."""
    types = group.types

    def of(*event_types: str) -> int:
        return sum(types.get(f"job.{event_type}", 0) for event_type in event_types)

    completed, failed = of("completed"), of("failed", "timed_out")
    return GroupStatistics(
        **names,
        enqueued=of("enqueued"),
        started=of("started"),
        completed=completed,
        failed=failed,
        retried=of("retry_scheduled"),
        cancelled=of("cancelled"),
        dead=of("dead_lettered"),
        failure_share=failed / (completed + failed) if completed + failed else None,
        wait=_latency(group.wait),
        run=_latency(group.run),
        events=sum(types.values()),
        types=_sorted(types),
    )


def _latency(sketch: Sketch | None) -> Latency | None:
    if sketch is None or not sketch.buckets:
        return None
    count, longest_ms = sketch.count, sketch.max_ns / 1e6
    p50, p95, p99 = (min(one, longest_ms) for one in quantiles_of(sketch.buckets, (0.5, 0.95, 0.99)))
    return Latency(count, sketch.sum_ns / count / 1e6, longest_ms, p50, p95, p99)


def _sorted(types: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(types.items(), key=lambda item: (-item[1], item[0])))
