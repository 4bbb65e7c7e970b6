"""Why jobs fail: one row for the failures of one function with one error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.content import Content
from textual.message import Message

from naq_tui.commands import Scope, bindings
from naq_tui.model.failures import WINDOWS_S, FailureBook, FailureView
from naq_tui.text import count_text, inert, percent_text, short_age_text
from naq_tui.widgets.columns import Column, dotted
from naq_tui.widgets.line import Line, Span
from naq_tui.widgets.marks import sparkline
from naq_tui.widgets.table import Table

__all__ = ["Failures", "window_text"]

_NAME = 30
"""Cells for the name of a function, where there is room."""
_LOOKING = (Line(((" looking for failures …", "dim"),)),)
_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"))


def window_text(seconds: int) -> str:
    """A window in words: ``last hour``, ``last 6 hours``."""
    size, unit = next((size, unit) for size, unit in _UNITS if seconds >= size)
    count = seconds // size
    return f"last {unit}" if count == 1 else f"last {count} {unit}s"


def _count(view: FailureView, width: int) -> list[Span]:
    return [(count_text(view.failures), "bad")]


def _share(view: FailureView, width: int) -> list[Span]:
    return [(percent_text(view.share), "text")]


def _jobs(view: FailureView, width: int) -> list[Span]:
    return [(count_text(view.jobs), "text")]


def _function(view: FailureView, width: int) -> list[Span]:
    return [(dotted(view.function, width, _NAME), "text")]


def _error(view: FailureView, width: int) -> list[Span]:
    spans: list[Span] = [(inert(view.error_type, 80), "bad")]
    return [*spans, (f"  {inert(view.message)}", "text")] if view.message else spans


def _queues(view: FailureView, width: int) -> list[Span]:
    return [(inert(", ".join(view.queues), 200), "name")]


class Failures(Table[FailureView]):
    """The reason of most failures comes first."""

    NAME: ClassVar[str] = "Failures"
    BINDINGS = bindings(Scope.FAILURES)
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.FAILURES, Scope.JOB_ACTS, Scope.SORT, Scope.MARK, Scope.MOVE)
    TOP_STAYS: ClassVar[bool] = True

    class WindowChanged(Message):
        """Another window is to be looked at."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        self._now_ns = 0
        self.book = FailureBook()
        """What is shown."""
        count = Column("failed", 7, _count, lambda v: v.failures, rank=0)
        super().__init__(
            (
                count,
                Column("share", 6, _share, lambda v: v.share, rank=4),
                Column("jobs", 6, _jobs, lambda v: v.jobs, rank=6),
                Column("function", 12, _function, lambda v: v.function, "left", 2, most=_NAME, descending=False),
                Column("error", 33, _error, lambda v: v.error_type, "left", 1, most=120, descending=False),
                Column("queues", 7, _queues, lambda v: v.queues, "left", 8, most=24, descending=False),
                Column("first", 6, self._first, lambda v: v.first_ns, rank=7),
                Column("last", 6, self._last, lambda v: v.last_ns, rank=5),
                Column("when", 12, lambda v, width: sparkline(v.series, width), None, "left", 3, most=48),
            ),
            sorted_by=count,
            id=id,
            classes=classes,
        )

    def key(self, row: FailureView) -> str:
        """What tells the group from others."""
        return row.key

    @property
    def group(self) -> FailureView | None:
        """The one with the cursor."""
        return self.rows[self.viewport.cursor] if self.rows else None

    def repaint(self) -> None:
        """See `LineWidget.repaint`; the border tells of the row with the cursor, too."""
        super().repaint()
        self.set_border(self.title(), self.subtitle())

    def show(self, now_ns: int, hint: Sequence[Line] = ()) -> None:
        """Show the groups as they are now."""
        self._now_ns = now_ns
        self.set_rows(self.book.views(now_ns), hint or self._empty())

    def tick(self, now_ns: int) -> None:
        """Let the times go on."""
        self._now_ns = now_ns
        self.repaint()

    def action_longer(self) -> None:
        """Look further back."""
        self._change_window(1)

    def action_shorter(self) -> None:
        """Look back less far."""
        self._change_window(-1)

    def title(self) -> Content:
        """Of which window, and how many there are."""
        book = self.book
        reasons = "1 reason" if len(self.rows) == 1 else f"{count_text(len(self.rows))} reasons"
        total = f"{count_text(book.total)} for {reasons}, {window_text(book.window_s)}"
        parts: list[tuple[str, str]] = [(total, "$foreground 60%")]
        if book.is_cut:
            parts.append((" the newest of more", "bold $warning"))
        return Content.assemble(self.NAME, " ", *parts)

    def subtitle(self) -> Content:
        """The latest message of the group with the cursor, as it is."""
        group = self.group
        if group is None:
            return Content("")
        return Content.assemble((inert(group.example or group.error_type, 100), "$foreground 70%"))

    def _change_window(self, step: int) -> None:
        place = WINDOWS_S.index(self.book.window_s) + step
        if 0 <= place < len(WINDOWS_S):
            self.book = FailureBook(WINDOWS_S[place])
            self.post_message(self.WindowChanged())
        else:
            self.app.bell()

    def _empty(self) -> Sequence[Line]:
        if not self.book.is_read:
            return _LOOKING
        words = f" nothing has failed in the {window_text(self.book.window_s)}"
        return (
            Line((("  ✓", "good"), (words, "text"))),
            Line(),
            Line((("  >", "key"), ("  looks further back", "dim"))),
        )

    def _first(self, view: FailureView, width: int) -> list[Span]:
        return self._since(view.first_ns)

    def _last(self, view: FailureView, width: int) -> list[Span]:
        return self._since(view.last_ns)

    def _since(self, at_ns: int) -> list[Span]:
        return [(short_age_text((self._now_ns - at_ns) / 1e9), "dim")]
