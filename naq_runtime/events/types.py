"""What can happen: the types of the events, by category."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["AlertEventType", "JobEventType", "ScheduleEventType", "SystemEventType", "WorkerEventType"]


class JobEventType(StrEnum):
    """What can happen to a job."""

    ENQUEUED = "enqueued"
    """Workers may have it now."""
    SCHEDULED = "scheduled"
    """It waits for its time."""
    WAITING_FOR_DEPENDENCIES = "waiting_for_dependencies"
    DEPENDENCY_SATISFIED = "dependency_satisfied"
    DEPENDENCY_FAILED = "dependency_failed"
    STARTED = "started"
    PROGRESS = "progress"
    LOG = "log"
    COMPLETED = "completed"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    INTERRUPTED = "interrupted"
    """Its worker gave it back unfinished; that costs no attempt."""
    RETRY_SCHEDULED = "retry_scheduled"
    CANCELLED = "cancelled"
    DEAD_LETTERED = "dead_lettered"
    REQUEUED = "requeued"
    """It was taken from the dead letters and put back into its queue."""
    RESULT_STORED = "result_stored"
    RESULT_FETCHED = "result_fetched"
    """Somebody who waited for its end has the outcome."""
    RESULT_EXPIRED = "result_expired"
    """Somebody asked for its outcome, which was stored and is kept no more."""


class WorkerEventType(StrEnum):
    """What can happen to a worker."""

    STARTED = "started"
    STOPPED = "stopped"
    HEARTBEAT = "heartbeat"
    BUSY = "busy"
    IDLE = "idle"
    ERROR = "error"
    LOST = "lost"
    """It has gone without a word; others say so, and when it was seen last."""


class ScheduleEventType(StrEnum):
    """What can happen to a schedule."""

    SCHEDULED = "scheduled"
    """It was made."""
    TRIGGERED = "schedule_triggered"
    """It was due, and its job is in its queue."""
    MISSED = "schedule_missed"
    """Ticks got no job in time, or none at all."""
    MODIFIED = "schedule_modified"
    PAUSED = "schedule_paused"
    RESUMED = "schedule_resumed"
    CANCELLED = "schedule_cancelled"
    FINISHED = "schedule_finished"
    """Nothing more is due."""
    ERROR = "scheduler_error"
    """It could not be kept; the others go on."""


class SystemEventType(StrEnum):
    """What can happen to a process or to its connection."""

    CONFIG_CHANGED = "config_changed"
    """A setting of a process that runs."""
    STARTUP = "startup"
    """The process emits from now on."""
    SHUTDOWN = "shutdown"
    """It ends on purpose; one that is killed says nothing."""
    METRICS = "metrics"
    """What it costs, at an interval."""
    ERROR = "error"
    """A part of it cannot do its work for now."""
    RECOVERED = "recovered"
    """That part works again."""

    LEADER_ELECTED = "leader_elected"
    """A scheduler leads from now on; the others stand by."""
    LEADER_LOST = "leader_lost"
    """It could not hold the lead."""
    LEADER_RESIGNED = "leader_resigned"

    CONNECTION_LOST = "connection_lost"
    CONNECTION_RESTORED = "connection_restored"
    EVENTS_DROPPED = "events_dropped"
    QUEUE_PAUSED = "queue_paused"
    QUEUE_RESUMED = "queue_resumed"
    QUEUE_PURGED = "queue_purged"
    QUEUE_LIMITED = "queue_limited"


class AlertEventType(StrEnum):
    """What can happen to an alert."""

    FIRING = "alert_firing"
    """What its rule says has held for long enough."""
    RESOLVED = "alert_resolved"
    """It is over."""
    ACKNOWLEDGED = "alert_acknowledged"
    """Somebody cares for it; it fires on."""
