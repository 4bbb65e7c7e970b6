"""The text of the question before an act, and the report after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len

from naq_tui.acts import Act
from naq_tui.performing import Performance
from naq_tui.text import clip, fit, inert, wrap
from naq_tui.widgets.line import EMPTY, Line, Span, Tone
from naq_tui.wording import named, wording_of

__all__ = ["progress_line", "question_page", "report_page"]

_LISTED = 1_000
"""Targets, or failures, that are shown one by one."""
_MARGIN = 2
_GAP = 2


def question_page(act: Act, width: int) -> list[Line]:
    """What will happen, and to what."""
    wording = wording_of(act)
    lines = [EMPTY, *_text(wording.what, width)]
    if wording.final:
        lines += _text("! This cannot be undone.", width, "warn")
    if act.of:
        lines += [EMPTY, *_text(f"all that match  {inert(act.of, 400)}", width, "accent")]
    if act.more:
        lines += _text("! There are more than were found so far: nothing is done to those.", width, "warn")
    rows = [("", target, act.about.get(target, "")) for target in act.targets[:_LISTED]]
    return [*lines, EMPTY, *_rows(rows, width, "dim"), *_more(len(act.targets) - _LISTED)]


def report_page(act: Act, performance: Performance, width: int) -> list[Line]:
    """What came of an act that was not done to all."""
    done, failures = len(performance.done), performance.failures
    left = len(act.targets) - performance.tried
    lines = [EMPTY]
    if done:
        lines += _text(f"✓ {wording_of(act).done.format(named(act, done))}", width, "good")
    if failures:
        lines += _text(f"✗ {len(failures):,} failed" if len(act.targets) > 1 else "✗ failed", width, "bad")
    if left:
        lines += _text(f"‖ {left:,} left as {'it is' if left == 1 else 'they are'}", width, "warn")
    rows = [("✗ ", failure.target, failure.reason) for failure in failures[:_LISTED]]
    return [*lines, EMPTY, *_rows(rows, width, "text"), *_more(len(failures) - _LISTED)]


def progress_line(performance: Performance, width: int) -> Line:
    """A bar of how far it has come."""
    total, tried, failed = len(performance.targets), performance.tried, len(performance.failures)
    figures = f"  {tried:,} of {total:,}"
    trouble = f"  ✗ {failed:,} failed" if failed else "  stopping" if performance.stopped else ""
    cells = max(4, width - 2 * _MARGIN - len(figures) - len(trouble))
    lit = tried * cells // total if total else cells
    return Line(
        (
            (" " * _MARGIN, "text"),
            ("━" * lit, "begin"),
            ("━" * (cells - lit), "faint"),
            (figures, "strong"),
            (trouble, "bad" if failed else "warn"),
        )
    )


def _text(text: str, width: int, tone: Tone = "text") -> Iterator[Line]:
    """A text, broken between words."""
    room = max(8, width - 2 * _MARGIN)
    line = ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if line and cell_len(longer) > room:
            yield _line(line, tone)
            longer = word
        *full, line = wrap(longer, room)
        yield from (_line(piece, tone) for piece in full)
    yield _line(line, tone)


def _line(text: str, tone: Tone) -> Line:
    return Line(((" " * _MARGIN, "text"), (text, tone)))


def _rows(rows: Sequence[tuple[str, str, str]], width: int, tone: Tone) -> Iterator[Line]:
    """A mark, a name, and what there is to say of it; in columns where there is room, else in two lines."""
    room = width - 2 * _MARGIN
    shown = [(mark, inert(name, 200), inert(about, 400)) for mark, name, about in rows]
    longest = max((cell_len(mark + name) for mark, name, _ in shown), default=0)
    beside = longest + _GAP + max((cell_len(about) for *_, about in shown), default=0) <= room
    for mark, name, about in shown:
        lead: list[Span] = [(" " * _MARGIN, "text"), (mark, "bad"), (clip(name, room - len(mark)), "name")]
        if beside:
            lead[2] = (fit(name, longest - len(mark)), "name")
            yield Line((*lead, (" " * _GAP + about, tone)))
            continue
        yield Line(tuple(lead))
        for piece in wrap(about, room - _GAP) if about else ():
            yield Line(((" " * (_MARGIN + _GAP), "text"), (piece, tone)))


def _more(count: int) -> list[Line]:
    return [_line(f"… {count:,} more", "dim")] if count > 0 else []
