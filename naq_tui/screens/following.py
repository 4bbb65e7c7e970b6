"""A view of alerts: it follows the latest snapshot, and lets ages go on."""

from __future__ import annotations

from naq_tui.model.seconds import SECOND_NS
from naq_tui.screens.view import View
from naq_tui.state import Dashboard
from naq_tui.widgets.status import Badge, Status

__all__ = ["AlertsView"]


class AlertsView(View):
    """Under the strip; it is painted when alerts have changed, and once a second."""

    def __init__(self, badge: Badge, *, id: str) -> None:
        super().__init__(id=id, classes="detail")
        self.badge = badge
        self.status = Status(badge)
        self._painted: tuple[int, int] | None = None

    def show_alerts(self, dashboard: Dashboard, now_ns: int) -> None:
        """Show them as they are at this moment."""
        raise NotImplementedError

    def show(self, dashboard: Dashboard, now_ns: int, behind: int | None) -> bool:
        """Show what has changed; a view that is frozen shows what there was when it was opened."""
        self.status.show(dashboard, now_ns, behind)
        self.set_class(dashboard.stale and dashboard.heard_at_ns is not None, "-stale")
        moment_ns = dashboard.as_of(now_ns)
        what = (dashboard.versions.alerts, moment_ns // SECOND_NS)
        if what != self._painted and (behind is None or self._painted is None):
            self._painted = what
            self.show_alerts(dashboard, moment_ns)
        return False

    def action_back(self) -> None:
        """Go back."""
        self.dismiss()
