"""The metrics that rules may watch: their units, their labels, and where each comes from."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

__all__ = ["EXPECTED", "METRICS", "Metric", "Source", "Unit"]


class Unit(StrEnum):
    """In what a metric is measured."""

    SHARE = "share"
    """From 0 to 1; rules write it as a percentage."""
    SECONDS = "seconds"
    COUNT = "count"
    RATE = "rate"
    """A second."""


EXPECTED = {
    Unit.SHARE: "a share such as 5%",
    Unit.SECONDS: "a duration such as 30s, 5m or 500ms",
    Unit.COUNT: "a number",
    Unit.RATE: "a number a second, such as 2.5",
}
"""How the error of a rule names what a value should have been."""


class Source(StrEnum):
    """What has to be read for a metric."""

    QUEUES = "the state of the queues' consumers"
    AGES = "the first message of each queue that no worker has"
    DEAD = "the stream of dead letters"
    WORKERS = "the leases of the workers"
    LOSSES = "the leases and the events of the workers"
    EVENTS = "the events"


class Metric(NamedTuple):
    """Something that can be measured, one value for each set of labels."""

    name: str
    unit: Unit
    labels: tuple[str, ...]
    """Those that a rule may name."""
    by: tuple[str, ...]
    """Those by which there is an alert of its own, whether they are named or not."""
    source: Source
    about: str
    windowed: bool = False
    """Whether it looks back over a time, which ``[10m]`` sets."""
    sampled: bool = False
    """Whether it says nothing of fewer jobs than `AlertConfig.min_samples`."""
    absent: float | None = None
    """Its value for labels of which nothing is known; ``None`` for no data."""
    is_state: bool = False
    """Whether it is 0 or more of something that should not be, so that a rule needs no threshold."""


_QUEUE = ("queue",)
_JOBS = ("queue", "function")

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            "failed_rate",
            Unit.SHARE,
            _JOBS,
            _QUEUE,
            Source.EVENTS,
            "jobs that failed or timed out for good, of all that ended so or completed",
            windowed=True,
            sampled=True,
        ),
        Metric(
            "failures",
            Unit.COUNT,
            _JOBS,
            _QUEUE,
            Source.EVENTS,
            "jobs that failed or timed out for good",
            windowed=True,
            absent=0.0,
        ),
        Metric(
            "throughput",
            Unit.RATE,
            _JOBS,
            _QUEUE,
            Source.EVENTS,
            "jobs a second that completed, failed or timed out for good",
            windowed=True,
        ),
        Metric(
            "wait_p95",
            Unit.SECONDS,
            _JOBS,
            _QUEUE,
            Source.EVENTS,
            "95th percentile of the time between a job's being runnable and its start",
            windowed=True,
            sampled=True,
        ),
        Metric(
            "run_p95",
            Unit.SECONDS,
            _JOBS,
            _QUEUE,
            Source.EVENTS,
            "95th percentile of the duration of an attempt",
            windowed=True,
            sampled=True,
        ),
        Metric("queue_depth", Unit.COUNT, _QUEUE, _QUEUE, Source.QUEUES, "jobs that no worker has begun"),
        Metric("running", Unit.COUNT, _QUEUE, _QUEUE, Source.QUEUES, "jobs that living workers have begun"),
        Metric("queue_age", Unit.SECONDS, _QUEUE, _QUEUE, Source.AGES, "how long the oldest job that waits has waited"),
        Metric("dead_letters", Unit.COUNT, _QUEUE, _QUEUE, Source.DEAD, "dead letters that nobody has dealt with"),
        Metric("workers", Unit.COUNT, _QUEUE, (), Source.WORKERS, "workers whose lease stands"),
        Metric(
            "worker_lost",
            Unit.COUNT,
            ("worker",),
            ("worker",),
            Source.LOSSES,
            "1 for a worker whose lease ended within the window without its having stopped",
            windowed=True,
            absent=0.0,
            is_state=True,
        ),
        Metric(
            "missed_ticks",
            Unit.COUNT,
            ("schedule",),
            ("schedule",),
            Source.EVENTS,
            "ticks of a schedule that got no job in time",
            windowed=True,
            absent=0.0,
            is_state=True,
        ),
        Metric(
            "leader_changes",
            Unit.COUNT,
            (),
            (),
            Source.EVENTS,
            "times that a scheduler took the lead",
            windowed=True,
        ),
        Metric(
            "events_dropped",
            Unit.COUNT,
            (),
            (),
            Source.EVENTS,
            "events that no process could keep until they were stored",
            windowed=True,
            absent=0.0,
            is_state=True,
        ),
    )
}
"""All of them, by name."""
