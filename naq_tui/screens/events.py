"""All events: those that come, those that came, as far back as the server has them; and one of them in full."""

from __future__ import annotations

import contextlib
from collections.abc import Hashable, Sequence
from typing import ClassVar

from textual import on
from textual.content import Content

from naq_runtime.errors import NaqError
from naq_runtime.events.filters import FilterError
from naq_runtime.events.models import JobEvent
from naq_tui.acts import Act, ActKind
from naq_tui.commands import Scope, bindings
from naq_tui.model.known import known_values
from naq_tui.pages.event import event_page
from naq_tui.questions import Questions
from naq_tui.screens.paned import Paned
from naq_tui.state import Dashboard
from naq_tui.widgets.deep_feed import DeepFeed
from naq_tui.widgets.filter import FilterBar, Known
from naq_tui.widgets.line import EMPTY, Line
from naq_tui.widgets.status import Badge

__all__ = ["Events"]

_PAGE = 1_000
"""Events that are asked for at a time."""


class Events(Paned):
    """The feed, and all that the event with the cursor says."""

    BINDINGS = bindings(Scope.EVENTS)
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.EVENTS, Scope.PANED)
    HERE: ClassVar[str] = "events"
    details_change: ClassVar[bool] = False

    def __init__(self, badge: Badge) -> None:
        self._feed = DeepFeed(id="feed", classes="pane")
        hint = "words, queue:email type:failed duration>2s error:Timeout !type:heartbeat"
        super().__init__(badge, self._feed, name="events", bar=FilterBar(hint, self._known))

    @property
    def unfinished(self) -> bool:
        """Whether the filter has more to look through."""
        return self._feed.searching

    def filter_by(self, needle: str) -> None:
        """Show only the events that this filter lets through; while it is none yet, those of the one before."""
        with contextlib.suppress(FilterError):
            super().filter_by(needle)
        self.post_message(self.PaintWanted())

    def version(self, dashboard: Dashboard) -> int:
        """Events that came."""
        return dashboard.versions.feed

    def act(self, kind: ActKind) -> Act | None:
        """The job of the event is retried, cancelled or deleted."""
        stored = self._feed.cursor_event
        if kind not in (ActKind.RETRY, ActKind.CANCEL, ActKind.DELETE) or stored is None:
            return None
        event = stored.event
        return Act(kind, "job", (event.job_id,)) if isinstance(event, JobEvent) and event.job_id else None

    def hold(self, dashboard: Dashboard, now_ns: int) -> None:
        """Keep the events as they are."""
        self._feed.show(dashboard, now_ns)
        self._feed.hold()

    def detail_of(self) -> Hashable:
        """The sequence of the event; while the newest is followed, they take turns only once a second."""
        stored = self._feed.cursor_event
        if stored is None:
            return None
        return "newest" if self._feed.viewport.following else stored.sequence

    def detail_title(self) -> Content:
        """That it is the newest, or the one with the cursor."""
        return Content("Newest event" if self._feed.viewport.following else "Event")

    def detail_lines(self, dashboard: Dashboard, width: int, now_ns: int) -> Sequence[Line]:
        """See `event_page`."""
        stored = self._feed.cursor_event
        return event_page(stored, width, now_ns) if stored is not None else [EMPTY]

    @on(DeepFeed.EarlierWanted)
    def _earlier_wanted(self, event: DeepFeed.EarlierWanted) -> None:
        event.stop()
        self.post_message(self.AnswerWanted("earlier events", lambda questions: self._take_earlier(questions, event)))

    @on(DeepFeed.Opened)
    def _job_opened(self, event: DeepFeed.Opened) -> None:
        event.stop()
        self.post_message(self.JobWanted(event.job_id))

    @on(DeepFeed.ScheduleOpened)
    def _schedule_opened(self, event: DeepFeed.ScheduleOpened) -> None:
        event.stop()
        self.post_message(self.ScheduleWanted(event.schedule_id))

    async def _take_earlier(self, questions: Questions, asked: DeepFeed.EarlierWanted) -> None:
        try:
            page = await questions.events_before(asked.before, _PAGE, asked.needle)
        except NaqError as error:
            self._feed.fail(str(error))
        else:
            self._feed.take(asked, page)

    def _show_frozen(self) -> bool:
        self._feed.catch_up()
        super()._show_frozen()
        return self.unfinished

    def _known(self) -> Known:
        return known_values(self._dashboard) if self._dashboard is not None else {}
