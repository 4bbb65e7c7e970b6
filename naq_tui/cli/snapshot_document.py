"""What ``naq-top --once --format json`` prints: the shape of the snapshot, for its schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from naq_runtime.schedule import ScheduleState
from naq_runtime.snapshot import ServerState, StreamState

__all__ = ["Snapshot"]


class _Part(Struct):
    """What has no default is always there; rates are a second, times in the unit that their names say."""


class Quantiles(_Part):
    """In milliseconds."""

    p50: float
    p95: float


class Rates(_Part):
    """What has happened lately, a second."""

    events_per_s: float
    enqueued_per_s: float
    jobs_per_s: float
    failed_per_s: float
    failed_share: float
    """Of the attempts that ended, 0 to 1."""
    retried_per_s: float
    cancelled_per_s: float
    wait_ms: Quantiles | None
    run_ms: Quantiles | None
    events_missed: int
    """Events that were gone before they could be read."""


class QueueNow(_Part):
    """A queue; what the server does not tell of it is ``null``."""

    name: str
    waiting: int | None
    running: int | None
    paused: bool | None
    workers: int | None
    concurrency_limit: int | None
    rate_limit: str | None
    in_per_s: float
    out_per_s: float
    failed_share: float
    failed: int
    retried: int
    cancelled: int
    wait_ms: Quantiles | None
    run_ms: Quantiles | None


class Leader(_Part, kw_only=True):
    """The scheduler that leads, or led last."""

    instance_id: str
    term: int
    lease_s: float
    hostname: str = ""
    pid: int = 0
    since_ns: int = 0
    schedules: int = 0
    silent_s: float = 0.0
    leads: bool
    """Whether it has renewed its lead in time."""


class ScheduleNow(_Part, kw_only=True):
    """A schedule; when it is due is said by ``cron`` and ``timezone``, by ``every`` in seconds, or by ``at``."""

    schedule_id: str
    state: ScheduleState
    queue_name: str
    function_name: str
    cron: str | UnsetType = UNSET
    timezone: str | UnsetType = UNSET
    every: str | UnsetType = UNSET
    at: str | UnsetType = UNSET
    next_ns: int | None
    last_run_ns: int | None
    last_job_id: str | None
    last_lag_ms: float | None
    ticks: int
    missed_ticks: int
    repeat_left: int | None


class Schedules(_Part):
    """How many schedules there are, and those that are due first."""

    total: int
    active: int
    paused: int
    failed: int
    soonest: list[ScheduleNow]


class FiringAlert(_Part):
    """An alert that fires."""

    alert: str
    rule: str
    severity: Literal["info", "warning", "critical"]
    labels: Mapping[str, str]
    value: float | None
    since_ns: int
    acknowledged_by: str | None


class Snapshot(_Part):
    """Everything, at one moment."""

    taken_at_ns: int
    server: ServerState
    rates: Rates
    queues: list[QueueNow]
    workers: list[dict[str, Any]]
    leader: Leader | None
    schedules: Schedules
    alerts: list[FiringAlert]
    streams: list[StreamState]
    events: list[dict[str, Any]]
