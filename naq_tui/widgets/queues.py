"""The queues: how deep, how fast, how reliable."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import msgspec
from textual.content import Content

from naq_runtime.events.messages import duration_text
from naq_runtime.snapshot import QueueState
from naq_tui.acts import Act, ActKind
from naq_tui.commands import Scope
from naq_tui.equivalents import queue_command
from naq_tui.model.queues import QueueView
from naq_tui.model.tally import Quantiles
from naq_tui.state import Dashboard
from naq_tui.text import count_text, inert, percent_text, rate_text, short_age_text
from naq_tui.widgets.columns import Column
from naq_tui.widgets.line import Line, Span, Tone
from naq_tui.widgets.marks import sparkline
from naq_tui.widgets.searched import Searched
from naq_tui.widgets.waiting import waiting_lines

__all__ = ["AllQueues", "Queues"]

_LONG_S = 60
"""A job that waits for so long is pointed out."""
_NONE_THEN = (Line(((" nothing was told of any queue by this moment", "dim"),)),)
_NO_QUEUES = (
    Line(((" no jobs yet", "text"),)),
    Line(),
    Line(((" naq enqueue your_module.your_task", "key"), ("  makes one", "dim"))),
)


def _name(queue: QueueView, width: int) -> list[Span]:
    return [(inert(queue.name, 64), "warn" if queue.is_paused or queue.is_deserted else "name")]


def _waiting(queue: QueueView, width: int) -> list[Span]:
    if queue.state is None:
        return [("-", "faint")]
    return [(count_text(queue.state.waiting), "text" if queue.state.waiting else "faint")]


def _running(queue: QueueView, width: int) -> list[Span]:
    if queue.state is None:
        return [("-", "faint")]
    running, limit = queue.state.running, queue.state.concurrency_limit
    share = f"{count_text(running)}/{count_text(limit)}"
    text = share if limit and len(share) <= width else count_text(running)
    return [(text, "warn" if 0 < limit <= running else "begin" if running else "faint")]


def _out(queue: QueueView, width: int) -> list[Span]:
    """What leaves the queue; while it is paused, only what runs already does, and without workers nothing."""
    if queue.is_paused:
        return [("‖ paused", "warn")]
    return [("! nobody", "warn")] if queue.is_deserted else _rate(queue.figures.done_rate)


def _rate_limit(queue: QueueView, width: int) -> list[Span]:
    limit = queue.state.rate_limit if queue.state else ""
    return [(inert(limit, 20), "text") if limit else ("-", "faint")]


def _count(count: int, tone: Tone) -> list[Span]:
    return [(count_text(count), tone if count else "faint")]


def _rate(rate: float) -> list[Span]:
    return [(rate_text(rate), "text" if rate else "faint")]


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
    Column("running", 8, _running, lambda q: q.state.running if q.state else -1, rank=2, most=13),
    Column("in/s", 5, lambda q, _: _rate(q.figures.enqueued_rate), lambda q: q.figures.enqueued_rate, rank=5),
    Column("out/s", 8, _out, lambda q: q.figures.done_rate, rank=3),
    Column("failed", 7, lambda q, _: _count(q.figures.failed, "bad"), lambda q: q.figures.failed, rank=4),
    Column("fail %", 7, _failed_share, lambda q: q.figures.failed_share, rank=8),
    Column("wait p95", 9, lambda q, _: _p95(q.figures.wait), lambda q: _p95_order(q.figures.wait), rank=7),
    Column("run p95", 9, lambda q, _: _p95(q.figures.run), lambda q: _p95_order(q.figures.run), rank=9),
    Column("limit", 8, _rate_limit, rank=10, most=14),
    Column("retries", 8, lambda q, _: _count(q.figures.retried, "warn"), lambda q: q.figures.retried, rank=11),
    Column("cancelled", 10, lambda q, _: _count(q.figures.cancelled, "warn"), lambda q: q.figures.cancelled, rank=12),
    Column("minute", 7, lambda q, width: sparkline(q.ended, width), None, "left", 6, most=60),
)


def _behind(name: str) -> Callable[[QueueView, int], list[Span]]:
    """A column of the backlog."""

    def cell(queue: QueueView, width: int) -> list[Span]:
        count = getattr(queue.backlog, name, None)
        if count is None:
            return [("-", "faint")]
        return _count(count, "bad" if name == "dead" else "text")

    return cell


def _behind_order(name: str) -> Callable[[QueueView], int]:
    def order(queue: QueueView) -> int:
        count = getattr(queue.backlog, name, None)
        return -1 if count is None else count

    return order


def _oldest(queue: QueueView, width: int) -> list[Span]:
    if queue.backlog is None or not queue.backlog.oldest_s:
        return [("-", "faint")]
    return [(short_age_text(queue.backlog.oldest_s), "warn" if queue.backlog.oldest_s >= _LONG_S else "text")]


def _mark(queue: QueueView, width: int) -> list[Span]:
    if queue.is_paused:
        return [("‖ paused", "warn")]
    if queue.is_deserted:
        return [("! nobody", "warn")]
    if queue.figures.done_rate or (queue.state and queue.state.running):
        return [("● active", "good")]
    waits = queue.state and queue.state.waiting
    return [("◌ waiting", "warn")] if waits else [("○ idle", "dim")]


def _out_rate(queue: QueueView, width: int) -> list[Span]:
    return _rate(queue.figures.done_rate)


ALL_COLUMNS: tuple[Column[QueueView], ...] = (
    Column("queue", 10, _name, lambda q: q.name, "left", 0, most=36, descending=False),
    Column("state", 9, _mark, lambda q: _mark(q, 8)[0][0], "left", 2, descending=False),
    Column("waiting", 8, _waiting, lambda q: q.state.waiting if q.state else -1, rank=0),
    Column("running", 7, _running, lambda q: q.state.running if q.state else -1, rank=1, most=13),
    Column("sched", 6, _behind("scheduled"), _behind_order("scheduled"), rank=6),
    Column("retrying", 8, _behind("retrying"), _behind_order("retrying"), rank=8),
    Column("depend", 6, _behind("depending"), _behind_order("depending"), rank=12),
    Column("dead", 6, _behind("dead"), _behind_order("dead"), rank=4),
    Column("oldest", 6, _oldest, lambda q: q.backlog.oldest_s if q.backlog else -1.0, rank=3),
    Column("in/s", 5, lambda q, _: _rate(q.figures.enqueued_rate), lambda q: q.figures.enqueued_rate, rank=5),
    Column("out/s", 5, _out_rate, lambda q: q.figures.done_rate, rank=3),
    Column("failed", 6, lambda q, _: _count(q.figures.failed, "bad"), lambda q: q.figures.failed, rank=10),
    Column("fail %", 6, _failed_share, lambda q: q.figures.failed_share, rank=5),
    Column("wait p95", 8, lambda q, _: _p95(q.figures.wait), lambda q: _p95_order(q.figures.wait), rank=7),
    Column("run p95", 8, lambda q, _: _p95(q.figures.run), lambda q: _p95_order(q.figures.run), rank=11),
    Column("limit", 8, _rate_limit, rank=14, most=14),
    Column("minute", 8, lambda q, width: sparkline(q.ended, width), None, "left", 9, most=60),
)
"""Of the view of the queues."""


class Queues(Searched[QueueView]):
    """One row a queue."""

    NAME: ClassVar[str] = "Queues"
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.QUEUE_ACTS, *Searched.SCOPES)

    def __init__(
        self,
        *,
        columns: Sequence[Column[QueueView]] = COLUMNS,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(columns, id=id, classes=classes)

    def key(self, row: QueueView) -> str:
        """The queue's name."""
        return row.name

    def act(self, kind: ActKind) -> Act | None:
        """What is wanted of the queues that are chosen; those that run are paused before others are resumed."""
        chosen = {
            ActKind.PAUSE: [queue for queue in self.chosen if not queue.is_paused],
            ActKind.RESUME: [queue for queue in self.chosen if queue.is_paused],
            ActKind.PURGE: self.chosen,
        }.get(kind)
        if not chosen:
            return None
        about = {queue.name: _about(queue.state) for queue in chosen if queue.state is not None}
        return Act(kind, "queue", tuple(queue.name for queue in chosen), about=about)

    def search_text(self, row: QueueView) -> str:
        """The queue's name, and what it is held back by."""
        return f"{row.name} paused" if row.is_paused else row.name

    def command(self, row: QueueView) -> str:
        """What shows the queue in a shell."""
        return queue_command(row.name)

    def record(self, row: QueueView) -> Mapping[str, object]:
        """What is known of a queue; seconds and milliseconds by their names."""
        figures = row.figures
        known: dict[str, object] = {}
        for part in (row.state, row.backlog):
            known |= msgspec.structs.asdict(part) if part is not None else {}
        return {
            "queue": row.name,
            **{name: value for name, value in known.items() if name != "name"},
            "enqueued_per_s": round(figures.enqueued_rate, 3),
            "ended_per_s": round(figures.done_rate, 3),
            "failed": figures.failed,
            "failed_share": round(figures.failed_share, 6),
            "wait_p95_ms": figures.wait.p95 if figures.wait else None,
            "run_p95_ms": figures.run.p95 if figures.run else None,
        }

    def show(self, dashboard: Dashboard, now_ns: int) -> None:
        """Show the queues as they are now."""
        self.is_known = dashboard.snapshot is not None
        self.set_rows(dashboard.queues(now_ns), _hint(dashboard))

    def title(self) -> Content:
        """The heading in the border."""
        paused = sum(row.is_paused for row in self.rows)
        deserted = sum(row.is_deserted and not row.is_paused for row in self.rows)
        marks = [(f" ‖ {paused} paused", "bold $warning")] if paused else []
        marks += [(f" ! {deserted} without a worker", "bold $warning")] if deserted else []
        return Content.assemble(self.NAME, " ", (self.count(), "$foreground 60%"), *marks)


class AllQueues(Queues):
    """One row a queue, with what waits in it for something else than a worker."""

    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.QUEUE_ACTS, Scope.SORT, Scope.MARK, Scope.MOVE)

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(columns=ALL_COLUMNS, id=id, classes=classes)


def _about(state: QueueState) -> str:
    return f"{count_text(state.waiting)} waiting, {count_text(state.running)} running"


def _hint(dashboard: Dashboard) -> Sequence[Line]:
    if dashboard.link is not None and dashboard.link.is_past:
        return _NONE_THEN
    return _NO_QUEUES if dashboard.snapshot else waiting_lines(dashboard.link)
