"""One alert, for as long as it lasts and after that."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.content import Content

from naq_tui.acts import Act, ActKind
from naq_tui.commands import Scope, bindings
from naq_tui.model.alerts import AlertRow
from naq_tui.pages.alert import alert_page
from naq_tui.pages.code import plain_lines
from naq_tui.screens.following import AlertsView
from naq_tui.state import Dashboard
from naq_tui.text import inert
from naq_tui.widgets.alerts import alert_act
from naq_tui.widgets.document import Document
from naq_tui.widgets.footer import Footer
from naq_tui.widgets.line import EMPTY
from naq_tui.widgets.status import Badge

__all__ = ["AlertScreen"]


class AlertScreen(AlertsView):
    """The page of an alert, or of a rule that has none; it follows the latest snapshot.

    Args:
        key: which, see `AlertRow.key`.
    """

    BINDINGS = bindings(Scope.BACK)
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.ALERT_ACTS, Scope.BACK)

    def __init__(self, key: str, *, badge: Badge) -> None:
        super().__init__(badge, id="alert")
        self._key = key
        self._row: AlertRow | None = None
        self._page = Document(lambda width: [EMPTY], classes="pane")

    def compose(self) -> ComposeResult:
        """The strip, the page and the footer."""
        yield self.status
        yield self._page
        yield Footer()

    def on_mount(self) -> None:
        """Paint what there is."""
        self._page.set_border(Content.assemble("Alert ", (inert(self._key, 64), "$foreground 75%")))
        self._page.focus()
        self.post_message(self.PaintWanted())

    def show_alerts(self, dashboard: Dashboard, now_ns: int) -> None:
        """The one that is meant, laid out anew."""
        row = self._row = dashboard.alerts.row(self._key)
        if row is None:
            text = "Its rule is not there any more."
            self._page.set_layout(lambda width: [EMPTY, *plain_lines(text, width)])
        else:
            self._page.set_layout(lambda width: alert_page(row, self._key, width, now_ns))

    def act(self, kind: ActKind) -> Act | None:
        """What is wanted of the alert."""
        return alert_act(kind, [self._row] if self._row is not None else [])
