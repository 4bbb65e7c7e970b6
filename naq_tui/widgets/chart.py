"""The charts of the overview: throughput, and how long jobs waited and ran.

Completed jobs stand on the axis, failed ones hang below it on a scale of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from textual.content import Content

from naq_tui.commands import Scope
from naq_tui.equivalents import command_line
from naq_tui.model.seconds import SECOND_NS
from naq_tui.model.tally import Figures, Latency
from naq_tui.state import HISTORY_S, Dashboard, Throughput
from naq_tui.text import count_text, fit, iso_text, rate_text
from naq_tui.widgets.braille import area
from naq_tui.widgets.latency import duration_rows
from naq_tui.widgets.line import EMPTY, Line, LineWidget, Tone

__all__ = ["Chart", "axis", "ceiling", "latency_picture", "picture"]

_LABEL = 6
_LEAST = 5
"""Rows that the throughput has to itself."""
_BAND = 2
"""Rows of an area of durations, at least."""
_FAINT = "$foreground 60%"
_LEGEND = Content.assemble(("  ⣿", "$primary"), (" p50", _FAINT), ("  ⢕", "$primary"), (" p95", _FAINT))
_CONNECTING = (EMPTY, Line(((" connecting …", "dim"),)))
_QUIET = (EMPTY, Line(((" no job has ended yet", "dim"),)))


class Chart(LineWidget, can_focus=True):
    """Jobs a second, and how long they waited and ran where there is room, as far back as the width goes."""

    NAME: ClassVar[str] = "Throughput"
    SCOPES: ClassVar[tuple[Scope, ...]] = ()

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._series: Throughput | None = None
        self._latency: Latency | None = None
        self._jobs: Figures | None = None
        self._drawn: tuple[tuple[int, int, int], tuple[Line, ...]] | None = None

    def show(self, dashboard: Dashboard, now_ns: int) -> None:
        """Show how it went up to now."""
        known = dashboard.snapshot is not None or dashboard.log.end > 0
        self._series = dashboard.throughput(now_ns) if known else None
        self._latency = dashboard.latency(now_ns) if known else None
        self._drawn = None
        self._jobs = None if self._series is None else dashboard.vitals(now_ns).jobs
        self.repaint()

    def title(self) -> Content:
        """The heading in the border."""
        return Content(self.NAME)

    def subtitle(self) -> Content:
        """The rates of now, and what the areas of durations are, where there are any."""
        return Content.assemble(self._rates(), _LEGEND) if self._has_durations else self._rates()

    def _rates(self) -> Content:
        if self._jobs is None:
            return Content("")
        done, failed = self._jobs.done_rate - self._jobs.failed_rate, self._jobs.failed_rate
        parts = [(f"✓ {rate_text(done)}/s", "$success"), (f"  ✗ {rate_text(failed)}/s", "$error" if failed else _FAINT)]
        for glyph, rate in (("↻", self._jobs.retried_rate), ("⊘", self._jobs.cancelled_rate)):
            if rate:
                parts.append((f"  {glyph} {rate_text(rate)}/s", "$warning"))
        return Content.assemble(*parts)

    def row_text(self) -> str:
        """The rates of now."""
        return self._rates().plain

    def equivalent(self) -> str:
        """The counts of the latest hour."""
        return command_line("events", "stats", "--hours", "1", "--by-queue")

    def records(self) -> Iterable[Mapping[str, object]]:
        """The seconds that it knows, the oldest first."""
        if self._series is None or self._latency is None:
            return ()
        until, *series = self._series
        first = until - len(series[0])
        return [
            {
                "time": iso_text(second * SECOND_NS),
                "enqueued": enqueued,
                "completed": completed,
                "failed": failed,
                **_named(self._latency, second),
            }
            for second, (enqueued, completed, failed) in enumerate(zip(*series, strict=True), first)
        ]

    def line(self, y: int) -> Line:
        """A row of the picture."""
        lines = self._lines()
        return lines[y] if y < len(lines) else EMPTY

    def _lines(self) -> tuple[Line, ...]:
        if self._series is None or self._latency is None:
            return _CONNECTING
        width, height = self.size
        key = (self._series.until, width, height)
        if self._drawn is None or self._drawn[0] != key:
            below = latency_picture(self._latency, self._series.until, width, height - _LEAST)
            self._drawn = (key, (*picture(self._series, width, height - len(below)), *below))
        return self._drawn[1]

    @property
    def _has_durations(self) -> bool:
        latency, room = self._latency, self.size.height - _LEAST
        return latency is not None and room >= _BAND and any((*latency.wait, *latency.run))


def _named(latency: Latency, second: int) -> dict[str, float | None]:
    """What is known of how long jobs took around a second."""
    wait, run = latency.at(second)
    return {
        "wait_p50_ms": wait and wait.p50,
        "wait_p95_ms": wait and wait.p95,
        "run_p50_ms": run and run.p50,
        "run_p95_ms": run and run.p95,
    }


def picture(series: Throughput, width: int, height: int) -> tuple[Line, ...]:
    """The chart in so many cells."""
    if not any(series.completed) and not any(series.failed):
        return _QUIET
    cells, values = _room(width)
    below = max(1, height // 4) if height >= 4 else 0
    above = max(1, height - below - 1)
    completed, failed = _latest(series.completed, values), _latest(series.failed, values)
    upper = _rows(completed, above, "good", hanging=False)
    lower = _rows(failed, below, "bad", hanging=True)
    blank = cells - values // 2
    middle = _row("0", axis(cells), "faint")
    return (*(_shifted(line, blank) for line in upper), middle, *(_shifted(line, blank) for line in lower))


def latency_picture(latency: Latency, until: int, width: int, height: int) -> tuple[Line, ...]:
    """How long jobs waited and ran, in at most so many rows and under the same seconds: less of it, or none, in few."""
    if height < _BAND or not any((*latency.wait, *latency.run)):
        return ()
    cells, seconds = _room(width)
    known = [latency.at(second) for second in range(until - seconds, until)]
    rows = max(_BAND, min(height // 2, (height + _LEAST) * 3 // 10))
    lines = [*duration_rows("wait", [wait for wait, _ in known], rows, _LABEL)]
    if height >= 2 * _BAND:
        lines += duration_rows("run", [run for _, run in known], rows, _LABEL)
    return tuple(_shifted(line, cells - seconds // 2) for line in lines)


def _room(width: int) -> tuple[int, int]:
    """Cells beside the labels, and the seconds that are drawn in them, two in a cell; there may be more cells."""
    cells = max(1, width - _LABEL - 2)
    return cells, min(2 * cells, HISTORY_S // 2 * 2)


def _latest(values: list[int], count: int) -> list[int]:
    """The last ``count`` values, with zeros in front when there are fewer."""
    return [0] * (count - len(values)) + values[-count:]


def _rows(values: list[int], rows: int, tone: Tone, *, hanging: bool) -> list[Line]:
    highest = ceiling(max(values, default=0))
    drawn = area(values, rows, highest, hanging=hanging)
    labelled = rows - 1 if hanging else 0
    labels = [count_text(highest) if index == labelled and any(values) else "" for index in range(rows)]
    return [_row(label, text, tone) for label, text in zip(labels, drawn, strict=True)]


def _row(label: str, text: str, tone: Tone) -> Line:
    return Line(((fit(label, _LABEL, "right") + " ", "dim"), (text, tone)))


def _shifted(line: Line, blank: int) -> Line:
    label, *rest = line.spans
    return Line((label, (" " * blank, "text"), *rest)) if blank else line


def ceiling(value: int) -> int:
    """The smallest round number that is not below the value."""
    power = 1
    while True:
        for step in (1, 2, 3, 4, 5, 6, 8):
            if step * power >= value:
                return step * power
        power *= 10


def axis(cells: int) -> str:
    """A time axis whose right end is now; a cell is two seconds."""
    line = ["─"] * cells
    step = 30 if cells <= 70 else 60
    for seconds in range(step, cells * 2, step):
        _write(line, f"{seconds} s" if seconds < 120 else f"{seconds // 60} min", cells - seconds // 2)
    _write(line, "now", cells - 3)
    return "".join(line)


def _write(line: list[str], label: str, start: int) -> None:
    if start >= 1 and start + len(label) <= len(line):
        line[start : start + len(label)] = label
