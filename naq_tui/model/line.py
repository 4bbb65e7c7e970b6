"""What one event says in the feed, field by field, without colours and widths."""

from __future__ import annotations

from typing import Literal

import msgspec

from naq_runtime.events.models import (
    AlertEvent,
    AlertEventType,
    Event,
    JobEvent,
    ScheduleEvent,
    StoredEvent,
    SystemEvent,
    WorkerEvent,
)
from naq_tui.text import inert

__all__ = ["Mark", "Mood", "Said", "level_mark", "said"]

Mood = Literal["neutral", "begin", "good", "bad", "warn", "quiet"]
"""How an event stands out: it decides the colour, beside the glyph."""

Mark = tuple[str, Mood]
"""The glyph, and how it stands out."""

_JOB: dict[str, Mark] = {
    "enqueued": ("+", "neutral"),
    "scheduled": ("◷", "neutral"),
    "waiting_for_dependencies": ("⋯", "neutral"),
    "dependency_satisfied": ("⊕", "quiet"),
    "dependency_failed": ("⊖", "warn"),
    "started": ("▸", "begin"),
    "progress": ("◔", "quiet"),
    "log": ("»", "quiet"),
    "completed": ("✓", "good"),
    "failed": ("✗", "bad"),
    "timed_out": ("⊗", "bad"),
    "interrupted": ("↯", "warn"),
    "retry_scheduled": ("↻", "neutral"),
    "cancelled": ("⊘", "warn"),
    "dead_lettered": ("†", "warn"),
    "requeued": ("↺", "neutral"),
    "result_stored": ("≡", "quiet"),
    "result_fetched": ("⇣", "quiet"),
    "result_expired": ("◌", "quiet"),
}
_LEVELS: dict[str, Mark] = {
    "TRACE": ("·", "quiet"),
    "DEBUG": ("·", "quiet"),
    "INFO": ("»", "quiet"),
    "WARNING": ("!", "quiet"),
    "ERROR": ("‼", "warn"),
    "CRITICAL": ("‼", "warn"),
}
"""Only errors stand out among the lines of a log: a job may write thousands of the others."""
_WORKER: dict[str, Mark] = {
    "started": ("▲", "good"),
    "stopped": ("▼", "warn"),
    "heartbeat": ("·", "quiet"),
    "busy": ("◆", "quiet"),
    "idle": ("◇", "quiet"),
    "error": ("!", "bad"),
}
_SCHEDULE: dict[str, Mark] = {
    "scheduled": ("⊞", "neutral"),
    "schedule_triggered": ("◶", "begin"),
    "schedule_missed": ("◌", "warn"),
    "schedule_modified": ("✎", "neutral"),
    "schedule_paused": ("‖", "warn"),
    "schedule_resumed": ("▸", "good"),
    "schedule_cancelled": ("⊘", "warn"),
    "schedule_finished": ("■", "neutral"),
    "scheduler_error": ("‼", "bad"),
}
_SYSTEM: dict[str, Mark] = {
    "startup": ("▴", "quiet"),
    "shutdown": ("▾", "quiet"),
    "metrics": ("∿", "quiet"),
    "config_changed": ("≠", "neutral"),
    "error": ("‼", "bad"),
    "recovered": ("✓", "good"),
    "leader_elected": ("★", "good"),
    "leader_lost": ("☆", "bad"),
    "leader_resigned": ("☆", "warn"),
    "connection_lost": ("○", "bad"),
    "connection_restored": ("●", "good"),
    "events_dropped": ("!", "warn"),
    "queue_paused": ("‖", "warn"),
    "queue_resumed": ("▸", "good"),
    "queue_purged": ("⊘", "warn"),
    "queue_limited": ("≤", "neutral"),
}
_SEVERITY: dict[str, Mood] = {"critical": "bad", "warning": "warn", "info": "begin"}
_UNKNOWN: Mark = ("?", "quiet")
_SHORT = {
    "waiting_for_dependencies": "depends on",
    "dependency_satisfied": "dep met",
    "dependency_failed": "dep failed",
    "timed_out": "timed out",
    "retry_scheduled": "retry",
    "dead_lettered": "dead letter",
    "result_stored": "result",
    "result_fetched": "fetched",
    "result_expired": "expired",
    "config_changed": "config",
    "connection_lost": "link lost",
    "connection_restored": "link back",
    "events_dropped": "dropped",
    "queue_paused": "paused",
    "queue_resumed": "resumed",
    "queue_purged": "purged",
    "queue_limited": "limited",
    "schedule_triggered": "tick",
    "schedule_missed": "tick missed",
    "schedule_modified": "modified",
    "schedule_paused": "paused",
    "schedule_resumed": "resumed",
    "schedule_cancelled": "cancelled",
    "schedule_finished": "finished",
    "scheduler_error": "sched error",
    "alert_firing": "alert",
    "alert_resolved": "alert over",
    "alert_acknowledged": "alert seen",
    "leader_elected": "leads",
    "leader_lost": "lead lost",
    "leader_resigned": "lead left",
}


class Said(msgspec.Struct, frozen=True):
    """The fields of a line of the feed; all of them inert, empty when there is nothing to say."""

    time_ns: int
    glyph: str
    kind: str
    mood: Mood
    job_id: str
    """Or the schedule's, or the name of the alert."""
    queue: str
    worker: str
    message: str
    function: str = ""
    """The dotted name with which the message of a job begins."""

    @property
    def brief(self) -> str:
        """The message with the function's own name only."""
        return self.message.replace(self.function, self.function.rpartition(".")[2], 1)


def _said(event: Event, mark: Mark, job_id: str = "", queue: str = "", worker: str | None = None) -> Said:
    kind = str(event.event_type)
    return Said(
        time_ns=event.moment_ns,
        glyph=mark[0],
        kind=_SHORT.get(kind) or inert(kind, 24),
        mood=mark[1],
        job_id=inert(job_id, 64),
        queue=inert(queue, 64),
        worker=inert(worker or "", 64),
        message=inert(event.message),
        function=inert(getattr(event, "function_name", None) or ""),
    )


def level_mark(level: str | None) -> Mark:
    """How a line of a job's log of this level stands out in the feed."""
    return _LEVELS.get((level or "").upper(), _LEVELS["INFO"])


def _job_mark(event: JobEvent) -> Mark:
    kind = event.event_type.value
    if kind == "log":
        return level_mark(event.level)
    glyph, mood = _JOB.get(kind, _UNKNOWN)
    # What is tried again is no failure yet.
    return (glyph, "warn") if mood == "bad" and event.final is False else (glyph, mood)


def _alert_mark(event: AlertEvent) -> Mark:
    if event.event_type is AlertEventType.FIRING:
        return "⚑", _SEVERITY.get(event.severity, "warn")
    if event.event_type is AlertEventType.ACKNOWLEDGED:
        return "✓", "neutral"
    return "⚐", "good"


def said(stored: StoredEvent) -> Said:
    """What an event says."""
    event = stored.event
    if isinstance(event, JobEvent):
        return _said(event, _job_mark(event), event.job_id, event.queue_name, event.worker_id)
    if isinstance(event, WorkerEvent):
        return _said(event, _WORKER.get(event.event_type.value, _UNKNOWN), worker=event.worker_id)
    if isinstance(event, SystemEvent):
        return _said(event, _SYSTEM.get(event.event_type.value, _UNKNOWN), queue=event.queue_name or "")
    if isinstance(event, ScheduleEvent):
        mark = _SCHEDULE.get(event.event_type.value, _UNKNOWN)
        return _said(event, mark, event.schedule_id, event.queue_name or "")
    if isinstance(event, AlertEvent):
        labels = event.labels or {}
        return _said(event, _alert_mark(event), event.alert, labels.get("queue", ""), labels.get("worker"))
    return _said(event, _UNKNOWN)
