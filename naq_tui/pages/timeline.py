"""What a job spent its time on, drawn to scale."""

from __future__ import annotations

from collections.abc import Sequence

from naq_runtime.events.messages import duration_text
from naq_tui.pages.phases import Outcome, Phase, Wait
from naq_tui.text import clock_text, count_text, fit, inert
from naq_tui.widgets.line import Line, Span, Tone

__all__ = ["timeline"]

_LABEL, _TIME, _WORKER = 12, 11, 16
_FIRST, _LAST = 10, 20
"""Stretches that are drawn of very many; those between are only counted."""
_OUTCOMES: dict[Outcome, tuple[str, Tone]] = {
    "completed": ("✓", "good"),
    "failed": ("✗", "bad"),
    "timed_out": ("⊗", "bad"),
    "interrupted": ("↯", "warn"),
    "cancelled": ("⊘", "warn"),
    "lost": ("?", "warn"),
    "": ("▸", "begin"),
}
_WAITS: dict[Wait, str] = {"queue": "· waiting", "time": "◷ scheduled", "retry": "↻ waiting", "jobs": "⋯ for jobs"}


def timeline(found: Sequence[Phase], width: int) -> list[Line]:
    """A line for each stretch, with its bar on a common scale, and an axis below."""
    if not found:
        return [Line((("  nothing is known of when it ran", "dim"),))]
    start = min(phase.start_ns for phase in found)
    total = max(1, max(phase.end_ns for phase in found) - start)
    worker = _WORKER if width >= 84 else 0
    cells = max(8, width - _LABEL - _TIME - worker - 6)
    is_long = len(found) > _FIRST + _LAST + 1
    head, between, tail = (found[:_FIRST], found[_FIRST:-_LAST], found[-_LAST:]) if is_long else (found, (), ())
    lines = [_phase_line(phase, start, total, cells, worker) for phase in head]
    if between:
        lines.append(_between_line(between, start, total, cells))
    lines += [_phase_line(phase, start, total, cells, worker) for phase in tail]
    return [*lines, *_axis(start, total, cells)]


def _between_line(left_out: Sequence[Phase], start: int, total: int, cells: int) -> Line:
    """Stretches that are not drawn by themselves: where they lie, and how many runs there were."""
    first, last = left_out[0], left_out[-1]
    left = min(cells - 1, (first.start_ns - start) * cells // total)
    right = max(left + 1, min(cells, -(-(last.end_ns - start) * cells // total)))
    runs = sum(phase.kind == "running" for phase in left_out)
    bar = " " * left + "┈" * (right - left)
    return Line((("  " + fit(f"⋮ {count_text(runs)} runs", _LABEL), "dim"), (bar, "dim")))


def _phase_line(phase: Phase, start: int, total: int, cells: int, worker: int) -> Line:
    label, tone = _label(phase)
    spans: list[Span] = [("  " + fit(label, _LABEL), tone), *_bar(phase, start, total, cells, tone)]
    spans.append((fit(duration_text(phase.milliseconds), _TIME, "right"), "strong" if worker else "text"))
    if worker:
        spans.append(("  " + fit(inert(phase.worker, 64), worker - 2), "dim"))
    return Line(tuple(spans))


def _label(phase: Phase) -> tuple[str, Tone]:
    if phase.kind == "waiting":
        return _numbered(_WAITS[phase.wait], phase.attempt), "warn" if phase.outcome == "cancelled" else "dim"
    glyph, tone = _OUTCOMES[phase.outcome]
    return _numbered(f"{glyph} running", phase.attempt), tone


def _numbered(label: str, attempt: int) -> str:
    """With the number of an attempt after the first, which is not cut."""
    if attempt == 1:
        return label
    return f"{label if attempt < 10 else label.removesuffix('ning').removesuffix('ing')} {count_text(attempt)}"


def _bar(phase: Phase, start: int, total: int, cells: int, tone: Tone) -> list[Span]:
    left = min(cells - 1, (phase.start_ns - start) * cells // total)
    right = max(left + 1, min(cells, -(-(phase.end_ns - start) * cells // total)))
    if phase.kind == "running":
        body = "█" * (right - left)
    else:
        until = phase.planned_until_ns
        edge = right if until == phase.end_ns else (until - start) * cells // total
        planned = max(0, min(right, edge) - left)
        body = "┄" * planned + "░" * (right - left - planned)
    if phase.open:
        body = body[:-1] + "▸"
    return [(" " * left, "text"), (body, tone), (" " * (cells - right), "text")]


def _axis(start: int, total: int, cells: int) -> list[Line]:
    count = 4 if cells >= 56 else 2
    marks = "".join(("┬" if index % (cells // count) == 0 else "─") for index in range(cells - 1)) + "┐"
    labels = [" "] * cells
    end = "+" + duration_text(total / 1e6)
    for index in range(count):
        text = duration_text(total / 1e6 * index / count) if index else clock_text(start, milliseconds=True)
        place = index * (cells // count)
        if place + len(text) < cells - len(end):
            labels[place : place + len(text)] = text
    labels[cells - len(end) : cells] = end
    margin = " " * (_LABEL + 2)
    return [Line(((margin, "text"), (marks, "faint"))), Line(((margin, "text"), ("".join(labels[:cells]), "dim")))]
