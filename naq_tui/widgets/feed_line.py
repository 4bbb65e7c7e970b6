"""One event as a line of the feed, for any width."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from naq_tui.model.line import Mood, Said
from naq_tui.text import clip, clock_text, fit
from naq_tui.widgets.line import Span, Tone

__all__ = ["TONES", "feed_spans"]

TONES: dict[Mood, Tone] = {
    "neutral": "text",
    "begin": "begin",
    "good": "good",
    "bad": "bad",
    "warn": "warn",
    "quiet": "faint",
}


_ROOMY = 60
"""Cells for a message in which functions have their whole names; so all lines name them alike."""


class _Widths(NamedTuple):
    time: int
    kind: int
    job: int
    queue: int
    worker: int
    message: int


@lru_cache(maxsize=64)
def _widths(width: int) -> _Widths:
    """Cells of each field; 0 leaves it out."""
    time = 12 if width >= 100 else 8
    queue = 0 if width < 64 else 12 if width >= 110 else 10
    worker = 0 if width < 88 else 14 if width >= 110 else 10
    kind = 11
    fixed = 1 + time + 2 + 2 + kind + 1 + 8 + 2 + (queue + 2 if queue else 0) + (worker + 2 if worker else 0)
    return _Widths(time, kind, 8, queue, worker, max(0, width - fixed))


def _field(text: str, width: int, tone: Tone) -> Span:
    return (fit(text or "-", width) + "  ", tone if text else "faint")


def feed_spans(said: Said, width: int) -> tuple[Span, ...]:
    """The line in exactly ``width`` cells, or a few less."""
    widths = _widths(width)
    tone = TONES[said.mood]
    quiet = said.mood == "quiet"
    spans: list[Span] = [
        (" " + clock_text(said.time_ns, milliseconds=widths.time > 8) + "  ", "faint" if quiet else "dim"),
        (f"{said.glyph} {fit(said.kind, widths.kind)} ", tone),
        _field(said.job_id[:8], widths.job, "faint" if quiet else "text"),
    ]
    if widths.queue:
        spans.append(_field(said.queue, widths.queue, "faint" if quiet else "name"))
    if widths.worker:
        spans.append(_field(said.worker, widths.worker, "faint" if quiet else "dim"))
    message = said.message if widths.message >= _ROOMY else said.brief
    spans.append((clip(message or "-", widths.message), _message_tone(said)))
    return tuple(spans)


def _message_tone(said: Said) -> Tone:
    return "faint" if said.mood == "quiet" or not said.message else "text"
