"""How long the jobs of one group ran, and waited: a bar for each range of durations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from textual.content import Content

from naq_runtime.events.messages import duration_text
from naq_tui.model.statistics import Bars, GroupView, bars_of
from naq_tui.text import count_text, fit, percent_text
from naq_tui.widgets.line import EMPTY, Line, LineWidget, Span

if TYPE_CHECKING:
    from naq_runtime.statistics.answer import Latency

__all__ = ["Histogram", "histogram_lines"]

_LABEL = 7
_SHARE = 6
_MARK = 12
_ROOM_FOR_BOTH = 18
"""Lines from which on waits are shown below the runs."""
_NOTHING = (EMPTY, Line(((" nothing ended in this time", "dim"),)))


class Histogram(LineWidget):
    """The runs of the row with the cursor."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._view: GroupView | None = None
        self._drawn: tuple[GroupView | None, tuple[int, int], tuple[Line, ...]] | None = None

    def show(self, view: GroupView | None) -> None:
        """Show the runs of a group; ``None`` for nothing."""
        self._view = view
        ran = view.statistics.run.count if view is not None and view.statistics.run is not None else 0
        self.set_border(Content.assemble("Run times ", (f"{count_text(ran)} runs", "$foreground 60%")))
        self.repaint()

    def line(self, y: int) -> Line:
        """A bar, with the duration from which on it counts."""
        size = (self.size.width, self.size.height)
        if self._drawn is None or self._drawn[0] is not self._view or self._drawn[1] != size:
            self._drawn = (self._view, size, self._lines(*size))
        lines = self._drawn[2]
        return lines[y] if y < len(lines) else EMPTY

    def _lines(self, width: int, height: int) -> tuple[Line, ...]:
        view = self._view
        if view is None:
            return ()
        run, wait = view.statistics.run, view.statistics.wait
        if run is None:
            return _NOTHING
        if wait is None or height < _ROOM_FOR_BOTH:
            return tuple(_bars(run, view.trend.run_buckets, width, height))[:height]
        runs = tuple(_bars(run, view.trend.run_buckets, width, height // 2 - 1))
        heading = Line(((f" waits  {count_text(wait.count)}", "dim"),))
        return (*runs, EMPTY, heading, *_bars(wait, view.trend.wait_buckets, width, height - len(runs) - 2))[:height]


def _bars(latency: Latency, buckets: Mapping[int, int], width: int, most: int) -> Iterator[Line]:
    quantiles = {"p50": latency.p50_ms, "p95": latency.p95_ms, "p99": latency.p99_ms}
    return histogram_lines(bars_of(buckets, quantiles, most), width)


def histogram_lines(bars: Bars, width: int) -> Iterator[Line]:
    """A line for each bar, the shortest durations first."""
    most, total = max(bars.counts, default=0), sum(bars.counts)
    room = max(1, width - _LABEL - _SHARE - 4 - (_MARK if width >= 40 else 0))
    for index, count in enumerate(bars.counts):
        low_ms = bars.bounds_ms[index]
        lit = -(-count * room // most) if most else 0
        spans: list[Span] = [
            (fit(duration_text(low_ms), _LABEL, "right"), "dim"),
            (" │", "faint"),
            (fit("━" * lit, room), "begin" if count else "faint"),
            (fit(percent_text(count / total) if count else "", _SHARE, "right"), "text"),
        ]
        if width >= 40:
            spans.append((" " + fit(bars.marks.get(index, ""), _MARK - 1), "accent"))
        yield Line(tuple(spans))
