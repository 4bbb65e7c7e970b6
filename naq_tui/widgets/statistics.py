"""The statistics: one row a queue, a function or a worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.content import Content

from naq_runtime.events.messages import duration_text
from naq_tui.commands import Scope
from naq_tui.model.statistics import GroupView
from naq_tui.text import clip, count_text, inert, percent_text, rate_text
from naq_tui.widgets.columns import Column
from naq_tui.widgets.line import Line, Span, Tone
from naq_tui.widgets.marks import sparkline
from naq_tui.widgets.pointing import PointingTable

if TYPE_CHECKING:
    from naq_runtime.statistics.answer import Latency

__all__ = ["StatisticsTable", "record_of"]


def _name(view: GroupView, width: int) -> list[Span]:
    """Of a function that does not fit, the end says more than the beginning."""
    name = inert(view.name, 200)
    return [(name if len(name) <= width else name.rpartition(".")[2] or name, "name")]


def _count(count: int, tone: Tone = "text") -> list[Span]:
    return [(count_text(count), tone if count else "faint")]


def _rate(view: GroupView, width: int) -> list[Span]:
    return [(rate_text(view.rate), "text" if view.rate else "faint")]


def _share(view: GroupView, width: int) -> list[Span]:
    share = view.statistics.failure_share
    if share is None:
        return [("-", "faint")]
    tone: Tone = "faint" if not share else "warn" if share < 0.05 else "bad"
    return [(percent_text(share), tone)]


def _quantile(latency: Latency | None, name: str) -> list[Span]:
    return [("-", "faint")] if latency is None else [(duration_text(getattr(latency, name)), "text")]


def _order(latency: Latency | None, name: str) -> float:
    return -1.0 if latency is None else float(getattr(latency, name))


def _latency(title: str, what: str, name: str, rank: int) -> Column[GroupView]:
    """A percentile of how long jobs waited or ran."""
    return Column(
        title,
        9,
        lambda view, _: _quantile(getattr(view.statistics, what), name),
        lambda view: _order(getattr(view.statistics, what), name),
        rank=rank,
    )


def _counted(title: str, width: int, name: str, rank: int, tone: Tone = "text") -> Column[GroupView]:
    return Column(
        title,
        width,
        lambda view, _: _count(getattr(view.statistics, name), tone),
        lambda view: getattr(view.statistics, name),
        rank=rank,
    )


_DONE = _counted("done", 6, "completed", 1)
COLUMNS: tuple[Column[GroupView], ...] = (
    Column("name", 12, _name, lambda v: v.name, "left", 0, most=44, descending=False),
    _counted("queued", 6, "enqueued", 10),
    _DONE,
    Column("rate/s", 6, _rate, lambda v: v.rate, rank=4),
    _counted("errors", 6, "failed", 2, "bad"),
    Column("error %", 7, _share, lambda v: v.share, rank=3),
    _counted("retries", 7, "retried", 12, "warn"),
    _counted("cancelled", 9, "cancelled", 15, "warn"),
    _counted("dead", 6, "dead", 13, "bad"),
    _latency("wait p50", "wait", "p50_ms", 9),
    _latency("wait p95", "wait", "p95_ms", 6),
    _latency("wait p99", "wait", "p99_ms", 14),
    _latency("run p50", "run", "p50_ms", 8),
    _latency("run p95", "run", "p95_ms", 5),
    _latency("run p99", "run", "p99_ms", 11),
    _latency("run max", "run", "max_ms", 16),
    Column("over time", 9, lambda v, width: sparkline(v.trend.completed, width), None, "left", 7, most=40),
)


def record_of(view: GroupView, grouping: str) -> Mapping[str, object]:
    """A row as plain values."""
    counted = view.statistics
    record: dict[str, object] = {grouping: view.name}
    for name in ("enqueued", "started", "completed", "failed", "retried", "cancelled", "dead", "failure_share"):
        record[name] = getattr(counted, name)
    for what, latency in (("wait", counted.wait), ("run", counted.run)):
        for name in ("mean_ms", "p50_ms", "p95_ms", "p99_ms", "max_ms"):
            record[f"{what}_{name}"] = None if latency is None else getattr(latency, name)
    return record


class StatisticsTable(PointingTable[GroupView]):
    """The rows whose names match; the most that was done comes first."""

    NAME: ClassVar[str] = "Statistics"
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.SORT, Scope.MOVE)
    TOP_STAYS: ClassVar[bool] = True

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(COLUMNS, sorted_by=_DONE, id=id, classes=classes)
        self.needle = ""
        """The text that is filtered by; a capital letter makes case count."""
        self._all: Sequence[GroupView] = ()

    def key(self, row: GroupView) -> str:
        """What the group is called."""
        return row.name

    def show(self, rows: Sequence[GroupView], hint: Sequence[Line]) -> None:
        """Show these, as far as the filter lets them through."""
        self._all = rows
        self._hint = hint
        self.filter_by(self.needle)

    def filter_by(self, needle: str) -> None:
        """Show only rows whose name contains this."""
        self.needle = needle
        fold = needle == needle.lower()
        shown = (
            [row for row in self._all if needle in (row.name.lower() if fold else row.name)] if needle else self._all
        )
        self.set_rows(shown, self._hint if not self._all else (Line(((" nothing matches", "dim"),)),))

    def title(self, noun: str) -> Content:
        """The heading in the border."""
        count = count_text(len(self._all))
        if self.needle:
            count = f"{count_text(len(self.rows))} of {count}"
        return Content.assemble(f"By {noun} ", (count, "$foreground 60%"))

    def subtitle(self) -> Content:
        """The filter."""
        if not self.needle:
            return Content("")
        return Content.assemble(("/ ", "bold $accent"), clip(inert(self.needle, 80), 40))
