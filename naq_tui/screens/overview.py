"""The overview: queues, throughput, workers and events on one screen."""

from __future__ import annotations

import contextlib
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content

from naq_runtime.events.filters import FilterError, finding
from naq_tui.acts import Act, ActKind
from naq_tui.commands import Scope, bindings
from naq_tui.model.known import known_values
from naq_tui.screens.view import FilteredView
from naq_tui.state import Dashboard
from naq_tui.widgets.chart import Chart
from naq_tui.widgets.feed import Feed
from naq_tui.widgets.filter import FilterBar, Known
from naq_tui.widgets.footer import Footer
from naq_tui.widgets.queues import Queues
from naq_tui.widgets.status import Badge, Status
from naq_tui.widgets.table import Table
from naq_tui.widgets.workers import Workers

__all__ = ["Overview"]

Pane = Queues | Chart | Workers | Feed


class Overview(FilteredView):
    """Four panes; where there is little room, three of them share a place as tabs."""

    BINDINGS = bindings(Scope.OVERVIEW)
    AUTO_FOCUS = "#feed"
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.OVERVIEW,)
    HERE: ClassVar[str] = "overview"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012  # Textual declares them so
    VERTICAL_BREAKPOINTS = [(0, "-tabs"), (30, "-stacked")]  # noqa: RUF012

    def __init__(self, badge: Badge) -> None:
        super().__init__(id="overview")
        self._status = Status(badge)
        self._queues = Queues(id="queues", classes="pane tab -active")
        self._chart = Chart(id="chart", classes="pane tab")
        self._workers = Workers(id="workers", classes="pane tab")
        self._feed = Feed(id="feed", classes="pane")
        self._painted: dict[str, int] = {}
        self._dashboard: Dashboard | None = None

    @property
    def panes(self) -> tuple[Pane, ...]:
        """In the order in which Tab visits them."""
        return (self._queues, self._chart, self._workers, self._feed)

    @property
    def filtered(self) -> Feed:
        """The events."""
        return self._feed

    @property
    def needle(self) -> str:
        """The text that events are filtered by."""
        return self._feed.needle

    def filter_by(self, needle: str) -> None:
        """Show only the events that this filter lets through; while it is none yet, those of the one before."""
        with contextlib.suppress(FilterError):
            self._feed.set_filter(needle)
        self.post_message(self.PaintWanted())

    def compose(self) -> ComposeResult:
        """The strip, the panes, the filter's line and the footer."""
        yield self._status
        yield Container(*self.panes, id="panes")
        yield FilterBar("words, queue:email type:failed duration>2s error:Timeout !type:heartbeat", self._known)
        yield Footer()

    def show(self, dashboard: Dashboard, now_ns: int, behind: int | None) -> bool:
        """Paint the strip, and the panes that are visible and have changed."""
        self._dashboard = dashboard
        self._status.show(dashboard, now_ns, behind)
        self.set_class(dashboard.stale and dashboard.heard_at_ns is not None, "-stale")
        if behind is not None:
            self._feed.catch_up()
        else:
            self._show_panes(dashboard, dashboard.as_of(now_ns), hidden=False)
        return self._feed.searching

    def hold(self, dashboard: Dashboard, now_ns: int) -> None:
        """Bring even hidden panes up to now, and keep the events as they are."""
        self._show_panes(dashboard, dashboard.as_of(now_ns), hidden=True)
        self._feed.hold()

    def act(self, kind: ActKind) -> Act | None:
        """What is wanted in the pane with the focus."""
        pane = self.focused
        return pane.act(kind) if isinstance(pane, Queues | Workers | Feed) else None

    def action_next_pane(self) -> None:
        """Go to the next pane."""
        self._step(1)

    def action_previous_pane(self) -> None:
        """Go to the pane before."""
        self._step(-1)

    def action_zoom(self) -> None:
        """Give the pane with the focus the whole screen, or give it back."""
        self._zoom(None if self._zoomed else self._focused_pane())

    def action_filter(self) -> None:
        """Type a filter for the events."""
        if self._zoomed:
            self._zoom(self._feed)
        super().action_filter()

    def action_back(self) -> None:
        """Leave the zoom, or else clear the filter."""
        if self._zoomed:
            self._zoom(None)
        else:
            self._feed.set_filter("")

    @on(Table.Opened)
    def _row_opened(self, event: Table.Opened) -> None:
        event.stop()
        self.filter_by(finding(event.name))
        self._reveal(self._feed)

    @on(Feed.Opened)
    def _line_opened(self, event: Feed.Opened) -> None:
        event.stop()
        self.post_message(self.JobWanted(event.job_id))

    @on(Feed.ScheduleOpened)
    def _schedule_opened(self, event: Feed.ScheduleOpened) -> None:
        event.stop()
        self.post_message(self.ScheduleWanted(event.schedule_id))

    def on_resize(self, event: events.Resize) -> None:
        """Other panes may be visible now."""
        self.call_after_refresh(self._changed_panes)

    def on_descendant_focus(self) -> None:
        """The tab with the focus is the one that is shown."""
        super().on_descendant_focus()
        pane = self.focused
        if pane in self.panes and pane is not self._feed:
            for tab in self.panes:
                tab.set_class(tab is pane, "-active")
            self._changed_panes()

    def _known(self) -> Known:
        return known_values(self._dashboard) if self._dashboard is not None else {}

    @property
    def _zoomed(self) -> bool:
        return self.has_class("-zoomed")

    def _focused_pane(self) -> Pane:
        return next((pane for pane in self.panes if pane.has_focus), self._feed)

    def _step(self, step: int) -> None:
        panes = self.panes
        self._reveal(panes[(panes.index(self._focused_pane()) + step) % len(panes)])

    def _reveal(self, pane: Pane) -> None:
        """Give a pane the focus, wherever it is."""
        if self._zoomed:
            self._zoom(pane)
        if pane is not self._feed:
            for tab in self.panes:
                tab.set_class(tab is pane, "-active")
        self.set_focus(pane)

    def _zoom(self, zoomed: Pane | None) -> None:
        self.set_class(zoomed is not None, "-zoomed")
        for pane in self.panes:
            pane.set_class(pane is zoomed, "-zoomed")
        self._changed_panes()

    def _changed_panes(self) -> None:
        """Other panes are visible, or others share a place: paint them, and write their borders."""
        for pane in self.panes:
            self._write_border(pane)
        self.post_message(self.PaintWanted())

    def _show_panes(self, dashboard: Dashboard, now_ns: int, *, hidden: bool) -> None:
        for pane in self.panes:
            version = getattr(dashboard.versions, str(pane.id))
            searching = pane is self._feed and self._feed.searching
            if (hidden or pane.display) and (searching or self._painted.get(str(pane.id)) != version):
                self._painted[str(pane.id)] = version
                pane.show(dashboard, now_ns)
                self._write_border(pane)

    def _write_border(self, pane: Pane) -> None:
        shared = self.has_class("-tabs") and not self._zoomed and pane is not self._feed
        pane.set_border(self._tabs(pane) if shared else pane.title(), pane.subtitle())

    def _tabs(self, shown: Pane) -> Content:
        """The titles of the panes that share a place, the one that is shown first among equals."""
        titles = [
            pane.title() if pane is shown else Content.styled(pane.NAME, "not bold $foreground 45%")
            for pane in self.panes[:-1]
        ]
        return Content.styled("  ", "$foreground 45%").join(titles)
