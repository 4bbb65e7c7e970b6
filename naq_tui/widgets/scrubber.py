"""The time around a moment of the past: how much there was, what failed, and where we are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from textual import events
from textual.message import Message

from naq_runtime.events.messages import duration_text
from naq_tui.past import Density
from naq_tui.text import clock_text, count_text, moment_text
from naq_tui.widgets.line import EMPTY, Line, LineWidget, Span

__all__ = ["Scrubber"]

_MARGIN = 1
_LEVELS = " ▁▂▃▄▅▆▇█"
_COUNTING = Line(((" counting events …", "dim"),))


class Scrubber(LineWidget):
    """Bars of events, a line of failures below them, and a line of times with the moment that is on show."""

    @dataclass
    class Chosen(Message):
        """A moment was clicked."""

        moment_ns: int

    def __init__(self) -> None:
        super().__init__()
        self._density: Density | None = None
        self._moment_ns = 0

    @property
    def parts(self) -> int:
        """How many bars there is room for."""
        return max(1, self.size.width - 2 * _MARGIN)

    def show(self, density: Density | None, moment_ns: int) -> None:
        """Show the time around a moment."""
        self._density, self._moment_ns = density, moment_ns
        self.repaint()

    def line(self, y: int) -> Line:
        """Bars, failures, times."""
        density, height = self._density, self.size.height
        if density is None:
            return _COUNTING if y == 0 else EMPTY
        if y < height - 2:
            return self._bars(density, height - 3 - y, height - 2)
        return self._failures(density) if y == height - 2 else self._times(density)

    def on_click(self, event: events.Click) -> None:
        """Go to the moment under the mouse."""
        if self._density is not None:
            part = max(0, min(event.x - _MARGIN, self.parts - 1))
            length_ns = self._density.until_ns - self._density.since_ns
            self.post_message(self.Chosen(self._density.since_ns + length_ns * part // self.parts))

    def _cursor(self, density: Density) -> int:
        """The cell of the moment."""
        length_ns = max(1, density.until_ns - density.since_ns)
        return max(0, min((self._moment_ns - density.since_ns) * self.parts // length_ns, self.parts - 1))

    def _bars(self, density: Density, row: int, rows: int) -> Line:
        counts = _resampled(density.events, self.parts)
        most = max(counts, default=0)
        cells = [_LEVELS[_level(count, most, row, rows)] for count in counts]
        cursor = self._cursor(density)
        head, tail = "".join(cells[:cursor]), "".join(cells[cursor + 1 :])
        here = cells[cursor] if cells[cursor] != " " else "┊"
        return Line(((" ", "text"), (head, "begin"), (here, "accent"), (tail, "bar")))

    def _failures(self, density: Density) -> Line:
        failures = _resampled([-1 if count is None else count for count in density.failures], self.parts)
        if max(failures) < 0:
            return Line(((" failures are counted where a scheduler runs", "faint"),))
        return Line(((" ", "text"), *_marks(failures, self._cursor(density))))

    def _times(self, density: Density) -> Line:
        """From when to when; in between the moment, at its place as far as there is room."""
        begin, end = clock_text(density.since_ns), clock_text(density.until_ns)
        here = f"▲ {moment_text(self._moment_ns, density.until_ns)}"
        room = self.parts - len(begin) - len(end) - 2
        if len(here) > room:
            return Line(((f" {here[: self.parts]}", "accent"),))
        start = max(len(begin) + 1, min(self._cursor(density), self.parts - len(end) - 1 - len(here)))
        gap = self.parts - start - len(here) - len(end)
        said = f" {duration_text(density.bucket_ns / 1e6)} a bar, at most {_events_text(max(density.events))} "
        return Line(
            (
                (f" {begin}", "dim"),
                (" " * (start - len(begin)), "text"),
                (here, "accent"),
                (f"{said:>{gap}}" if len(said) <= gap - 1 else " " * gap, "faint"),
                (end, "dim"),
            )
        )


def _events_text(count: int) -> str:
    return f"{count_text(count)} event{'' if count == 1 else 's'}"


def _resampled(counts: Sequence[int], cells: int) -> list[int]:
    """As many counts as there are cells, each the largest of those that it stands for."""
    parts = len(counts)
    if parts == cells:
        return list(counts)
    return [
        max(counts[c * parts // cells : max(c * parts // cells + 1, (c + 1) * parts // cells)]) for c in range(cells)
    ]


def _level(count: int, most: int, row: int, rows: int) -> int:
    """How full a cell is, in eighths; whatever is above nothing is seen."""
    if not count:
        return 0
    eighths = max(1, round(count * 8 * rows / most))
    return max(0, min(8, eighths - 8 * row))


def _marks(failures: Sequence[int], cursor: int) -> Iterator[Span]:
    """A mark for each part with failures, a larger one where there are many; none where nobody has counted."""
    most = max(failures)
    for cell, count in enumerate(failures):
        if count > 0:
            yield "✗" if count * 2 > most else "×", "bad"
        elif cell == cursor:
            yield "┊", "accent"
        else:
            yield "·" if count == 0 else " ", "faint"
