"""Where a job stands, in a word with its glyph."""

from __future__ import annotations

from naq_runtime.finding.found import DEAD
from naq_runtime.job import JobStatus
from naq_tui.model.line import Mark

__all__ = ["STANDINGS"]

STANDINGS: dict[str, Mark] = {
    JobStatus.QUEUED: ("+ queued", "neutral"),
    JobStatus.SCHEDULED: ("◷ scheduled", "neutral"),
    JobStatus.WAITING: ("⋯ waiting", "quiet"),
    JobStatus.RUNNING: ("▸ running", "begin"),
    JobStatus.COMPLETED: ("✓ completed", "good"),
    JobStatus.FAILED: ("✗ failed", "bad"),
    JobStatus.CANCELLED: ("⊘ cancelled", "warn"),
    DEAD: ("† dead", "bad"),
}
"""By state, and how it stands out."""
