"""The keys and the wheel that every scrolling widget shares."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.message import Message

from naq_tui.commands import Scope, bindings
from naq_tui.widgets.columns import fitted
from naq_tui.widgets.flow import width_of
from naq_tui.widgets.line import Back, Line, LineWidget, Span
from naq_tui.widgets.viewport import THUMB, Viewport, scrollbar

__all__ = ["WHEEL_LINES", "Scrolling"]

WHEEL_LINES = 3


class Scrolling(LineWidget, can_focus=True):
    """A widget of lines with a viewport; what moves is up to `moved`."""

    BINDINGS = bindings(Scope.MOVE)

    class Moved(Message):
        """The cursor, or the window, is elsewhere."""

    def __init__(self, viewport: Viewport, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.viewport = viewport

    def moved(self) -> None:
        """Show that the cursor or the window has moved."""
        self.post_message(self.Moved())
        self.repaint()

    def barred(self, spans: Sequence[Span], y: int, back: Back = "") -> Line:
        """A line of the window, with its cell of the scroll bar when there is more than fits."""
        bar = scrollbar(self.viewport, y)
        if not bar:
            return Line(tuple(spans), back)
        shown = fitted(spans, self.size.width - 1)
        blank = " " * (self.size.width - 1 - width_of(shown))
        return Line((*shown, (blank, "text"), (bar, "dim" if bar == THUMB else "faint")), back)

    def action_up(self) -> None:
        """One line up."""
        self._move(-1)

    def action_down(self) -> None:
        """One line down."""
        self._move(1)

    def action_page_up(self) -> None:
        """One page up."""
        self._move(1 - self.viewport.height)

    def action_page_down(self) -> None:
        """One page down."""
        self._move(self.viewport.height - 1)

    def action_top(self) -> None:
        """The first line."""
        self.viewport.to_start()
        self.moved()

    def action_bottom(self) -> None:
        """The last line."""
        self.viewport.to_end()
        self.moved()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """A turn of the wheel up."""
        self._wheel(event, -WHEEL_LINES)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """A turn of the wheel down."""
        self._wheel(event, WHEEL_LINES)

    def on_focus(self) -> None:
        """The cursor shows where the keys go."""
        self.repaint()

    def on_blur(self) -> None:
        """The cursor fades."""
        self.repaint()

    def _move(self, step: int) -> None:
        self.viewport.move(step)
        self.moved()

    def _wheel(self, event: events.MouseEvent, step: int) -> None:
        event.stop()
        self.viewport.scroll(step)
        self.moved()
