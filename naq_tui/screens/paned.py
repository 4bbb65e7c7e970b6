"""A full screen of rows, and beside or below them what is known of the row with the cursor."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content

from naq_tui.commands import Scope, bindings
from naq_tui.model.seconds import SECOND_NS
from naq_tui.screens.view import FilteredView
from naq_tui.state import Dashboard
from naq_tui.text import clip, inert
from naq_tui.widgets.deep_feed import DeepFeed
from naq_tui.widgets.document import Document
from naq_tui.widgets.filter import FilterBar
from naq_tui.widgets.footer import Footer
from naq_tui.widgets.line import EMPTY, Line
from naq_tui.widgets.moves import Scrolling
from naq_tui.widgets.queues import AllQueues
from naq_tui.widgets.status import Badge, Status
from naq_tui.widgets.workers import AllWorkers

__all__ = ["Paned"]

Main = AllQueues | AllWorkers | DeepFeed


class Paned(FilteredView):
    """The rows in the main pane, the details in the other; where there is little room, only when they are asked for.

    Args:
        main: the pane of the rows.
        name: what it is, for its style and its place.
    """

    BINDINGS = bindings(Scope.PANED)
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.PANED,)
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide"), (170, "-broad")]  # noqa: RUF012  # Textual declares it so

    details_change: ClassVar[bool] = True
    """Whether what is known of a row changes with the rows."""
    asks_of_row: ClassVar[bool] = False
    """Whether there is something to ask of the row with the cursor."""

    def __init__(self, badge: Badge, main: Main, *, name: str, bar: FilterBar) -> None:
        super().__init__(id=name, classes="paned")
        self._status = Status(badge)
        self._main = main
        self._details = Document(lambda width: [], id="details", classes="pane")
        self._bar = bar
        self._dashboard: Dashboard | None = None
        self._now_ns = 0
        self._painted: Hashable = None
        self._detailed: Hashable = None
        self._trouble = ""

    def version(self, dashboard: Dashboard) -> int:
        """A number that grows when the rows have changed."""
        raise NotImplementedError

    def detail_of(self) -> Hashable:
        """What tells the row with the cursor from others; ``None`` when there is none."""
        raise NotImplementedError

    def detail_title(self) -> Content:
        """The heading of the details."""
        raise NotImplementedError

    def detail_lines(self, dashboard: Dashboard, width: int, now_ns: int) -> Sequence[Line]:
        """What is known of the row with the cursor."""
        raise NotImplementedError

    def ask(self, dashboard: Dashboard, now_ns: int) -> None:
        """Ask for what no event tells, when it is time."""

    def set_trouble(self, reason: str) -> None:
        """Say why something could not be asked for; nothing when it is empty."""
        self._trouble = reason
        self._write_border()

    def repaint(self) -> None:
        """Show the rows anew, although the dashboard has not changed."""
        self._painted = None
        self.post_message(self.PaintWanted())

    def renew_details(self) -> None:
        """Lay the details out again: there is an answer."""
        self._detailed = None
        self._show_details()

    @property
    def filtered(self) -> Scrolling:
        """The rows."""
        return self._main

    @property
    def needle(self) -> str:
        """The text that rows are filtered by."""
        return self._main.needle

    def filter_by(self, needle: str) -> None:
        """Show only the rows that match."""
        self._main.set_filter(needle)
        self._write_border()
        self._show_details()

    def compose(self) -> ComposeResult:
        """The strip, the panes, the filter's line and the footer."""
        yield self._status
        yield Container(self._main, self._details, id="panes")
        yield self._bar
        yield Footer()

    def on_mount(self) -> None:
        """The keys go to the rows."""
        self._write_border()
        self.set_focus(self._main)

    def on_screen_resume(self) -> None:
        """It is visible, for the first time or again."""
        self._detailed = None
        super().on_screen_resume()

    def show(self, dashboard: Dashboard, now_ns: int, behind: int | None) -> bool:
        """Paint what has changed, and ask for what is old."""
        self._status.show(dashboard, now_ns, behind)
        self.set_class(dashboard.stale and dashboard.heard_at_ns is not None, "-stale")
        if dashboard is not self._dashboard:
            self._dashboard, self._painted, self._detailed = dashboard, None, None
        if behind is not None and self._painted is not None:
            return self._show_frozen()
        self._now_ns = dashboard.as_of(now_ns)
        if not dashboard.stale:
            self.ask(dashboard, self._now_ns)
        version = (id(dashboard), self.version(dashboard))
        if version != self._painted or self.unfinished:
            self._painted = version
            self._main.show(dashboard, self._now_ns)
            self._write_border()
            if self.details_change and isinstance(self._detailed, tuple):
                self._detailed = (self._detailed[0], None)  # the same row, and no longer as it was
        self._show_details()
        return self.unfinished

    @property
    def unfinished(self) -> bool:
        """Whether there is more to look through before all rows are there."""
        return False

    def hold(self, dashboard: Dashboard, now_ns: int) -> None:
        """The rows stay as they are: nothing changes them but `show`."""

    def action_details(self) -> None:
        """Show the details, or hide them."""
        self.toggle_class("-turned")
        if not self._details.display and self._details.has_focus:
            self.set_focus(self._main)
        self.call_after_refresh(self._show_details)

    def action_next_pane(self) -> None:
        """Go to the other pane, if it is there."""
        there = self._details if self._main.has_focus and self._details.display else self._main
        self.set_focus(there)

    def action_back(self) -> None:
        """Go back to the rows, then clear the filter, then go to the overview."""
        if self._details.has_focus:
            self.set_focus(self._main)
        elif self.needle:
            self.filter_by("")
        else:
            self.dismiss()

    def action_open(self) -> None:
        """Open the row with the cursor, from the details, too."""
        self._main.action_open()

    @property
    def _shown(self) -> Scrolling:
        """What is copied and written is of the rows."""
        return self._main

    @on(Scrolling.Moved)
    def _moved(self, event: Scrolling.Moved) -> None:
        event.stop()
        self._show_details()
        if self.asks_of_row:
            self.post_message(self.PaintWanted())

    def on_resize(self) -> None:
        """The details may be visible now."""
        self.call_after_refresh(self._show_details)

    def _show_frozen(self) -> bool:
        """The rows stay; one can look at the details of each."""
        if self.asks_of_row and self._dashboard is not None and not self._dashboard.stale:
            self.ask(self._dashboard, self._now_ns)
        self._show_details()
        return False

    def _show_details(self) -> None:
        """Lay the details out again when they are of another row, or of another second."""
        dashboard = self._dashboard
        if dashboard is None or not self._details.display:
            return
        what = (self.detail_of(), self._now_ns // SECOND_NS)
        if what == self._detailed:
            return
        same_row = isinstance(self._detailed, tuple) and self._detailed[0] == what[0]
        self._detailed = what
        now_ns = self._now_ns
        if what[0] is None:
            lines: Sequence[Line] = (EMPTY, Line((("  nothing is selected", "dim"),)))
            self._details.set_layout(lambda width: lines)
        else:
            self._details.set_layout(lambda width: self.detail_lines(dashboard, width, now_ns))
        if not same_row:
            self._details.action_top()
        self._details.set_border(self.detail_title())

    def _write_border(self) -> None:
        subtitle = self._main.subtitle()
        if self._trouble:
            subtitle = Content.assemble((f"! {clip(inert(self._trouble), 70)}  ", "bold $warning"), subtitle)
        self._main.set_border(self._main.title(), subtitle)
