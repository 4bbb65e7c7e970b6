"""The queues: how deep, how fast, how reliable."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import ClassVar

from textual.content import Content

from naq_runtime.events.messages import duration_text
from naq_tui.model.queues import QueueView
from naq_tui.model.tally import Quantiles
from naq_tui.source import ConnectionState
from naq_tui.state import Dashboard
from naq_tui.text import count_text, inert, percent_text, rate_text
from naq_tui.widgets.columns import Column
from naq_tui.widgets.line import Line, Span, Tone
from naq_tui.widgets.marks import sparkline
from naq_tui.widgets.table import Table

__all__ = ["Queues"]

_REASON_WIDTH = 54
"""Cells for why there is no connection; they fit into the narrowest terminal."""
_CONNECTING = (Line(((" connecting …", "dim"),)),)
_NO_QUEUES = (
    Line(((" no jobs yet", "text"),)),
    Line(),
    Line(((" naq enqueue your_module.your_task", "key"), ("  makes one", "dim"))),
)


def _name(queue: QueueView, width: int) -> list[Span]:
    return [(inert(queue.name, 64), "name")]


def _waiting(queue: QueueView, width: int) -> list[Span]:
    if queue.state is None:
        return [("-", "faint")]
    return [(count_text(queue.state.waiting), "text" if queue.state.waiting else "faint")]


def _running(queue: QueueView, width: int) -> list[Span]:
    if queue.state is None:
        return [("-", "faint")]
    return [(count_text(queue.state.running), "begin" if queue.state.running else "faint")]


def _rate(rate: float) -> list[Span]:
    return [(rate_text(rate), "text" if rate else "faint")]


def _failed(queue: QueueView, width: int) -> list[Span]:
    failed = queue.figures.failed
    return [(count_text(failed), "bad")] if failed else [("0", "faint")]


def _failed_share(queue: QueueView, width: int) -> list[Span]:
    share = queue.figures.failed_share
    tone: Tone = "faint" if not share else "warn" if share < 0.05 else "bad"
    return [(percent_text(share), tone)]


def _p95(quantiles: Quantiles | None) -> list[Span]:
    return [(duration_text(quantiles.p95), "text")] if quantiles else [("-", "faint")]


def _p95_order(quantiles: Quantiles | None) -> float:
    return quantiles.p95 if quantiles else -1.0


COLUMNS: tuple[Column[QueueView], ...] = (
    Column("queue", 10, _name, lambda q: q.name, "left", 0, most=28, descending=False),
    Column("waiting", 8, _waiting, lambda q: q.state.waiting if q.state else -1, rank=1),
    Column("running", 8, _running, lambda q: q.state.running if q.state else -1, rank=2),
    Column("in/s", 5, lambda q, _: _rate(q.figures.enqueued_rate), lambda q: q.figures.enqueued_rate, rank=5),
    Column("out/s", 6, lambda q, _: _rate(q.figures.done_rate), lambda q: q.figures.done_rate, rank=3),
    Column("failed", 7, _failed, lambda q: q.figures.failed, rank=4),
    Column("fail %", 7, _failed_share, lambda q: q.figures.failed_share, rank=8),
    Column("wait p95", 9, lambda q, _: _p95(q.figures.wait), lambda q: _p95_order(q.figures.wait), rank=7),
    Column("run p95", 9, lambda q, _: _p95(q.figures.run), lambda q: _p95_order(q.figures.run), rank=9),
    Column("minute", 8, lambda q, width: sparkline(q.ended, width), None, "left", 6, most=60),
)


class Queues(Table[QueueView]):
    """One row a queue."""

    NAME: ClassVar[str] = "Queues"

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(COLUMNS, id=id, classes=classes)

    def key(self, row: QueueView) -> str:
        """The queue's name."""
        return row.name

    def show(self, dashboard: Dashboard, now_ns: int) -> None:
        """Show the queues as they are now."""
        self.set_rows(dashboard.queues(now_ns), _hint(dashboard))

    def title(self) -> Content:
        """The heading in the border."""
        return Content.assemble(self.NAME, " ", (count_text(len(self.rows)), "$foreground 60%"))


def _hint(dashboard: Dashboard) -> Sequence[Line]:
    if dashboard.snapshot:
        return _NO_QUEUES
    link = dashboard.link
    if link is None or link.state is ConnectionState.CONNECTING:
        return _CONNECTING
    return [Line(((f" {line}", "text"),)) for line in textwrap.wrap(inert(link.detail), _REASON_WIDTH)]
