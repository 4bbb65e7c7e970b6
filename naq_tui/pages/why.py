"""Why a job waits, as a section of its page."""

from __future__ import annotations

from collections.abc import Iterator

from naq_runtime.events.messages import duration_text
from naq_tui.pages.blocks import Block
from naq_tui.pages.reasons import Cause, Reason
from naq_tui.pages.waits import Explanation
from naq_tui.text import fit
from naq_tui.widgets.line import Line, Span, Tone

__all__ = ["CAUSE_MARKS", "why"]

CAUSE_MARKS: dict[Cause, tuple[str, Tone]] = {
    "paused": ("‖", "warn"),
    "worker": ("!", "bad"),
    "full": ("█", "warn"),
    "limit": ("≤", "warn"),
    "rate": ("≤", "warn"),
    "jobs": ("⋯", "begin"),
    "time": ("◷", "begin"),
    "retry": ("↻", "warn"),
    "line": ("≡", "text"),
    "returned": ("↯", "warn"),
    "unknown": ("?", "dim"),
}


def why(explanation: Explanation | None, width: int) -> Block | None:
    """What holds it up, the weightiest first, each with how that is known."""
    if explanation is None:
        return None
    wait = explanation.wait
    title = "Waits" if wait.open else "Waited"
    lines = [line for reason in explanation.reasons for line in _lines(reason, width)]
    return Block("why", title, lines, f"{duration_text(wait.milliseconds)}, because")


def _lines(reason: Reason, width: int) -> Iterator[Line]:
    """On one line where there is room for both."""
    glyph, tone = CAUSE_MARKS[reason.cause]
    lead: list[Span] = [(f"  {glyph} ", tone)]
    room = width - 5
    if not reason.evidence or len(reason.text) + 2 + len(reason.evidence) <= room:
        yield Line((*lead, (fit(reason.text, min(room, len(reason.text))), "text"), _evidence(reason, "  ")))
    else:
        yield Line((*lead, (fit(reason.text, room).rstrip(), "text")))
        yield Line((("    ", "text"), (fit(reason.evidence, room).rstrip(), "dim")))


def _evidence(reason: Reason, gap: str) -> Span:
    return (f"{gap}{reason.evidence}" if reason.evidence else "", "dim")
