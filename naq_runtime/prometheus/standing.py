"""Gauges of what stands: asked of the server at an interval, and left out when that cannot be done."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from naq_runtime.processing.overview import ProcessorState
from naq_runtime.snapshot import LeaderState, QueueBacklog, Snapshot
from naq_runtime.worker.record import WorkerState

__all__ = ["Standing", "StandingMetrics"]


class Standing(NamedTuple):
    """What was seen at one moment."""

    snapshot: Snapshot
    backlogs: Mapping[str, QueueBacklog]
    """By queue."""
    leader: LeaderState | None = None
    """The scheduler that leads, or led last."""
    processors: tuple[ProcessorState, ...] = ()


class StandingMetrics(Collector):
    """Says what was seen last; nothing but ``naq_up 0`` after the server could not be asked."""

    def __init__(self) -> None:
        self._last: Standing | None = None

    def saw(self, standing: Standing | None) -> None:
        """Say this from now on; ``None`` when the server cannot be asked."""
        self._last = standing

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that it need not be collected to be registered."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """The gauges."""
        standing = self._last  # one look: it may change meanwhile
        yield GaugeMetricFamily("naq_up", "Whether the server answers.", value=standing is not None)
        if standing is not None:
            yield GaugeMetricFamily(
                "naq_server_rtt_seconds", "One round trip.", value=standing.snapshot.server.rtt_ms / 1000
            )
            yield from _queues(standing)
            yield from _workers(standing.snapshot)
            yield _leader(standing.leader)
            yield from _streams(standing.snapshot)
            yield _alerts(standing.snapshot)
            yield from _processors(standing.processors)


def _queues(standing: Standing) -> Iterable[Metric]:
    jobs = GaugeMetricFamily("naq_queue_jobs", "Jobs of a queue that have not ended.", labels=("queue", "state"))
    paused = GaugeMetricFamily("naq_queue_paused", "Whether it is paused.", labels=("queue",))
    oldest = GaugeMetricFamily(
        "naq_queue_oldest_seconds",
        "How long the oldest has waited that no worker has had; 0 for none.",
        labels=("queue",),
    )
    dead = GaugeMetricFamily("naq_queue_dead", "Dead letters of a queue.", labels=("queue",))
    for queue in standing.snapshot.queues:
        backlog = standing.backlogs.get(queue.name, QueueBacklog())
        jobs.add_metric((queue.name, "waiting"), queue.waiting)
        jobs.add_metric((queue.name, "running"), queue.running)
        jobs.add_metric((queue.name, "scheduled"), backlog.scheduled)
        jobs.add_metric((queue.name, "depending"), backlog.depending)
        dead.add_metric((queue.name,), backlog.dead)
        paused.add_metric((queue.name,), queue.paused)
        oldest.add_metric((queue.name,), backlog.oldest_s)
    return jobs, dead, paused, oldest


def _leader(leader: LeaderState | None) -> Metric:
    leads = GaugeMetricFamily("naq_scheduler_leads", "The scheduler that leads.", labels=("scheduler",))
    if leader is not None and leader.leads:
        leads.add_metric((leader.instance_id,), 1)
    return leads


def _workers(snapshot: Snapshot) -> Iterable[Metric]:
    workers = GaugeMetricFamily("naq_workers", "Workers whose lease stands.", labels=("state",))
    states = Tally(str(record.state) for record in snapshot.workers)
    for state in WorkerState:
        workers.add_metric((str(state),), states[str(state)])
    slots = GaugeMetricFamily("naq_worker_slots", "Jobs that all workers together could run at a time.")
    slots.add_metric((), sum(record.concurrency_limit for record in snapshot.workers))
    running = GaugeMetricFamily("naq_jobs_running", "Jobs that run, as their workers say.")
    running.add_metric((), sum(record.active_jobs for record in snapshot.workers))
    return workers, slots, running


def _streams(snapshot: Snapshot) -> Iterable[Metric]:
    messages = GaugeMetricFamily("naq_stream_messages", "Messages in a stream.", labels=("stream",))
    size = GaugeMetricFamily("naq_stream_bytes", "Bytes of a stream.", labels=("stream",))
    for stream in snapshot.streams:
        messages.add_metric((stream.name,), stream.messages)
        size.add_metric((stream.name,), stream.bytes)
    return messages, size


def _alerts(snapshot: Snapshot) -> Metric:
    firing = GaugeMetricFamily("naq_alerts_firing", "Alerts of a rule that fire.", labels=("alert", "severity"))
    for record in snapshot.alerts:
        firing.add_metric((record.name, record.severity), len(record.firing))
    return firing


def _processors(processors: Iterable[ProcessorState]) -> Iterable[Metric]:
    waiting = GaugeMetricFamily("naq_processor_waiting", "Events that a processor has not had.", labels=("processor",))
    dead = GaugeMetricFamily("naq_processor_dead", "Events that a processor has given up.", labels=("processor",))
    for processor in processors:
        waiting.add_metric((processor.name,), processor.progress.waiting)
        dead.add_metric((processor.name,), processor.dead)
    return waiting, dead
