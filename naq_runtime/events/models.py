"""The events: what they are called, what they say, and how they read as one line of text.

An event is one JSON object. Its ``category`` tells the model, ``v`` the version of the schema; fields that have
nothing to say are left out. Readers ignore fields they do not know, and read an event of an unknown kind as an
`OtherEvent`, so that old readers survive new writers. Times are integer nanoseconds of UTC by the emitter's clock, and
where that is wrong, ``clock_offset_ns`` says by how much; durations come from a monotonic clock.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct, field

from naq_runtime.clock import nanoseconds_of
from naq_runtime.events.messages import (
    alert_message,
    job_message,
    schedule_message,
    system_message,
    worker_message,
)
from naq_runtime.events.types import AlertEventType, JobEventType, ScheduleEventType, SystemEventType, WorkerEventType

__all__ = [
    "SCHEMA_VERSION",
    "AlertEvent",
    "AlertEventType",
    "Event",
    "EventBase",
    "JobEvent",
    "JobEventType",
    "OtherEvent",
    "ScheduleEvent",
    "ScheduleEventType",
    "StoredEvent",
    "SystemEvent",
    "SystemEventType",
    "WorkerEvent",
    "WorkerEventType",
    "happened_ns",
]

SCHEMA_VERSION = 1

_LATEST_NS = 2**63 - 1
Count = Annotated[int, Meta(ge=0, le=_LATEST_NS)]
Offset = Annotated[int, Meta(ge=-(2**62), le=2**62)]
Skew = Annotated[float, Meta(ge=-1e13, le=1e13)]
"""Milliseconds."""


def _schema_version() -> int:
    # A factory other than list, dict or set is always encoded, even under omit_defaults.
    return SCHEMA_VERSION


def _corrected(time_ns: int, offset_ns: int) -> int:
    return max(0, min(time_ns + offset_ns, _LATEST_NS))


class EventBase(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="category"):
    """What all events share."""

    timestamp_ns: Count
    """When it happened, by the emitter's clock."""
    event_id: str = ""
    """``<emitter>-<number>``: unique, and counting up for each emitter."""
    v: int = field(default_factory=_schema_version)
    """Version of the schema."""
    clock_offset_ns: Offset = 0
    """How far the server's clock was ahead of the emitter's; 0 where the two were nearly the same."""

    @property
    def moment_ns(self) -> int:
        """When it happened, by the clock of the server, by which events of several emitters can be compared."""
        return _corrected(self.timestamp_ns, self.clock_offset_ns) if self.clock_offset_ns else self.timestamp_ns

    def on_server(self, time_ns: int) -> int:
        """Another time of this event, such as ``run_at_ns``, by the clock of the server."""
        return _corrected(time_ns, self.clock_offset_ns)

    @property
    def timestamp(self) -> float:
        """When it happened, in seconds since 1970 UTC."""
        return self.timestamp_ns / 1e9


class JobEvent(EventBase, tag="job", frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Something happened to a job."""

    event_type: JobEventType
    job_id: str
    queue_name: str
    function_name: str | None = None
    """``module.qualname``."""
    worker_id: str | None = None
    attempt: Count | None = None
    """1 for the first."""
    args_count: Count | None = None
    kwargs_count: Count | None = None
    wait_ms: float | None = None
    """Between becoming runnable and starting, by the clock of the server."""
    duration_ms: float | None = None
    """Of the execution, by the worker's monotonic clock."""
    result_size: Count | None = None
    """Bytes of the encoded result; 0 for none."""
    error_type: str | None = None
    error_message: str | None = None
    traceback: str | None = None
    """The formatted traceback, its middle left out above 8,000 characters."""
    final: bool | None = None
    """True when no retry follows."""
    reason: str | None = None
    retry_count: Count | None = None
    """How many retries there have been, this one included."""
    retry_delay: float | None = None
    """Seconds until the retry."""
    run_at_ns: Count | None = None
    """When a scheduled job or a retry becomes runnable."""
    depends_on: tuple[str, ...] = ()
    """The jobs that it waits for."""
    dependency_id: str | None = None
    """The job that ended."""
    state: str | None = None
    """Where it stood when it was cancelled: ``queued``, ``scheduled``, ``waiting`` or ``running``."""
    by: str | None = None
    """Who cancelled or requeued it, or has its outcome."""
    done: float | None = None
    """Progress, of ``total``."""
    total: float | None = None
    text: str | None = None
    """The message of a progress report, or a line of the job's log."""
    level: str | None = None
    """Of a line of the log: ``INFO``, ``WARNING`` …"""
    trace: str | None = None
    """The W3C ``traceparent`` of whoever enqueued it."""

    @property
    def message(self) -> str:
        """What happened, in one line of text."""
        return job_message(self)


class WorkerEvent(EventBase, tag="worker", frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Something happened to a worker."""

    event_type: WorkerEventType
    worker_id: str
    hostname: str | None = None
    pid: Count | None = None
    queue_names: tuple[str, ...] = ()
    concurrency_limit: Count | None = None
    version: str | None = None
    modules: tuple[str, ...] = ()
    active_jobs: Count | None = None
    running_job_ids: tuple[str, ...] = ()
    """At most 100 of them."""
    jobs_completed: Count | None = None
    jobs_failed: Count | None = None
    jobs_interrupted: Count | None = None
    stuck_job_ids: tuple[str, ...] = ()
    """Jobs that were given up, and whose threads still run."""
    cpu_percent: float | None = None
    """Of one core."""
    rss_bytes: Count | None = None
    loop_lag_ms: float | None = None
    """The worst delay of the event loop since the last beat."""
    events_buffered: Count | None = None
    events_dropped: Count | None = None
    clock_skew_ms: Skew | None = None
    """How far its clock is ahead of that of the server, as far as it knows."""
    reason: str | None = None
    error_type: str | None = None
    error_message: str | None = None

    @property
    def message(self) -> str:
        """What happened, in one line of text."""
        return worker_message(self)


class ScheduleEvent(EventBase, tag="schedule", frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Something happened to a schedule."""

    event_type: ScheduleEventType
    schedule_id: str
    queue_name: str | None = None
    function_name: str | None = None
    job_id: str | None = None
    """Of the tick."""
    cron: str | None = None
    interval: float | None = None
    """Seconds between two ticks."""
    timezone: str | None = None
    repeat: Count | None = None
    """How many jobs are left to make."""
    next_ns: Count | None = None
    """When it is due next."""
    scheduled_ns: Count | None = None
    """When the tick was due."""
    actual_ns: Count | None = None
    """When its job was in its queue."""
    lag_ms: float | None = None
    """Between the two."""
    tick: Count | None = None
    """Which job of the schedule this is, from 1."""
    count: Count | None = None
    """Of ticks that were missed."""
    caught_up: Count | None = None
    """How many of these got their jobs after all."""
    policy: str | None = None
    """What decided so: the policy for missed ticks, or ``overlap`` and that policy."""
    changes: dict[str, str] | None = None
    """What was modified: new values by name."""
    reason: str | None = None
    error_type: str | None = None
    error_message: str | None = None
    by: str | None = None
    """Who managed it: the role and instance of a process."""
    term: Count | None = None
    """Of the leader."""

    @property
    def message(self) -> str:
        """What happened, in one line of text."""
        return schedule_message(self)


class SystemEvent(EventBase, tag="system", frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Something happened to a process of ours, or to its connection."""

    event_type: SystemEventType
    instance: str
    """The emitter: one a process."""
    role: str | None = None
    """``worker``, ``producer``, ``scheduler`` …"""
    hostname: str | None = None
    pid: Count | None = None
    version: str | None = None
    """Of naq."""
    outage_ms: float | None = None
    """How long the connection was gone, or a part in trouble, by the monotonic clock."""
    part: str | None = None
    """What is in trouble: ``events`` or ``outcomes``, which cannot be stored, ``config``, which cannot be read,
    ``statistics``, which cannot be rolled up, or ``processor NAME``, which waits for something.
    """
    key: str | None = None
    """The setting that was changed, such as ``worker.concurrency``."""
    old: str | None = None
    """What it was; secrets are hidden."""
    new: str | None = None
    """What it is now."""
    error_type: str | None = None
    error_message: str | None = None
    cpu_percent: float | None = None
    """Of one core, since the metrics before."""
    rss_bytes: Count | None = None
    open_files: Count | None = None
    """Sockets included."""
    loop_lag_ms: float | None = None
    """The worst delay of the event loop since the metrics before."""
    events_buffered: Count | None = None
    """Events that wait to be stored."""
    events_buffered_bytes: Count | None = None
    events_stored: Count | None = None
    """Since the process began, as the next two."""
    events_dropped: Count | None = None
    failed_flushes: Count | None = None
    """Times that events could not be stored at once."""
    clock_skew_ms: Skew | None = None
    """How far its clock is ahead of that of the server, as far as it knows."""
    dropped: dict[str, int] | None = None
    """How many events were dropped, by ``category.type``."""
    first_dropped_ns: Count | None = None
    last_dropped_ns: Count | None = None
    queue_name: str | None = None
    """The queue that was paused, resumed, purged or limited."""
    count: Count | None = None
    """How many jobs were purged."""
    concurrency_limit: Count | None = None
    """Jobs of the queue that may run at a time; 0 for no limit."""
    rate_limit: str | None = None
    """``100/60s``; empty for no limit."""
    term: Count | None = None
    """Which lead of a scheduler this is; each next one has a higher number."""
    reason: str | None = None
    """Why the queue was paused, the lead was lost, or the process ends."""

    @property
    def message(self) -> str:
        """What happened, in one line of text."""
        return system_message(self)


class AlertEvent(EventBase, tag="alert", frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An alert began, is over, or has somebody who cares for it. There is one for each rule and each set of labels."""

    event_type: AlertEventType
    alert: str
    """The name of its rule."""
    rule: str = ""
    """What it says."""
    severity: str = field(default_factory=lambda: "warning")  # made, so that it is written whatever it is
    """``info``, ``warning`` or ``critical``."""
    labels: dict[str, str] | None = None
    """Of which queue, function, worker or schedule it is."""
    value: float | None = None
    """What was measured; left out when there was nothing to measure any more."""
    threshold: float | None = None
    """Above which, or below which, the alert fires."""
    unit: str | None = None
    """Of both: ``share`` (0 to 1), ``seconds``, ``count`` or ``rate`` (a second)."""
    since_ns: Count | None = None
    """From when on what the rule says has held, by the server's clock."""
    duration_ms: float | None = None
    """How long the alert fired, by the server's clock."""
    text: str | None = None
    """What the config has to say of it."""
    reason: str | None = None
    """Why it is over, when the condition has not cleared."""
    by: str | None = None
    """The scheduler that found it, or who acknowledged it."""

    @property
    def message(self) -> str:
        """What happened, in one line of text."""
        return alert_message(self)


class OtherEvent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An event of a kind that this version does not know: only what all events share."""

    timestamp_ns: Count
    event_type: str
    category: str = "other"
    event_id: str = ""
    v: int = 0
    clock_offset_ns: Offset = 0

    @property
    def moment_ns(self) -> int:
        """When it happened, by the clock of the server."""
        return _corrected(self.timestamp_ns, self.clock_offset_ns)

    @property
    def timestamp(self) -> float:
        """When it happened, in seconds since 1970 UTC."""
        return self.timestamp_ns / 1e9

    @property
    def message(self) -> str:
        """That this version cannot say more."""
        return f"a {self.category} event of schema version {self.v}, newer than this reader"


Event = JobEvent | WorkerEvent | ScheduleEvent | SystemEvent | AlertEvent | OtherEvent


class StoredEvent(msgspec.Struct, frozen=True, gc=False):
    """An event and its place in the log."""

    sequence: int
    """Its number in the stream of events, counting up from 1."""
    event: Event
    stored_at: str = ""
    """When the server stored it, as it writes that, RFC 3339; empty where that is not known."""

    @property
    def stored_ns(self) -> int | None:
        """The same in nanoseconds since 1970 UTC; ``None`` where that is not known."""
        return _stored_ns(self.stored_at)

    @property
    def happened_ns(self) -> int:
        """When it happened, by the clock of the server: not after it was stored, whatever its emitter thought."""
        return happened_ns(self.event.moment_ns, self.stored_at)


def happened_ns(moment_ns: int, stored_at: str) -> int:
    """See `StoredEvent.happened_ns`."""
    stored_ns = _stored_ns(stored_at)
    return moment_ns if stored_ns is None else min(moment_ns, stored_ns)


def _stored_ns(stored_at: str) -> int | None:
    try:
        return nanoseconds_of(stored_at) if stored_at else None
    except ValueError:
        return None  # whatever repeated the event, it was no server
