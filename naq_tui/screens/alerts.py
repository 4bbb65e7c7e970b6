"""The alerts, over whatever was on the screen before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from textual import on
from textual.app import ComposeResult

from naq_tui.acts import Act, ActKind
from naq_tui.commands import Scope, bindings
from naq_tui.model.seconds import SECOND_NS
from naq_tui.screens.view import View
from naq_tui.state import Dashboard
from naq_tui.text import inert
from naq_tui.widgets.alerts import Alerts as Table
from naq_tui.widgets.alerts import measured
from naq_tui.widgets.footer import Footer
from naq_tui.widgets.status import Badge, Status

__all__ = ["Alerts"]


class Alerts(View):
    """One table, which follows the latest snapshot."""

    BINDINGS = bindings(Scope.ALERTS)
    AUTO_FOCUS = "#table"
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.ALERTS,)
    HERE: ClassVar[str] = "alerts"
    IS_OVER: ClassVar[bool] = True

    def __init__(self, badge: Badge) -> None:
        super().__init__(id="alerts", classes="detail")
        self._badge = badge
        self._status = Status(badge)
        self._table = Table(id="table", classes="pane")
        self._painted: tuple[int, int] | None = None

    def compose(self) -> ComposeResult:
        """The strip, the table and the footer."""
        yield self._status
        yield self._table
        yield Footer()

    def show(self, dashboard: Dashboard, now_ns: int, behind: int | None) -> bool:
        """Show alerts that have changed, and all once a second for their ages."""
        self._status.show(dashboard, now_ns, behind)
        self.set_class(dashboard.stale and dashboard.heard_at_ns is not None, "-stale")
        moment_ns = dashboard.as_of(now_ns)
        what = (dashboard.versions.alerts, moment_ns // SECOND_NS)
        if what != self._painted and (behind is None or self._painted is None):
            self._painted = what
            self._table.show(dashboard, moment_ns)
        return False

    def act(self, kind: ActKind) -> Act | None:
        """What is wanted of the alerts that are marked, or of the one with the cursor."""
        return self._table.act(kind)

    def row_text(self) -> str:
        """The alert with the cursor, and its value."""
        row = next(iter(self._table.rows[self._table.viewport.cursor :]), None)
        if row is None:
            return ""
        value = f" {measured(row.record, row.alert)}" if row.alert is not None else ""
        return inert(f"{row.key}{value} ({row.state.value})")

    def equivalent(self) -> str:
        """There is one command for all of them."""
        return "naq alerts list"

    def records(self) -> Iterator[Mapping[str, object]]:
        """The alerts and rules, as they are shown."""
        return self._table.records()

    def action_open(self) -> None:
        """Open the alert with the cursor."""
        self._table.action_open()

    def action_back(self) -> None:
        """Go back."""
        self.dismiss()

    @on(Table.Opened)
    def _row_opened(self, event: Table.Opened) -> None:
        from naq_tui.screens.alert import AlertScreen

        event.stop()
        self.app.push_screen(AlertScreen(event.name, badge=self._badge))
