"""The alerts, over whatever was on the screen before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from textual import on
from textual.app import ComposeResult

from naq_tui.acts import Act, ActKind
from naq_tui.commands import Scope, bindings
from naq_tui.screens.following import AlertsView
from naq_tui.state import Dashboard
from naq_tui.text import inert
from naq_tui.widgets.alerts import Alerts as Table
from naq_tui.widgets.alerts import measured
from naq_tui.widgets.footer import Footer
from naq_tui.widgets.status import Badge

__all__ = ["Alerts"]


class Alerts(AlertsView):
    """One table, which follows the latest snapshot."""

    BINDINGS = bindings(Scope.ALERTS)
    AUTO_FOCUS = "#table"
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.ALERTS,)
    HERE: ClassVar[str] = "alerts"
    IS_OVER: ClassVar[bool] = True

    def __init__(self, badge: Badge) -> None:
        super().__init__(badge, id="alerts")
        self._table = Table(id="table", classes="pane")

    def compose(self) -> ComposeResult:
        """The strip, the table and the footer."""
        yield self.status
        yield self._table
        yield Footer()

    def show_alerts(self, dashboard: Dashboard, now_ns: int) -> None:
        """All of them, in the table."""
        self._table.show(dashboard, now_ns)

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

    @on(Table.Opened)
    def _row_opened(self, event: Table.Opened) -> None:
        from naq_tui.screens.alert import AlertScreen

        event.stop()
        self.app.push_screen(AlertScreen(event.name, badge=self.badge))
