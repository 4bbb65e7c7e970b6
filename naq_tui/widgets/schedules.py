"""The schedules: what comes when, and whether it came in time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual.content import Content

from naq_runtime.events.messages import duration_text
from naq_runtime.schedule import ScheduleState
from naq_tui.acts import Act, ActKind
from naq_tui.commands import Scope
from naq_tui.equivalents import schedule_command
from naq_tui.model.schedules import ScheduleView
from naq_tui.model.timing import STATES, schedule_act, when_text
from naq_tui.state import Dashboard
from naq_tui.text import clip, count_text, countdown_text, inert, short_age_text
from naq_tui.widgets.columns import Column, dotted
from naq_tui.widgets.feed_line import TONES
from naq_tui.widgets.line import Line, Span
from naq_tui.widgets.table import Table
from naq_tui.widgets.waiting import waiting_lines

__all__ = ["Schedules"]

_NAME = 30
"""Cells for the name of a function, where there is room."""
_NEVER = float("inf")
_ASKING = (Line(((" asking for the schedules …", "dim"),)),)
_NO_MATCH = (Line(((" nothing matches", "dim"),)),)
_NO_SCHEDULES = (
    Line(((" no schedules yet", "text"),)),
    Line(),
    Line(((" naq schedule add …", "key"), ("  makes one", "dim"))),
    Line(((" naq run-scheduler", "key"), ("  has its jobs made", "dim"))),
)


def _id(view: ScheduleView, width: int) -> list[Span]:
    return [(inert(view.schedule_id, 64), "name")]


def _queue(view: ScheduleView, width: int) -> list[Span]:
    return [(inert(view.schedule.queue_name, 64), "name")]


def _function(view: ScheduleView, width: int) -> list[Span]:
    return [(dotted(view.schedule.function_name, width, _NAME), "text")]


def _lag(view: ScheduleView, width: int) -> list[Span]:
    lag = view.lag_ms
    if lag is None:
        return [("-", "faint")]
    return [(duration_text(lag), "warn" if lag >= 1000 else "dim")]


def _ticks(view: ScheduleView, width: int) -> list[Span]:
    return [(count_text(view.schedule.ticks), "text" if view.schedule.ticks else "faint")]


def _missed(view: ScheduleView, width: int) -> list[Span]:
    missed = view.schedule.missed_ticks
    return [(count_text(missed), "warn" if missed else "faint")]


def _left(view: ScheduleView, width: int) -> list[Span]:
    left = view.schedule.repeat
    return [("-", "faint")] if left is None else [(count_text(left), "text")]


def _left_order(view: ScheduleView) -> float:
    return _NEVER if view.schedule.repeat is None else view.schedule.repeat


class Schedules(Table[ScheduleView]):
    """One row a schedule; the one that is due next comes first."""

    NAME: ClassVar[str] = "Schedules"
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.SCHEDULE_ACTS, Scope.SORT, Scope.MARK, Scope.MOVE)

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        self._now_ns = 0
        due = Column("next", 11, self._next, lambda v: v.fires_at_ns or _NEVER, rank=1, descending=False)
        super().__init__(
            (
                Column("schedule", 14, _id, lambda v: v.schedule_id, "left", 0, most=40, descending=False),
                Column("state", 8, self._state, lambda v: v.schedule.state.value, "left", 1, descending=False),
                Column(
                    "when", 16, self._when, lambda v: when_text(v.schedule, 0), "left", 2, most=42, descending=False
                ),
                due,
                Column("last ago", 9, self._last, lambda v: -v.schedule.latest_ns, rank=3, descending=False),
                Column("lag", 8, _lag, lambda v: -1.0 if v.lag_ms is None else v.lag_ms, rank=7),
                Column("ticks", 6, _ticks, lambda v: v.schedule.ticks, rank=4),
                Column("missed", 7, _missed, lambda v: v.schedule.missed_ticks, rank=6),
                Column("left", 6, _left, _left_order, rank=11, descending=False),
                Column("queue", 7, _queue, lambda v: v.schedule.queue_name, "left", 8, most=24, descending=False),
                Column(
                    "function",
                    12,
                    _function,
                    lambda v: v.schedule.function_name,
                    "left",
                    9,
                    most=_NAME,
                    descending=False,
                ),
            ),
            sorted_by=due,
            id=id,
            classes=classes,
        )
        self._needle = ""
        self._dashboard: Dashboard | None = None

    def key(self, row: ScheduleView) -> str:
        """The schedule's id."""
        return row.schedule_id

    def command(self, row: ScheduleView) -> str:
        """What shows the schedule in a shell."""
        return schedule_command(row.schedule_id)

    @property
    def needle(self) -> str:
        """The text that is filtered by; empty for none."""
        return self._needle

    def set_filter(self, needle: str) -> None:
        """Show only schedules whose text contains this; a capital letter makes case count."""
        if needle != self._needle:
            self._needle = needle
            self._show_all()

    def show(self, dashboard: Dashboard, now_ns: int) -> None:
        """Show what has changed since the last time."""
        is_another = dashboard is not self._dashboard
        self._dashboard, self._now_ns = dashboard, now_ns
        changes = dashboard.schedules.drain()
        self._hint = self._hint_of(dashboard)
        if changes.whole or is_another:
            self._show_all()
        elif changes.changed or changes.gone:
            shown = [view for view in changes.changed.values() if self._matches(view)]
            hidden = [view.schedule_id for view in changes.changed.values() if not self._matches(view)]
            self.change_rows(shown, {*changes.gone, *hidden})
        else:
            self.repaint()

    def act(self, kind: ActKind) -> Act | None:
        """What is wanted of the schedules that are chosen."""
        return schedule_act(kind, [view.schedule for view in self.chosen], self._now_ns)

    def tick(self, now_ns: int) -> None:
        """Let the countdowns of the rows on the screen go on."""
        self._now_ns = now_ns
        self.repaint()

    def title(self) -> Content:
        """The heading in the border."""
        book = self._dashboard.schedules if self._dashboard is not None else ()
        of = f"{count_text(len(self.rows))} of {count_text(len(book))}" if self._needle else count_text(len(book))
        if self._dashboard is not None and self._dashboard.schedules.more:
            of += " read so far …"
        return Content.assemble(self.NAME, " ", (of, "$foreground 60%"))

    def subtitle(self) -> Content:
        """The filter."""
        if not self._needle:
            return Content("")
        return Content.assemble(("/ ", "bold $accent"), clip(inert(self._needle, 80), 40))

    def _show_all(self) -> None:
        if self._dashboard is None:
            return
        self._hint = self._hint_of(self._dashboard)
        views = self._dashboard.schedules.views()
        self.set_rows([view for view in views if self._matches(view)] if self._needle else views, self._hint)

    def _matches(self, view: ScheduleView) -> bool:
        if self._needle != self._needle.lower():
            return self._needle in view.search_text
        return self._needle in view.search_text.lower()

    def _hint_of(self, dashboard: Dashboard) -> Sequence[Line]:
        book = dashboard.schedules
        if book.mark is None:
            return waiting_lines(dashboard.link) if dashboard.stale else _ASKING
        return _NO_MATCH if len(book) and self._needle else _NO_SCHEDULES

    def _state(self, view: ScheduleView, width: int) -> list[Span]:
        if view.late_ns(self._now_ns):
            return [("! late", "warn")]
        if view.schedule.held_ns and view.schedule.state is ScheduleState.ACTIVE:
            return [("⋯ held", "dim")]
        text, mood = STATES[view.schedule.state]
        return [(text, TONES[mood])]

    def _when(self, view: ScheduleView, width: int) -> list[Span]:
        """Where there is little room, the word ``cron`` gives way to the expression, the time of day to the date."""
        text = when_text(view.schedule, self._now_ns, utc=False)
        if cell_len(text) > width:
            text = text.rpartition(" ")[0] if view.schedule.at_ns else text.removeprefix("cron ")
        return [(text, "text")]

    def _next(self, view: ScheduleView, width: int) -> list[Span]:
        if not view.fires_at_ns:
            return [("-", "faint")]
        late_ns = view.late_ns(self._now_ns)
        if late_ns:
            return [(f"late {short_age_text(late_ns / 1e9)}", "warn")]
        left_s = (view.fires_at_ns - self._now_ns) / 1e9
        return [(countdown_text(left_s), "accent" if left_s < 10 else "text")]

    def _last(self, view: ScheduleView, width: int) -> list[Span]:
        ran_ns = view.schedule.latest_ns
        if not ran_ns:
            return [("-", "faint")]
        return [(short_age_text((self._now_ns - ran_ns) / 1e9), "dim")]
