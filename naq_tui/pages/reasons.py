"""What is known around a job, and what may hold it up. Values only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from naq_runtime.snapshot import QueueState
from naq_runtime.surroundings import Family, QueueStory
from naq_runtime.worker.record import WorkerRecord

__all__ = ["GLYPHS", "Cause", "Reason", "Situation"]

Cause = Literal["paused", "worker", "full", "limit", "rate", "jobs", "time", "retry", "line", "returned", "unknown"]
"""What kind of thing holds it up."""

GLYPHS: dict[Cause, str] = {
    "paused": "‖",
    "worker": "!",
    "full": "■",
    "limit": "≤",
    "rate": "≤",
    "jobs": "⋯",
    "time": "◷",
    "retry": "↻",
    "line": "≡",
    "returned": "↯",
    "unknown": "?",
}


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known around a job; what is not known is ``None``."""

    queue: QueueState | None = None
    """Its queue, as it stands now."""
    workers: Sequence[WorkerRecord] | None = None
    """All workers whose lease stands."""
    lost: Sequence[WorkerRecord] = ()
    """Workers that went without a word, as far as that is known; each as it was heard last."""
    story: QueueStory | None = None
    """Of its queue, while it waited."""
    family: Family | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that held it up, and how that is known; inert text."""

    cause: Cause
    text: str
    evidence: str = ""
