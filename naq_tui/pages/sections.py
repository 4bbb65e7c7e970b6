"""The sections of a job's page that its events fill: progress, cancellation, log."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from naq_runtime.events.models import JobEvent, JobEventType
from naq_runtime.job import JobStatus
from naq_tui.model.line import level_mark
from naq_tui.model.seconds import SECOND_NS
from naq_tui.pages.blocks import Block
from naq_tui.pages.code import plain_lines
from naq_tui.pages.history import History
from naq_tui.pages.life import ENDED
from naq_tui.text import age_text, clip, clock_text, count_text, fit, inert, inert_lines, percent_text, wrap
from naq_tui.widgets.columns import fitted
from naq_tui.widgets.line import EMPTY, Line, Span, Tone

__all__ = ["cancellation", "log", "progress", "section"]

_MOST_LOG_LINES = 400
_BAR = 60
_ROOMY = 84
_LEVEL_TONES: dict[str, Tone] = {
    "TRACE": "faint",
    "DEBUG": "faint",
    "INFO": "dim",
    "WARNING": "warn",
    "ERROR": "bad",
    "CRITICAL": "bad",
}
_BAR_TONES: dict[JobStatus, Tone] = {
    JobStatus.COMPLETED: "good",
    JobStatus.FAILED: "bad",
    JobStatus.CANCELLED: "warn",
}


def section(title: str, width: int, more: str = "") -> list[Line]:
    """The heading of a section."""
    about = f"  {more}" if more else ""
    rule = "─" * max(0, width - len(title) - len(about) - 4)
    return [EMPTY, Line((("  ", "text"), (title, "accent"), (about, "dim"), (" " + rule, "faint")))]


# Progress


def progress(history: History, width: int, now_ns: int) -> Block | None:
    """How far it says that it has come."""
    report = history.progress
    return None if report is None else Block("progress", "Progress", list(_report(history, report, width, now_ns)))


def _report(history: History, report: JobEvent, width: int, now_ns: int) -> Iterator[Line]:
    if report.done is not None:
        yield _bar_line(report.done, report.total, _BAR_TONES.get(history.detail.status, "begin"), width)
    age = "" if history.detail.status in ENDED else f"  {age_text((now_ns - report.moment_ns) / SECOND_NS)} ago"
    text = clip(inert(report.text or ""), max(0, width - len(age) - 4))
    if text or age:
        yield Line((("  " + text, "text"), (age if text else age.lstrip(), "dim")))


def _bar_line(done: float, total: float | None, tone: Tone, width: int) -> Line:
    if total is None or not math.isfinite(done) or not math.isfinite(total) or total <= 0:
        of = "" if total is None else f"/{_number(total)}"
        return Line(((f"  {_number(done)}{of}", "strong"), (" done", "dim")))
    share = min(max(done / total, 0.0), 9.99)
    figures = f"  {_number(done)}/{_number(total)}"
    percent = f"  {percent_text(share)}"
    cells = max(8, min(_BAR, width - len(figures) - len(percent) - 4))
    lit = min(cells, int(share * cells))
    return Line(
        (("  ", "text"), ("━" * lit, tone), ("━" * (cells - lit), "faint"), (figures, "strong"), (percent, tone))
    )


def _number(value: float) -> str:
    """As people write it: ``1,234`` or ``0.25``; only beyond all sense with an exponent."""
    if not math.isfinite(value) or abs(value) >= 1e15:
        return f"{value:g}"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"


# Cancellation


def cancellation(history: History, width: int, now_ns: int) -> Block:
    """Who cancelled it, where it stood then, and why."""
    return Block("cancelled", "Cancelled", list(_cancellation_lines(history, width, now_ns)))


def _cancellation_lines(history: History, width: int, now_ns: int) -> Iterator[Line]:
    event, result = history.last(JobEventType.CANCELLED), history.detail.result
    reason = (event.reason if event else None) or (result.error if result else None)
    if event is not None:
        age = age_text((now_ns - event.moment_ns) / SECOND_NS)
        who: Span = (f"  by {inert(event.by, 64)}", "strong") if event.by else ("  nobody gave a name", "dim")
        spans: list[Span] = [
            who,
            (f"  while {inert(event.state, 20)}" if event.state else "", "warn"),
            (f" on {inert(event.worker_id, 64)}" if event.worker_id else "", "text"),
            (f"  {clock_text(event.moment_ns, milliseconds=True)}  {age} ago", "dim"),
        ]
        yield Line(tuple(fitted(spans, width - 1)))
    yield from plain_lines(reason or "no reason was given", width, "text" if reason else "dim")


# Log


def log(history: History, width: int) -> Block | None:
    """What it wrote, the latest lines when it wrote too much."""
    written = history.all(JobEventType.LOG)
    if not written:
        return None
    about = f"{count_text(len(written))} lines" if len(written) > 1 else ""
    return Block("log", "Log", list(_written_lines(written, width)), about, text=lambda: _log_text(written))


def _log_text(written: Sequence[JobEvent]) -> str:
    lines = (
        f"{clock_text(event.moment_ns, milliseconds=True)} {inert(event.level or 'INFO', 12).upper()} {text}"
        for event in written
        for text in inert_lines(event.text or "", lines=20)
    )
    return "\n".join(lines)


def _written_lines(written: Sequence[JobEvent], width: int) -> Iterator[Line]:
    blocks: list[list[Line]] = []
    count = 0
    for event in reversed(written):
        blocks.append(list(_log_lines(event, width)))
        count += len(blocks[-1])
        if count >= _MOST_LOG_LINES:
            break
    if len(blocks) < len(written):
        yield Line(((f"  … {count_text(len(written) - len(blocks))} earlier", "dim"),))
    for block in reversed(blocks):
        yield from block


def _log_lines(event: JobEvent, width: int) -> Iterator[Line]:
    level = inert(event.level or "INFO", 12).upper()
    tone = _LEVEL_TONES.get(level, "dim")
    lead: list[Span] = [
        (f"  {clock_text(event.moment_ns, milliseconds=width >= _ROOMY)}  ", "dim"),
        (f"{level_mark(level)[0]} {fit(level, 8)} ", tone),
    ]
    used = sum(len(text) for text, _ in lead)
    texts = [piece for line in inert_lines(event.text or "", lines=20) for piece in wrap(line, width - used - 2)]
    text_tone: Tone = tone if tone in ("faint", "warn", "bad") else "text"
    for index, text in enumerate(texts):
        yield Line((*(lead if index == 0 else [(" " * used, "text")]), (text, text_tone)))
