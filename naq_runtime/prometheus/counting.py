"""Counters and histograms, made of the events as they come."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

from naq_runtime.events.codec import event_key
from naq_runtime.events.models import JobEvent, JobEventType, StoredEvent
from naq_runtime.events.storage import TailedEvents

__all__ = ["EventMetrics", "Names", "Pairs"]

_OTHER = "(other)"
_MOST_QUEUES, _MOST_FUNCTIONS, _MOST_TYPES, _MOST_PAIRS = 200, 500, 200, 1_000
_LONGEST = 200
_WAITS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 14_400)
_RUNS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
_ENDS = {JobEventType.COMPLETED, JobEventType.FAILED, JobEventType.TIMED_OUT}


class Names:
    """The values of a label: each name has one of its own until there are too many, and then they share one.

    Whoever may log events can make up names, and each would cost memory here and in Prometheus for good.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()

    def __getitem__(self, name: str) -> str:
        name = name[:_LONGEST]
        if name in self._known:
            return name
        if len(self._known) >= self._most:
            return _OTHER
        self._known.add(name)
        return name


class Pairs:
    """Queues and functions together, of which there are a few for each queue, and not all that could be."""

    def __init__(self) -> None:
        self._queues, self._functions = Names(_MOST_QUEUES), Names(_MOST_FUNCTIONS)
        self._known: set[tuple[str, str]] = set()

    def __getitem__(self, pair: tuple[str, str]) -> tuple[str, str]:
        queue, function = self._queues[pair[0]], self._functions[pair[1]]
        if (queue, function) not in self._known:
            if len(self._known) >= _MOST_PAIRS:
                return queue, _OTHER
            self._known.add((queue, function))
        return queue, function


class EventMetrics:
    """Counts what it is shown; each event must be shown once."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._pairs, self._types = Pairs(), Names(_MOST_TYPES)
        self._of_jobs = Counter("naq_job_events", "Events of jobs.", ("queue", "type", "function"), registry=registry)
        self._others = Counter(
            "naq_other_events", "Events of workers, schedules and processes.", ("category", "type"), registry=registry
        )
        self._waits = Histogram(
            "naq_job_wait_seconds",
            "From when a job could run until it did.",
            ("queue",),
            buckets=_WAITS,
            registry=registry,
        )
        self._runs = Histogram(
            "naq_job_run_seconds",
            "How long attempts took.",
            ("queue", "function"),
            buckets=_RUNS,
            registry=registry,
        )
        self._missed = Counter(
            "naq_events_missed",
            "Events that were stored, and removed before they could be counted here: the counters above lack them.",
            registry=registry,
        )

    def apply(self, batch: TailedEvents) -> None:
        """Count what has come."""
        if batch.missed:
            self._missed.inc(batch.missed)
        for stored in batch.events:
            self._count(stored)

    def _count(self, stored: StoredEvent) -> None:
        event = stored.event
        if not isinstance(event, JobEvent):
            category, _, kind = self._types[event_key(event)].partition(".")
            self._others.labels(category, kind).inc()
            return
        queue, function = self._pairs[event.queue_name, event.function_name or ""]
        self._of_jobs.labels(queue, str(event.event_type), function).inc()
        if event.event_type is JobEventType.STARTED and event.wait_ms is not None:
            self._waits.labels(queue).observe(event.wait_ms / 1000)
        elif event.event_type in _ENDS and event.duration_ms is not None:
            self._runs.labels(queue, function).observe(event.duration_ms / 1000)
