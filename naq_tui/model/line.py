"""What one event says in the feed, field by field, without colours and widths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from naq_runtime.events.models import Event, JobEvent, StoredEvent, SystemEvent, WorkerEvent
from naq_tui.text import clock_text, inert

__all__ = ["Mood", "Said", "said", "search_text"]

Mood = Literal["neutral", "begin", "good", "bad", "warn", "quiet"]
"""How an event stands out: it decides the colour, beside the glyph."""

_JOB: dict[str, tuple[str, Mood]] = {
    "enqueued": ("+", "neutral"),
    "started": ("▸", "begin"),
    "completed": ("✓", "good"),
    "failed": ("✗", "bad"),
    "interrupted": ("↯", "warn"),
    "result_stored": ("≡", "quiet"),
}
_WORKER: dict[str, tuple[str, Mood]] = {
    "started": ("▲", "good"),
    "stopped": ("▼", "warn"),
    "heartbeat": ("·", "quiet"),
    "busy": ("◆", "quiet"),
    "idle": ("◇", "quiet"),
    "error": ("!", "bad"),
}
_SYSTEM: dict[str, tuple[str, Mood]] = {
    "connection_lost": ("○", "bad"),
    "connection_restored": ("●", "good"),
    "events_dropped": ("!", "warn"),
}
_UNKNOWN: tuple[str, Mood] = ("?", "quiet")
_SHORT = {
    "result_stored": "result",
    "connection_lost": "link lost",
    "connection_restored": "link back",
    "events_dropped": "dropped",
}


@dataclass(frozen=True, slots=True)
class Said:
    """The fields of a line of the feed; all of them inert, empty when there is nothing to say."""

    time_ns: int
    glyph: str
    kind: str
    mood: Mood
    job_id: str
    queue: str
    worker: str
    message: str
    function: str = ""
    """The dotted name with which the message of a job begins."""

    @property
    def brief(self) -> str:
        """The message with the function's own name only."""
        return self.message.replace(self.function, self.function.rpartition(".")[2], 1)


def _said(event: Event, glyph: tuple[str, Mood], job_id: str = "", queue: str = "", worker: str | None = None) -> Said:
    kind = str(event.event_type)
    return Said(
        time_ns=event.timestamp_ns,
        glyph=glyph[0],
        kind=_SHORT.get(kind) or inert(kind, 24),
        mood=glyph[1],
        job_id=inert(job_id, 64),
        queue=inert(queue, 64),
        worker=inert(worker or "", 64),
        message=inert(event.message),
        function=inert(getattr(event, "function_name", None) or ""),
    )


def said(stored: StoredEvent) -> Said:
    """What an event says."""
    event = stored.event
    if isinstance(event, JobEvent):
        return _said(event, _JOB.get(event.event_type.value, _UNKNOWN), event.job_id, event.queue_name, event.worker_id)
    if isinstance(event, WorkerEvent):
        return _said(event, _WORKER.get(event.event_type.value, _UNKNOWN), worker=event.worker_id)
    if isinstance(event, SystemEvent):
        return _said(event, _SYSTEM.get(event.event_type.value, _UNKNOWN))
    return _said(event, _UNKNOWN)


def search_text(stored: StoredEvent) -> str:
    """The text that a filter is looked for in: the line, with the whole job id and the full name of the event."""
    event = stored.event
    time = clock_text(event.timestamp_ns, milliseconds=True)
    kind = event.event_type
    if isinstance(event, JobEvent):
        return f"{time} {kind} {event.job_id} {event.queue_name} {event.worker_id or '-'} {event.message}"
    if isinstance(event, WorkerEvent):
        return f"{time} {kind} - - {event.worker_id} {event.message}"
    return f"{time} {kind} - - - {event.message}"
