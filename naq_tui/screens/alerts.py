"""The alerts, over whatever was on the screen before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.content import Content

from naq_tui.commands import Scope, bindings
from naq_tui.equivalents import command_line
from naq_tui.model.alerts import AlertBook
from naq_tui.model.seconds import SECOND_NS
from naq_tui.pages.alerts import alerts_page
from naq_tui.screens.view import View
from naq_tui.state import Dashboard
from naq_tui.text import iso_text
from naq_tui.widgets.document import Document
from naq_tui.widgets.footer import Footer
from naq_tui.widgets.line import EMPTY
from naq_tui.widgets.status import Badge, Status

__all__ = ["Alerts"]


class Alerts(View):
    """One page, which follows the latest snapshot."""

    BINDINGS = bindings(Scope.BACK)
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.BACK,)
    HERE: ClassVar[str] = "alerts"
    IS_OVER: ClassVar[bool] = True

    def __init__(self, badge: Badge) -> None:
        super().__init__(id="alerts", classes="detail")
        self._status = Status(badge)
        self._page = Document(lambda width: [EMPTY], classes="pane")
        self._painted: tuple[int, int] | None = None
        self._book: AlertBook | None = None

    def compose(self) -> ComposeResult:
        """The strip, the page and the footer."""
        yield self._status
        yield self._page
        yield Footer()

    def on_mount(self) -> None:
        """Paint what there is."""
        self._page.set_border(Content("Alerts"))
        self._page.focus()
        self.post_message(self.PaintWanted())

    def show(self, dashboard: Dashboard, now_ns: int, behind: int | None) -> bool:
        """Lay the page out again when alerts have changed, and once a second for their ages."""
        self._status.show(dashboard, now_ns, behind)
        self.set_class(dashboard.stale and dashboard.heard_at_ns is not None, "-stale")
        moment_ns = dashboard.as_of(now_ns)
        what = (dashboard.versions.alerts, moment_ns // SECOND_NS)
        if what != self._painted and (behind is None or self._painted is None):
            self._painted, self._book = what, dashboard.alerts
            self._page.set_layout(lambda width: alerts_page(dashboard.alerts, width, moment_ns))
        return False

    def equivalent(self) -> str:
        """What lists them in a shell."""
        return command_line("alerts", "list")

    def records(self) -> Iterable[Mapping[str, object]]:
        """The alerts that are pending or fire, with their rules."""
        return [
            {
                "alert": record.name,
                "severity": record.severity,
                "rule": record.rule,
                "state": alert.state.value,
                "labels": alert.labels,
                "value": alert.value,
                "since": iso_text(alert.since_ns),
            }
            for record in (self._book.records if self._book is not None else ())
            for alert in record.alerts
        ]

    def action_back(self) -> None:
        """Go back."""
        self.dismiss()
