"""How it went in one group: throughput with failures below, then how long jobs ran and waited."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

from textual.content import Content

from naq_tui.commands import Scope
from naq_tui.model.seconds import SECOND_NS
from naq_tui.model.statistics import Course
from naq_tui.text import clock_text, count_text, fit, inert
from naq_tui.widgets.braille import area
from naq_tui.widgets.latency import duration_rows, round_above
from naq_tui.widgets.line import EMPTY, Line, LineWidget, Tone

__all__ = ["TrendChart", "trend_picture"]

_LABEL = 12
_NOTHING = (EMPTY, Line(((" nothing ended in this time", "dim"),)))
_MINUTE_S = 60


class TrendChart(LineWidget):
    """A picture of the row with the cursor; it is drawn again when that, the answer or the size has changed."""

    SCOPES: ClassVar[tuple[Scope, ...]] = ()

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._course: Course | None = None
        self._drawn: tuple[Course | None, tuple[int, int], tuple[Line, ...]] | None = None

    def show(self, name: str, course: Course | None) -> None:
        """Show how it went in the group of this name; ``None`` for nothing."""
        self._course = course
        self.set_border(Content.assemble("Over time ", (inert(name, 60), "$foreground 60%")), _legend())
        self.repaint()

    def line(self, y: int) -> Line:
        """A row of the picture."""
        lines = self._lines()
        return lines[y] if y < len(lines) else EMPTY

    def _lines(self) -> tuple[Line, ...]:
        size = (self.size.width, self.size.height)
        if self._drawn is None or self._drawn[0] is not self._course or self._drawn[1] != size:
            lines = () if self._course is None else trend_picture(self._course, *size)
            self._drawn = (self._course, size, lines)
        return self._drawn[2]


def _legend() -> Content:
    return Content.assemble(
        ("⣿", "$success"),
        " done  ",
        ("⣿", "$error"),
        " errors  ",
        ("⣿", "$primary"),
        " p50  ",
        ("⢕", "$primary"),
        " p95",
    )


def trend_picture(course: Course, width: int, height: int) -> tuple[Line, ...]:
    """The charts of a group in so many cells; where there is little room, only some of them."""
    if not any(course.completed) and not any(course.failed) and not any(course.wait):
        return _NOTHING
    cells = max(2, width - _LABEL - 2)
    places = [index * len(course.completed) // (2 * cells) for index in range(2 * cells)]
    rows = height - 1
    parts = [*_throughput(course, places, max(1, rows if rows < 7 else rows * 2 // 5 if rows < 11 else rows * 4 // 11))]
    left = rows - len(parts)
    waits = left >= 6 or rows >= 11
    if rows >= 7:
        run_rows = left - left // 2 if waits else left
        parts += duration_rows("run", [course.run[place] for place in places], run_rows, _LABEL)
        if waits:
            parts += duration_rows("wait", [course.wait[place] for place in places], left - run_rows, _LABEL)
    return (*parts, _axis(course, cells))


def _throughput(course: Course, places: Sequence[int], rows: int) -> Iterator[Line]:
    completed, failed = ([values[place] for place in places] for values in (course.completed, course.failed))
    below = 0 if rows < 3 or not any(failed) else max(1, rows // 4)
    scale, unit = _unit(max(completed))
    highest = round_above(max(completed) * scale) or 1.0
    drawn = area([value * scale for value in completed], rows - below, highest)
    for index, text in enumerate(drawn):
        yield _row(f"done {_said(highest)}{unit}" if index == 0 else "", text, "good")
    if below:
        scale, unit = _unit(max(failed))
        highest = round_above(max(failed) * scale)
        hanging = area([value * scale for value in failed], below, highest, hanging=True)
        for index, text in enumerate(hanging):
            yield _row(f"errors {_said(highest)}{unit}" if index == below - 1 else "", text, "bad")


def _row(label: str, text: str, tone: Tone) -> Line:
    return Line(((fit(label, _LABEL, "right") + " ", "dim"), (text, tone)))


def _said(rate: float) -> str:
    """A round number, as short as it is."""
    return f"{rate:g}" if rate < 1000 else count_text(round(rate))


def _unit(rate: float) -> tuple[float, str]:
    """What rates are multiplied with to be said well, and the unit."""
    if rate >= 0.5:
        return 1.0, "/s"
    return (60.0, "/m") if rate * _MINUTE_S >= 0.5 else (3600.0, "/h")


def _axis(course: Course, cells: int) -> Line:
    """When it was: local times, and ``now`` at the right end."""
    line = ["─"] * cells
    length_ns = course.step_ns * len(course.completed)
    write = _writer(line)
    count = max(1, min(6, cells // 16))
    for index in range(count):
        at = index * cells // count
        time_ns = course.first_ns + length_ns * at // cells
        write(clock_text(time_ns)[: 8 if course.step_ns < 60 * SECOND_NS else 5], at)
    write("now", cells - 3)
    return Line(((" " * (_LABEL + 1), "dim"), ("".join(line), "faint")))


def _writer(line: list[str]) -> Callable[[str, int], None]:
    def write(label: str, start: int) -> None:
        if start >= 0 and start + len(label) <= len(line):
            line[start : start + len(label)] = label

    return write
