"""Events as plain values, and as one line of text."""

from __future__ import annotations

from typing import Any

import msgspec

from naq_runtime.events.models import StoredEvent
from naq_tui.model.line import said
from naq_tui.text import iso_text

__all__ = ["event_record", "event_text"]


def event_record(stored: StoredEvent) -> dict[str, Any]:
    """The event as plain values, with its sequence in the log, and its time in ISO 8601."""
    event = msgspec.to_builtins(stored.event)
    return {"sequence": stored.sequence, "time": iso_text(stored.event.moment_ns), **event}


def event_text(stored: StoredEvent) -> str:
    """The event in one line of inert text."""
    line = said(stored)
    fields = (iso_text(line.time_ns), line.kind, line.job_id, line.queue, line.worker, line.message)
    return "  ".join(field for field in fields if field)
