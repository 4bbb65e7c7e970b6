"""The streams of a namespace, and the consumers of one of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.content import Content

from naq_runtime.jetstream import FULL, NEARLY_FULL, Consumer, Stream
from naq_tui.commands import Scope
from naq_tui.text import bytes_text, count_text, inert, percent_text, short_age_text
from naq_tui.widgets.columns import Column
from naq_tui.widgets.line import Back, Line, Span, Tone
from naq_tui.widgets.pointing import PointingTable
from naq_tui.widgets.table import Table

__all__ = ["ConsumerTable", "StreamTable", "share_spans"]

_BAR = 6


def share_spans(share: float, *, limited: bool) -> list[Span]:
    """How far a limit is used: a bar and a percentage, with a mark when it is nearly reached."""
    if not limited:
        return [("no limit", "faint")]
    glyph, tone = _mark(share)
    lit = -(-int(share * 1000) * _BAR // 1000)
    return [
        ("━" * min(_BAR, lit), tone),
        ("━" * max(0, _BAR - lit), "faint"),
        (f" {percent_text(share)}", "text" if tone == "good" else tone),
        (f" {glyph}", tone),
    ]


def _mark(share: float) -> tuple[str, Tone]:
    if share >= FULL:
        return "✗", "bad"
    return ("!", "warn") if share >= NEARLY_FULL else (" ", "good")


def _number(count: int, tone: Tone = "text") -> list[Span]:
    return [(count_text(count), tone if count else "faint")]


# Streams


def _short(view: Stream, width: int) -> list[Span]:
    tone: Tone = "bad" if view.troubles else "name"
    mark = "✗ " if view.troubles else ""
    return [(f"{mark}{inert(view.name, 80)}", tone)]


def _purpose(view: Stream, width: int) -> list[Span]:
    return [(inert(view.purpose, 80), "dim")]


def _size(view: Stream, width: int) -> list[Span]:
    return [(bytes_text(view.bytes), "text" if view.bytes else "faint")]


def _replicas(view: Stream, width: int) -> list[Span]:
    if not view.is_clustered:
        return [(str(view.replicas), "faint")]
    return [(f"{view.sound_replicas}/{view.replicas}", "text" if view.sound_replicas >= view.replicas else "bad")]


def _leader(view: Stream, width: int) -> list[Span]:
    if not view.is_clustered:
        return [("-", "faint")]
    return [(inert(view.leader, 60), "text")] if view.leader else [("✗ none", "bad")]


def _limit(view: Stream, width: int) -> list[Span]:
    return share_spans(view.share, limited=bool(view.max_bytes or view.max_messages))


class StreamTable(PointingTable[Stream]):
    """One row a stream; what is near a limit, or in trouble, is on top."""

    NAME: ClassVar[str] = "Streams"
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.SORT, Scope.MOVE)

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        self._now_ns = 0
        limit = Column("of its limit", 15, _limit, lambda s: (bool(s.troubles), s.share), "left", 1)
        super().__init__(
            (
                Column("stream", 14, _short, lambda s: s.name, "left", 0, most=24, descending=False),
                Column("what is in it", 20, _purpose, lambda s: s.purpose, "left", 5, most=38, descending=False),
                Column("messages", 8, lambda s, _: _number(s.messages), lambda s: s.messages, rank=2),
                Column("size", 7, _size, lambda s: s.bytes),
                limit,
                Column("oldest", 6, self._oldest, lambda s: -s.first_ns, rank=6),
                Column("latest", 6, self._latest, lambda s: -s.last_ns, rank=8, descending=False),
                Column("consumers", 9, lambda s, _: _number(s.consumers), lambda s: s.consumers, rank=7),
                Column("replicas", 8, _replicas, lambda s: s.replicas, rank=9),
                Column("leader", 8, _leader, lambda s: s.leader, "left", 10, most=20, descending=False),
            ),
            sorted_by=limit,
            id=id,
            classes=classes,
        )

    def key(self, row: Stream) -> str:
        """The stream's name."""
        return row.name

    def row_back(self, row: Stream) -> Back:
        """One in trouble stands out."""
        return "bad" if row.troubles or row.share >= FULL else ""

    def show(self, streams: Sequence[Stream] | None, now_ns: int, hint: Sequence[Line]) -> None:
        """Show these streams; ``None`` before anybody has told of them."""
        self._now_ns = now_ns
        self.set_rows(streams or (), hint)
        count = "-" if streams is None else count_text(len(streams))
        near = sum(stream.share >= NEARLY_FULL for stream in streams or ())
        marks = [(f" ! {near} near a limit", "bold $warning")] if near else []
        self.set_border(Content.assemble(self.NAME, " ", (count, "$foreground 60%"), *marks))

    def tick(self, now_ns: int) -> None:
        """Let ages go on."""
        self._now_ns = now_ns
        self.repaint()

    def _oldest(self, view: Stream, width: int) -> list[Span]:
        return self._age(view.first_ns)

    def _latest(self, view: Stream, width: int) -> list[Span]:
        return self._age(view.last_ns)

    def _age(self, time_ns: int) -> list[Span]:
        return [(short_age_text((self._now_ns - time_ns) / 1e9), "dim") if time_ns else ("-", "faint")]


# Consumers


def _consumer(view: Consumer, width: int) -> list[Span]:
    return [(inert(view.name, 80), "name")]


def _whose(view: Consumer, width: int) -> list[Span]:
    return [(inert(view.purpose or "-", 80), "dim")]


def _state(view: Consumer, width: int) -> list[Span]:
    if view.paused:
        return [("‖ paused", "warn")]
    if view.pending and not view.pulls and not view.unacknowledged:
        return [("! no reader", "warn")]
    return [("● active", "good")] if view.pulls or view.unacknowledged else [("○ quiet", "dim")]


def _unacknowledged(view: Consumer, width: int) -> list[Span]:
    said = f"{count_text(view.unacknowledged)}/{count_text(view.max_unacknowledged)}"
    text = said if view.max_unacknowledged and len(said) + 2 <= width else count_text(view.unacknowledged)
    if view.share >= NEARLY_FULL:
        glyph, tone = _mark(view.share)
        return [(f"{glyph} {text}", tone)]
    return [(text, "text" if view.unacknowledged else "faint")]


CONSUMER_COLUMNS: tuple[Column[Consumer], ...] = (
    Column("consumer", 14, _consumer, lambda c: c.name, "left", 0, most=30, descending=False),
    Column("whose", 16, _whose, lambda c: c.purpose, "left", 7, most=34, descending=False),
    Column("state", 11, _state, lambda c: (c.paused, c.pending), "left", 3),
    Column("pending", 8, lambda c, _: _number(c.pending), lambda c: c.pending, rank=1),
    Column("unacked", 11, _unacknowledged, lambda c: c.unacknowledged, rank=2, most=13),
    Column("redelivered", 12, lambda c, _: _number(c.redelivered, "warn"), lambda c: c.redelivered, rank=4),
    Column("lag", 6, lambda c, _: _number(c.lag), lambda c: c.lag, rank=5),
    Column("pulls", 6, lambda c, _: _number(c.pulls), lambda c: c.pulls, rank=6),
    Column("leader", 8, lambda c, _: [(inert(c.leader or "-", 60), "dim")], lambda c: c.leader, "left", 9, most=20),
)


class ConsumerTable(Table[Consumer]):
    """One row a consumer; whoever is behind most comes first."""

    NAME: ClassVar[str] = "Consumers"
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.SORT, Scope.MOVE)

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(CONSUMER_COLUMNS, sorted_by=CONSUMER_COLUMNS[3], id=id, classes=classes)

    def key(self, row: Consumer) -> str:
        """The consumer's name."""
        return row.name

    def show(self, stream: str, consumers: Sequence[Consumer], hint: Sequence[Line]) -> None:
        """Show those of a stream."""
        self.set_rows(consumers, hint)
        count = count_text(len(consumers)) if consumers else ""
        self.set_border(Content.assemble(f"{self.NAME} ", (inert(stream, 60), "$foreground 75%"), f" {count}"))
