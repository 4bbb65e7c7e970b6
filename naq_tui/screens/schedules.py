"""The schedules: what comes again and again, and who sees to it."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult

from naq_tui.acts import Act, ActKind
from naq_tui.commands import Scope, bindings
from naq_tui.model.seconds import SECOND_NS
from naq_tui.screens.view import FilteredView
from naq_tui.state import Dashboard
from naq_tui.widgets.filter import FilterBar
from naq_tui.widgets.footer import Footer
from naq_tui.widgets.lead import Lead
from naq_tui.widgets.schedules import Schedules as Table
from naq_tui.widgets.status import Badge, Status

__all__ = ["Schedules"]

_ASK_NS = 9 * SECOND_NS // 10
"""Asked once a second, since time is let pass so often; nothing is asked while it is hidden."""


class Schedules(FilteredView):
    """One table, under a line that says who leads."""

    BINDINGS = bindings(Scope.SCHEDULES)
    AUTO_FOCUS = "#table"
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.SCHEDULES,)
    HERE: ClassVar[str] = "schedules"

    def __init__(self, badge: Badge) -> None:
        super().__init__(id="schedules")
        self._status = Status(badge)
        self._lead = Lead()
        self._table = Table(id="table", classes="pane")
        self._painted = -1
        self._painted_s = -1
        self._asked_ns: int | None = None

    @property
    def filtered(self) -> Table:
        """The table."""
        return self._table

    @property
    def needle(self) -> str:
        """The text that schedules are filtered by."""
        return self._table.needle

    def filter_by(self, needle: str) -> None:
        """Show only schedules that contain this."""
        self._table.set_filter(needle)
        self._write_border()

    def compose(self) -> ComposeResult:
        """The strip, the line of the leader, the table, the filter's line and the footer."""
        yield self._status
        yield self._lead
        yield self._table
        yield FilterBar("text to look for in the schedules")
        yield Footer()

    def on_mount(self) -> None:
        """Paint what there is."""
        self._write_border()

    def on_screen_resume(self) -> None:
        """It is visible, for the first time or again."""
        self._painted_s = -1
        super().on_screen_resume()

    def show(self, dashboard: Dashboard, now_ns: int, behind: int | None) -> bool:
        """Ask again when it is time, and paint what has changed."""
        self._status.show(dashboard, now_ns, behind)
        self.set_class(dashboard.stale and dashboard.heard_at_ns is not None, "-stale")
        if behind is None or dashboard.schedules.mark is None:
            self._ask(dashboard, now_ns)
        if behind is None or self._painted < 0:
            self._show(dashboard, dashboard.as_of(now_ns))
        return False

    def act(self, kind: ActKind) -> Act | None:
        """What is wanted of the schedules that are marked, or of the one with the cursor."""
        return self._table.act(kind)

    def action_open(self) -> None:
        """Open the schedule with the cursor."""
        self._table.action_open()

    def action_back(self) -> None:
        """Clear the filter, or else go back to the overview."""
        if self.needle:
            self.filter_by("")
        else:
            self.dismiss()

    @on(Table.Opened)
    def _row_opened(self, event: Table.Opened) -> None:
        event.stop()
        self.post_message(self.ScheduleWanted(event.name))

    def _ask(self, dashboard: Dashboard, now_ns: int) -> None:
        if dashboard.stale or (self._asked_ns is not None and 0 <= now_ns - self._asked_ns < _ASK_NS):
            return
        self._asked_ns = now_ns
        self.post_message(self.SchedulesWanted())

    def _show(self, dashboard: Dashboard, now_ns: int) -> None:
        version, second = dashboard.versions.schedules, now_ns // SECOND_NS
        if version != self._painted:
            self._painted = version
            self._table.show(dashboard, now_ns)
            self._write_border()
        elif second != self._painted_s:
            self._table.tick(now_ns)
        else:
            return
        self._painted_s = second
        self._lead.show(dashboard.schedules, now_ns)

    def _write_border(self) -> None:
        self._table.set_border(self._table.title(), self._table.subtitle())
