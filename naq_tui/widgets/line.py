"""The base of every widget that shows data: lines of spans, of which only those that changed are drawn again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from naq_tui.widgets.tones import Back, Palette, Tone, palette_of

__all__ = ["EMPTY", "Back", "Line", "LineWidget", "Span", "Tone"]

Span = tuple[str, Tone]

_CACHED_STRIPS = 600


class Line(NamedTuple):
    """A line of a widget: pieces of inert text, and what is behind them."""

    spans: tuple[Span, ...] = ()
    back: Back = ""


EMPTY = Line()


class LineWidget(Widget):
    """Draws ``line(y)`` for each of its lines; a strip is cached by what it says."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._strips: dict[tuple[Line, int], Strip] = {}
        self._painted: dict[int, Line] = {}
        self._palette: Palette | None = None
        self._titles: dict[str, Content] = {}

    def line(self, y: int) -> Line:
        """What the line at ``y`` says now; its spans together are not wider than the widget."""
        raise NotImplementedError

    def row_text(self) -> str:
        """What the cursor is on, as text to be copied; empty when it is on nothing."""
        return ""

    def equivalent(self) -> str:
        """The ``naq`` command that tells the same as what the cursor is on; empty when there is none."""
        return ""

    def records(self) -> Iterable[Mapping[str, object]]:
        """What is shown, row by row, to be written to a file; it may be read in a thread, and later."""
        return ()

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        line = self._painted[y] = self.line(y)
        width = self.size.width
        strip = self._strips.get((line, width))
        if strip is None:
            if len(self._strips) >= _CACHED_STRIPS:
                self._strips.clear()
            strip = self._strips[line, width] = self._strip(line, width)
        return strip

    def repaint(self) -> None:
        """Draw the lines again that say something else than what is on the screen."""
        width, height = self.size
        dirty = [Region(0, y, width, 1) for y in range(height) if self._painted.get(y) != self.line(y)]
        if dirty:
            self.refresh(*dirty)

    def set_border(self, title: Content, subtitle: Content | None = None) -> None:
        """Write into the border, when it is not what stands there."""
        subtitle = subtitle or Content("")
        if self._titles.get("title") != title:
            self._titles["title"] = title
            self.border_title = title
        if self._titles.get("subtitle") != subtitle:
            self._titles["subtitle"] = subtitle
            self.border_subtitle = subtitle

    def notify_style_update(self) -> None:
        """Forget the colours when the theme or a class changed them."""
        self._palette = None
        self._strips.clear()
        super().notify_style_update()

    def _strip(self, line: Line, width: int) -> Strip:
        palette = self._palette
        if palette is None:
            palette = self._palette = self._colours()
        segments = [Segment(text, palette[tone]) for text, tone in line.spans if text]
        return Strip(segments).adjust_cell_length(width).apply_style(palette[f"back-{line.back}"])

    def _colours(self) -> Palette:
        """The theme's colours, on this widget's own background."""
        return {**palette_of(self.app.theme_variables), "back-": Style(bgcolor=self.rich_style.bgcolor)}

    def _on_resize(self, event: Any) -> None:
        # It was drawn in its new size before it heard of it: with the scroll bar of the old one, perhaps.
        self._painted.clear()
        self.refresh()
