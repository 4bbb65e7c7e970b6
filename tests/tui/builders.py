"""Short ways to say what a test needs: events, records, snapshots and batches at round times."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from naq_runtime.alerts.record import Alert, AlertRecord, AlertState
from naq_runtime.clock import ManualClock
from naq_runtime.events.models import (
    AlertEvent,
    AlertEventType,
    Event,
    JobEvent,
    JobEventType,
    ScheduleEvent,
    ScheduleEventType,
    StoredEvent,
    SystemEvent,
    SystemEventType,
    WorkerEvent,
    WorkerEventType,
)
from naq_runtime.schedule import Schedule
from naq_runtime.snapshot import LeaderState, QueueState, ServerState, Snapshot
from naq_runtime.worker.record import WorkerRecord, WorkerState
from naq_tui.pages.blocks import Block, lay_out
from naq_tui.source import Batch, ConnectionState, Link

__all__ = [
    "LIVE",
    "NOW_NS",
    "SECOND",
    "alert_event",
    "alerts",
    "batch",
    "clock",
    "job_event",
    "leader",
    "link",
    "page_lines",
    "queue",
    "schedule",
    "schedule_event",
    "server",
    "snapshot",
    "stored",
    "system_event",
    "worker",
    "worker_event",
]

SECOND = 1_000_000_000
NOW_NS = 1_760_000_400 * SECOND
"""2025-10-09 09:00:00 UTC."""


def clock() -> ManualClock:
    """A clock that stands at `NOW_NS`."""
    return ManualClock(NOW_NS)


def link(state: ConnectionState = ConnectionState.LIVE, *, since_s: float = 60, detail: str = "") -> Link:
    """A link that has been in this state for so many seconds."""
    return Link(state, NOW_NS - int(since_s * SECOND), detail)


LIVE = link()


def job_event(
    kind: str = "completed", job_id: str = "job-1", queue_name: str = "default", *, ago_s: float = 0.5, **fields: Any
) -> JobEvent:
    """Something that happened to a job some seconds ago."""
    at = NOW_NS - int(ago_s * SECOND)
    return JobEvent(timestamp_ns=at, event_type=JobEventType(kind), job_id=job_id, queue_name=queue_name, **fields)


def worker_event(kind: str = "heartbeat", worker_id: str = "w-1", *, ago_s: float = 0.5, **fields: Any) -> WorkerEvent:
    """Something that happened to a worker some seconds ago."""
    at = NOW_NS - int(ago_s * SECOND)
    return WorkerEvent(timestamp_ns=at, event_type=WorkerEventType(kind), worker_id=worker_id, **fields)


def schedule_event(
    kind: str = "schedule_triggered", schedule_id: str = "nightly", *, ago_s: float = 0.5, **fields: Any
) -> ScheduleEvent:
    """Something that happened to a schedule some seconds ago."""
    at = NOW_NS - int(ago_s * SECOND)
    return ScheduleEvent(timestamp_ns=at, event_type=ScheduleEventType(kind), schedule_id=schedule_id, **fields)


def system_event(kind: str = "connection_lost", *, ago_s: float = 0.5, **fields: Any) -> SystemEvent:
    """Something that happened to a process some seconds ago."""
    at = NOW_NS - int(ago_s * SECOND)
    return SystemEvent(timestamp_ns=at, event_type=SystemEventType(kind), instance="i-1", **fields)


def stored(events: Iterable[Event], first: int = 1) -> tuple[StoredEvent, ...]:
    """The events, numbered as the log numbers them."""
    return tuple(StoredEvent(sequence, event) for sequence, event in enumerate(events, first))


def queue(name: str = "default", waiting: int = 0, running: int = 0, **fields: Any) -> QueueState:
    """A queue's depths, and what holds it back."""
    return QueueState(name=name, waiting=waiting, running=running, **fields)


def worker(worker_id: str = "w-1", *, started_ago_s: float = 600, beat_ago_s: float = 1, **fields: Any) -> WorkerRecord:
    """A worker's lease."""
    settings: dict[str, Any] = {
        "state": WorkerState.BUSY,
        "hostname": "host-a",
        "pid": 4711,
        "queue_names": ("default",),
        "concurrency_limit": 8,
        "active_jobs": 3,
        "heartbeat_interval": 5.0,
    }
    return WorkerRecord(
        worker_id=worker_id,
        started_at_ns=NOW_NS - int(started_ago_s * SECOND),
        beat_at_ns=NOW_NS - int(beat_ago_s * SECOND),
        **(settings | fields),
    )


def schedule(schedule_id: str = "nightly", *, in_s: float = 12, ago_s: float | None = None, **fields: Any) -> Schedule:
    """A schedule that comes every 30 seconds, is due in some, and made its last job some seconds ago."""
    settings: dict[str, Any] = {
        "queue_name": "mail",
        "function_name": "shop.mail.send_newsletter",
        "payload": b"",
        "every_ns": 30 * SECOND,
        "next_ns": NOW_NS + int(in_s * SECOND),
        "last_run_ns": 0 if ago_s is None else NOW_NS - int(ago_s * SECOND),
    }
    return Schedule(schedule_id=schedule_id, **(settings | fields))


def leader(instance_id: str = "sch-1", *, since_s: float = 5000, silent_s: float = 0.4, **fields: Any) -> LeaderState:
    """A scheduler that has led for so many seconds."""
    settings: dict[str, Any] = {"term": 3, "lease_s": 3.0, "hostname": "app-1", "pid": 4711}
    since_ns = NOW_NS - int(since_s * SECOND)
    return LeaderState(instance_id=instance_id, since_ns=since_ns, silent_s=silent_s, **(settings | fields))


def server() -> ServerState:
    """The server of all tests."""
    return ServerState(name="nats-1", version="2.14.1", url="nats://127.0.0.1:4222", rtt_ms=0.3)


def alert_event(
    kind: str = "alert_firing", alert: str = "mail-failures", *, ago_s: float = 0.5, **fields: Any
) -> Event:
    """An alert that began some seconds ago, or is over."""
    at = NOW_NS - int(ago_s * SECOND)
    return AlertEvent(timestamp_ns=at, event_type=AlertEventType(kind), alert=alert, **fields)


def alerts(at_ns: int = NOW_NS) -> tuple[AlertRecord, ...]:
    """Rules in all states, as of a moment."""
    due_ns = at_ns + 30 * SECOND

    def record(name: str, rule: str, *firing: Alert, **fields: Any) -> AlertRecord:
        return AlertRecord(name=name, rule=rule, alerts=firing, as_of_ns=at_ns, due_ns=due_ns, by="sch-1", **fields)

    def alert(state: str, ago_s: int, value: float | None, **labels: str) -> Alert:
        since_ns = at_ns - ago_s * SECOND
        fired_ns = since_ns if state == "firing" else 0
        return Alert(labels=labels, state=AlertState(state), since_ns=since_ns, fired_ns=fired_ns, value=value)

    seen = msgspec.structs.replace(alert("firing", 60, None, worker="worker-x"), acknowledged_by="ada")
    clearing = msgspec.structs.replace(alert("firing", 900, 0.034, queue="mail"), clear_since_ns=at_ns - SECOND)
    return (
        record("depth", "queue_depth > 10000"),
        record("late", "queue_age > 1m for 5m", alert("pending", 130, 71.5, queue="reports"), state=AlertState.PENDING),
        record(
            "mail-failures",
            "failed_rate{queue=mail} > 5% for 2m clear < 4%",
            clearing,
            text="look at the relay: {value} of {queue}",
        ),
        record("quiet", "failed_rate{queue=news} > 5%", state=AlertState.NO_DATA),
        record("worker-lost", "worker_lost", seen, severity="critical", silenced_until_ns=at_ns + 600 * SECOND),
    )


def snapshot(
    queues: Iterable[QueueState] = (), workers: Iterable[WorkerRecord] = (), alerts: Iterable[AlertRecord] = ()
) -> Snapshot:
    """A snapshot of now."""
    return Snapshot(
        taken_at_ns=NOW_NS, server=server(), queues=tuple(queues), workers=tuple(workers), alerts=tuple(alerts)
    )


def page_lines(blocks: Iterable[Block], width: int = 100) -> list[str]:
    """A page of sections as text, nothing of it folded or unfolded by hand."""
    return ["".join(piece for piece, _ in line.spans).rstrip() for line in lay_out(blocks, (), width).lines]


def batch(
    *events: Event, first: int = 1, missed: int = 0, snapshot: Snapshot | None = None, link: Link = LIVE
) -> Batch:
    """A batch of these events."""
    return Batch(link, stored(events, first), missed, snapshot)
