"""Why a job waits, as a section of its page."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len

from naq_runtime.events.messages import duration_text
from naq_tui.pages.blocks import Block
from naq_tui.pages.reasons import GLYPHS, Cause, Reason
from naq_tui.pages.waits import Explanation
from naq_tui.text import clip, wrap
from naq_tui.widgets.line import Line, Span, Tone

__all__ = ["why"]

_TONES: dict[Cause, Tone] = {
    "paused": "warn",
    "worker": "bad",
    "full": "warn",
    "limit": "warn",
    "rate": "warn",
    "jobs": "begin",
    "time": "begin",
    "retry": "warn",
    "returned": "warn",
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
    lead: list[Span] = [(f"  {GLYPHS[reason.cause]} ", _TONES.get(reason.cause, "dim"))]
    room = width - 5
    if cell_len(reason.text) + 2 + cell_len(reason.evidence) <= room:
        yield Line((*lead, (reason.text, "text"), (f"  {reason.evidence}", "dim")))
        return
    yield Line((*lead, (clip(reason.text, room), "text")))
    for piece in wrap(reason.evidence, room) if reason.evidence else ():
        yield Line((("    ", "text"), (piece, "dim")))
