"""The event feed: everything that happens, as it happens, and fifty thousand lines back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.content import Content
from textual.message import Message

from naq_runtime.events.filters import EventFilter
from naq_runtime.events.models import JobEvent, ScheduleEvent, StoredEvent
from naq_tui.acts import JOB_ACTS, Act, ActKind, job_text
from naq_tui.commands import Scope, bindings
from naq_tui.equivalents import history_command
from naq_tui.model.line import Said, said
from naq_tui.model.log import EventLog, Filtered, LogView
from naq_tui.model.record import event_record, event_text
from naq_tui.state import Dashboard
from naq_tui.text import clip, inert
from naq_tui.widgets.feed_line import feed_spans
from naq_tui.widgets.line import EMPTY, Back, Line
from naq_tui.widgets.moves import Scrolling
from naq_tui.widgets.viewport import Viewport

__all__ = ["Feed"]

_SEARCH_PORTION = 3000
"""Lines that a filter looks through between two paints: about 10 ms of work."""

_FAINT = "$foreground 60%"
_NOT_REACHED = Line(((" nothing was reached yet", "dim"),))
_NONE_THEN = Line(((" nothing had happened by this moment", "dim"),))
_WAITING = Line(((" waiting for the first event", "dim"),))
_SEARCHING = Line(((" searching …", "dim"),))
_NO_MATCH = Line(((" nothing matches", "dim"),))


class Feed(Scrolling):
    """One line an event, the newest at the bottom."""

    NAME: ClassVar[str] = "Events"
    BINDINGS = bindings(Scope.FEED)
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.FEED, Scope.JOB_ACTS, Scope.MOVE)

    @dataclass
    class Opened(Message):
        """A job was chosen."""

        job_id: str

    @dataclass
    class ScheduleOpened(Message):
        """A schedule was chosen."""

        schedule_id: str

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(Viewport(following=True), id=id, classes=classes)
        self._log = EventLog()
        self._filtered: Filtered | None = None
        self._needle = ""
        self._now_ns: int | None = None
        """By the time of the source."""
        self._dashboard: Dashboard | None = None
        self._left_at = 0

    @property
    def needle(self) -> str:
        """The filter, as it was typed; empty for none."""
        return self._needle

    @property
    def searching(self) -> bool:
        """Whether the filter has more to look through."""
        return self._filtered is not None and not self._filtered.complete

    def show(self, dashboard: Dashboard, now_ns: int) -> None:
        """Show the log as it is now; of another dashboard from its newest line on."""
        self._now_ns = now_ns
        if dashboard is not self._dashboard:
            self._dashboard, self._log = dashboard, dashboard.log
            self._begin_anew(self._understood(self._needle))
        self.watch_log(dashboard.log)
        self.catch_up()

    def watch_log(self, log: EventLog) -> None:
        """Show this log, or a copy of the one that was shown: the positions stay."""
        self._log = log
        if self._filtered:
            self._filtered.log = log

    def hold(self) -> None:
        """Keep what is shown, whatever happens to the log."""
        self.watch_log(self._log.copy())

    def catch_up(self) -> None:
        """Take in what the log holds by now, and search a portion of it."""
        if self._filtered:
            self._filtered.advance(_SEARCH_PORTION)
        self._span()
        self.repaint()

    def set_filter(self, needle: str) -> None:
        """Show only the events that a filter lets through; all of them when it is empty.

        Raises:
            FilterError: it cannot be understood; what was shown stays.
        """
        if needle == self._needle:
            return
        wanted = self._understood(needle)
        self._needle = needle
        self._begin_anew(wanted)
        self.catch_up()

    @property
    def cursor_event(self) -> StoredEvent | None:
        """The event with the cursor."""
        return self._view.at(self.viewport.cursor) if len(self.viewport) else None

    def row_text(self) -> str:
        """The event with the cursor, with its date and all of its message."""
        stored = self.cursor_event
        return event_text(stored) if stored is not None else ""

    def equivalent(self) -> str:
        """What tells more of whatever the event is of."""
        stored = self.cursor_event
        return history_command(stored.event) if stored is not None else ""

    def records(self) -> Iterable[Mapping[str, object]]:
        """The events that the filter lets through, the oldest first."""
        log = self._log
        shown = self._filtered.all() if self._filtered else log.between(log.first, log.end)
        return map(event_record, shown)

    def line(self, y: int) -> Line:
        """An event of the window."""
        position = self.viewport.top + y
        if not len(self.viewport):
            return self._empty() if y == 0 else EMPTY
        if position >= self.viewport.end:
            return EMPTY
        what = said(self._view.at(position))
        return self.barred(feed_spans(what, self.size.width - 1), y, self._row_back(position, what))

    def moved(self) -> None:
        """The cursor has moved: away from the newest line, or back to it."""
        self._span()
        super().moved()

    def action_bottom(self) -> None:
        """Go to the newest line, and keep to it."""
        self.action_follow()

    def action_open(self) -> None:
        """Open the job, or the schedule, of the line with the cursor."""
        stored = self.cursor_event
        if stored is None:
            return
        event = stored.event
        if isinstance(event, JobEvent):
            self.post_message(self.Opened(event.job_id))
        elif isinstance(event, ScheduleEvent):
            self.post_message(self.ScheduleOpened(event.schedule_id))
        else:
            self.app.bell()

    def act(self, kind: ActKind) -> Act | None:
        """What is wanted of the job of the line with the cursor."""
        if kind not in JOB_ACTS or not len(self.viewport):
            return None
        event = self._view.at(self.viewport.cursor).event
        if not isinstance(event, JobEvent):
            return None
        return Act(kind, "job", (event.job_id,), about={event.job_id: job_text(event.function_name, event.queue_name)})

    def action_follow(self) -> None:
        """Keep to the newest line."""
        self.viewport.follow()
        self.moved()

    def on_resize(self) -> None:
        """The window has another height."""
        self.viewport.resize(self.size.height)

    def on_click(self, event: events.Click) -> None:
        """A click puts the cursor on a line; a double click opens its job."""
        offset = event.get_content_offset(self)
        if offset is not None and self.viewport.top + offset.y < self.viewport.end:
            self.viewport.go(self.viewport.top + offset.y)
            self.moved()
            if event.chain == 2:
                self.action_open()

    @property
    def _view(self) -> LogView:
        return self._filtered or self._log

    def _move(self, step: int) -> None:
        self.viewport.move(step)
        self._follow_again(step)

    def _wheel(self, event: events.MouseEvent, step: int) -> None:
        event.stop()
        self.viewport.scroll(step)
        self._follow_again(step)

    def _follow_again(self, step: int) -> None:
        if step > 0 and self.viewport.at_end:
            self.viewport.follow()
        self.moved()

    def _understood(self, needle: str) -> EventFilter:
        """A filter whose ages count from what is on show."""
        return EventFilter(needle, now_ns=self._now_ns)

    def _begin_anew(self, wanted: EventFilter) -> None:
        """Look for what is wanted in all of the log, and keep to its newest line."""
        self._filtered = None if wanted.is_empty else Filtered(self._log, wanted)
        self.viewport.following = True

    def _span(self) -> None:
        """Fit the window to what is there, and say in the border what is not on the screen."""
        view = self._view
        self.viewport.span(view.first, view.end)
        if self.viewport.following:
            self._left_at = view.end
        self.set_border(self.title(), self.subtitle())

    def title(self) -> Content:
        """The heading in the border, with what is not on the screen."""
        kept = f"{len(self.viewport):,}" if self._is_known else "-"
        if not self._filtered:
            return Content.assemble(self.NAME, " ", (kept, _FAINT), self._news())
        of = f"{kept} of {self._log.end - self._log.first:,}"
        more = " …" if self.searching else ""
        return Content.assemble(self.NAME, " ", (of + more, _FAINT), self._news())

    def _news(self) -> tuple[str, str]:
        fresh = self.viewport.end - self._left_at
        return (f"  ↓ {fresh:,} new", "bold $accent") if fresh > 0 else ("", "")

    def subtitle(self) -> Content:
        """The filter."""
        if not self._filtered:
            return Content("")
        return Content.assemble(("/ ", "bold $accent"), clip(inert(self.needle, 80), 40))

    @property
    def _is_known(self) -> bool:
        """Whether anybody has told what there is."""
        return self._log.end > 0 or (self._dashboard is not None and not self._dashboard.stale)

    def _empty(self) -> Line:
        if not self._filtered:
            link = self._dashboard.link if self._dashboard is not None else None
            if link is not None and link.is_past:
                return _NONE_THEN
            return _WAITING if self._is_known else _NOT_REACHED
        return _SEARCHING if self.searching else _NO_MATCH

    def _row_back(self, position: int, what: Said) -> Back:
        if position == self.viewport.cursor:
            if self.has_focus:
                return "cursor"
            if not self.viewport.following:
                return "cursor-blurred"
        return "bad" if what.mood == "bad" else ""
