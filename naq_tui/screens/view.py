"""What every full screen of the monitor has in common."""

from __future__ import annotations

from typing import ClassVar

from textual.message import Message
from textual.screen import Screen

from naq_tui.commands import Scope
from naq_tui.state import Dashboard
from naq_tui.widgets.footer import Footer

__all__ = ["View"]


class View(Screen[None]):
    """A screen that shows the dashboard when it is told to."""

    SCOPES: ClassVar[tuple[Scope, ...]] = ()

    class PaintWanted(Message):
        """Something is visible now that was not painted lately."""

    def show(self, dashboard: Dashboard, now_ns: int, behind: int | None) -> bool:
        """Paint what has changed; true when there is more to do soon. ``behind`` is not ``None`` while frozen."""
        raise NotImplementedError

    def hold(self, dashboard: Dashboard, now_ns: int) -> None:
        """Make sure that what is shown stays as it is now."""

    def scopes(self) -> tuple[Scope, ...]:
        """The places whose commands work now, the innermost first."""
        focused: tuple[Scope, ...] = getattr(self.focused, "SCOPES", ())
        if Scope.TYPING in focused:
            return focused
        return (*focused, *self.SCOPES, Scope.APP)

    def on_descendant_focus(self) -> None:
        """Other keys work now."""
        self._name_keys()

    def on_descendant_blur(self) -> None:
        """Other keys work now."""
        self._name_keys()

    def _name_keys(self) -> None:
        for footer in self.query(Footer):
            footer.show(self.scopes())
