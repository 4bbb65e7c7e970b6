"""The lines above the statistics: what is counted over which time, how old that is, and all of it together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from naq_runtime.events.messages import duration_text
from naq_tui.model.statistics import GROUPINGS, WINDOWS, Window
from naq_tui.text import age_text, clip, count_text, inert, percent_text
from naq_tui.widgets.flow import Item, justified
from naq_tui.widgets.line import EMPTY, Line, LineWidget, Span

if TYPE_CHECKING:
    from naq_runtime.statistics.answer import EventStatistics

__all__ = ["Choices", "Counted"]


@dataclass(frozen=True, slots=True)
class Counted:
    """How far the counting is."""

    statistics: EventStatistics | None = None
    age_s: float = 0.0
    trouble: str = ""
    done: int = 0
    total: int = 0
    """Of the events that are being read; 0 while none are."""
    notes: tuple[str, ...] = ()
    """What is to be known of the figures."""


class Choices(LineWidget):
    """Two lines."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: tuple[tuple[list[Item], list[Item]], ...] = ()

    def show(self, grouping: str, window: Window, counted: Counted) -> None:
        """Show what there is to choose from, what is chosen, and how far it is."""
        windows = [one.name for one in WINDOWS]
        choices = [*_choice("by", GROUPINGS, grouping, 1), *_choice("over", windows, window.name, 2)]
        self._lines = ((choices, list(_standing(counted))), (list(_totals(counted)), list(_remarks(counted))))
        self.repaint()

    def line(self, y: int) -> Line:
        """One of them."""
        return Line(justified(*self._lines[y], self.size.width)) if y < len(self._lines) else EMPTY


def _choice(word: str, names: Sequence[str], chosen: str, rank: int) -> Iterator[Item]:
    spans: list[Span] = [(word, "dim")]
    for name in names:
        spans.append((f" [{name}]" if name == chosen else f"  {name} ", "strong" if name == chosen else "dim"))
    yield Item(tuple(spans), rank)


def _standing(counted: Counted) -> Iterator[Item]:
    if counted.trouble:
        yield Item(((f"! {clip(inert(counted.trouble), 50)}", "warn"),), 0)
    elif counted.total:
        yield Item((("◐ ", "accent"), (f"reading events {percent_text(counted.done / counted.total)}", "text")), 0)
    if counted.statistics is not None:
        yield Item(((f"{age_text(counted.age_s)} old", "dim"),), 3)


def _totals(counted: Counted) -> Iterator[Item]:
    if counted.statistics is None:
        return
    total = counted.statistics.total
    yield Item((("✓ ", "good"), (f"{count_text(total.completed)} done", "text")), 0)
    share = total.failure_share or 0.0
    failed = f"{count_text(total.failed)} errors, {percent_text(share)}"
    yield Item((("✗ ", "bad" if total.failed else "faint"), (failed, "text" if total.failed else "dim")), 1)
    for rank, name, latency in ((3, "wait", total.wait), (2, "run", total.run)):
        if latency is not None:
            said = f"p50 {duration_text(latency.p50_ms)} p95 {duration_text(latency.p95_ms)}"
            yield Item(((f"{name} ", "dim"), (said, "text")), rank)


def _remarks(counted: Counted) -> Iterator[Item]:
    if counted.notes:
        more = f"  (+{len(counted.notes) - 1})" if len(counted.notes) > 1 else ""
        yield Item(((f"! {clip(counted.notes[0], 60)}{more}", "warn"),), 4)
