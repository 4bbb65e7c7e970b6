"""A page of lines that scrolls, laid out anew for each width."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from naq_tui.commands import Scope
from naq_tui.widgets.line import EMPTY, Line
from naq_tui.widgets.moves import Scrolling
from naq_tui.widgets.viewport import Viewport

__all__ = ["Document"]

Layout = Callable[[int], Sequence[Line]]
"""The lines of the page for a width."""


class Document(Scrolling):
    """Shows what a layout gives; all moves scroll."""

    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.MOVE,)

    def __init__(self, layout: Layout, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(Viewport(), id=id, classes=classes)
        self._layout_lines = layout
        self._lines: Sequence[Line] = ()

    @property
    def lines(self) -> Sequence[Line]:
        """The whole page, at the width that it has now."""
        return self._lines

    def set_layout(self, layout: Layout) -> None:
        """Show another page, at the same place."""
        self._layout_lines = layout
        self._lay_out()

    def line(self, y: int) -> Line:
        """A line of the window."""
        position = self.viewport.top + y
        if position >= len(self._lines):
            return EMPTY
        line = self._lines[position]
        return self.barred(line.spans, y, line.back)

    def on_resize(self) -> None:
        """Lay the page out for another width."""
        self.viewport.resize(self.size.height)
        self._lay_out()

    def _lay_out(self) -> None:
        self._lines = self._layout_lines(self.size.width - 1)
        self.viewport.span(0, len(self._lines))
        self.repaint()

    def _move(self, step: int) -> None:
        self.viewport.scroll(step)
        self.moved()
