"""A page of sections: they fold, and Enter opens what the lines of some of them name."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import events
from textual.message import Message

from naq_tui.commands import Scope, bindings
from naq_tui.pages.blocks import Block, Laid, Stop, lay_out, plain_text
from naq_tui.widgets.document import Document, Layout
from naq_tui.widgets.line import Back, Line

__all__ = ["Sections"]

Blocks = Callable[[int], Sequence[Block]]
"""The sections of the page for a width."""


class Sections(Document):
    """Shows blocks. The cursor is on a line on which Enter does something, or nowhere.

    One line up or down goes to the next such line that is on the screen; where there is none, the page scrolls.
    """

    BINDINGS = bindings(Scope.SECTIONS)
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.SECTIONS, Scope.MOVE)

    class Entered(Message):
        """Somebody wants what the line with the cursor offers, other than to fold."""

        def __init__(self, entered: Stop) -> None:
            super().__init__()
            self.entered = entered

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(self._laid_out, id=id, classes=classes)
        self._blocks_for: Blocks = _no_blocks
        self._blocks: Sequence[Block] = ()
        self._laid = Laid([], {}, {})
        self._places: list[int] = []
        """The lines of all stops, rising."""
        self._turned: set[str] = set()
        self._at: int | None = None
        """The line with the cursor."""
        self.needle = ""
        """The text that is looked for; its lines are marked."""
        self._hit: int | None = None
        """The line to which it was gone."""

    @property
    def stop(self) -> Stop | None:
        """What the cursor is on."""
        return self._laid.stops.get(self._at) if self._at is not None else None

    def set_layout(self, layout: Layout) -> None:
        """Show lines without any section."""
        self.set_blocks(lambda width: [Block("lines", "", layout(width))])

    def set_blocks(self, blocks: Blocks) -> None:
        """Show other sections, at the same place of the same section."""
        self._blocks_for = blocks
        self._lay_out()

    def line(self, y: int) -> Line:
        """A line of the window; the cursor lies behind it."""
        line, position = super().line(y), self.viewport.top + y
        if position in (self._at, self._hit):
            back: Back = "cursor" if self.has_focus else "cursor-blurred"
            return Line(line.spans, back)
        return Line(line.spans, "cursor-blurred") if self._has_needle(position) else line

    def go_to(self, key: str) -> None:
        """Put the cursor on the heading of a section, at the top of the window."""
        if key in self._laid.starts:
            self._select(self._laid.starts[key], at_top=True)

    def look_for(self, needle: str) -> None:
        """Mark the lines that contain a text, in letters of any case, and go to the first from here on."""
        self.needle = needle
        self._hit = None
        if needle:
            self._go_to_hit(1)
        self.moved()

    def action_next_hit(self) -> None:
        """The next line that contains it."""
        self._go_to_hit(1)

    def action_previous_hit(self) -> None:
        """The line before that contains it."""
        self._go_to_hit(-1)

    def text(self) -> str:
        """The section with the cursor, or the job that it is on, to be copied; without a cursor, all of the page."""
        stop = self.stop
        if stop is None:
            return "\n\n".join(f"{block.title}\n{plain_text(block)}".strip() for block in self._blocks)
        if stop.kind == "job":
            return stop.target
        return next((plain_text(block) for block in self._blocks if block.key == stop.target), "")

    def action_next_section(self) -> None:
        """The heading below."""
        headings = self._headings()
        after = bisect_right(headings, self._here())
        self._select(headings[after % len(headings)] if headings else None, at_top=True)

    def action_previous_section(self) -> None:
        """The heading above."""
        headings = self._headings()
        before = bisect_left(headings, self._here()) - 1
        self._select(headings[before] if headings else None, at_top=True)

    def action_enter(self) -> None:
        """Fold or unfold the section, or do what the line offers."""
        stop = self.stop
        if stop is None:
            self.app.bell()
        elif stop.kind == "fold":
            self._turned ^= {stop.target}
            self._lay_out()
        else:
            self.post_message(self.Entered(stop))

    def action_top(self) -> None:
        """The first line, and no cursor."""
        self._at = None
        super().action_top()

    def on_click(self, event: events.Click) -> None:
        """Put the cursor there; twice does what Enter does."""
        place = self.viewport.top + event.y - self.gutter.top
        if place in self._laid.stops:
            event.stop()
            self._select(place)
            if event.chain > 1:
                self.action_enter()

    def _laid_out(self, width: int) -> Sequence[Line]:
        self._blocks = self._blocks_for(width)
        self._laid = lay_out(self._blocks, self._turned, width)
        self._places = sorted(self._laid.stops)
        return self._laid.lines

    def _lay_out(self) -> None:
        """Lay out anew; what is at the top of the window stays there, and the cursor on what it was on."""
        top, cursor = self._place_of(self.viewport.top), None if self._at is None else self._place_of(self._at)
        stop = self.stop
        super()._lay_out()
        self._at = self._found(stop, cursor)
        if top is not None and self.viewport.top > 0:
            self.viewport.scroll(self._line_of(top) - self.viewport.top)
        self.repaint()

    def _place_of(self, position: int) -> tuple[str, int] | None:
        """The section of a line, and how far below its heading that is; the line above it belongs to it, too."""
        starts = [(start, key) for key, start in self._laid.starts.items() if start <= position + 1]
        if not starts:
            return None
        start, key = max(starts)
        return key, position - start

    def _line_of(self, place: tuple[str, int]) -> int:
        key, offset = place
        return self._laid.starts[key] + offset if key in self._laid.starts else self.viewport.top

    def _found(self, stop: Stop | None, place: tuple[str, int] | None) -> int | None:
        """Where a stop is now: the nearest of those that are the same."""
        if stop is None or place is None:
            return None
        same = [line for line, one in self._laid.stops.items() if one == stop]
        was = self._line_of(place)
        return min(same, key=lambda line: abs(line - was), default=None)

    def _has_needle(self, position: int) -> bool:
        if not self.needle or position >= len(self._laid.lines):
            return False
        text = "".join(piece for piece, _ in self._laid.lines[position].spans)
        return self.needle.casefold() in text.casefold()

    def _go_to_hit(self, step: int) -> None:
        """Bring the next line that contains the text on the screen; after the last comes the first."""
        count, top = len(self._laid.lines), self.viewport.top
        here = self._hit if self._hit is not None and self._sees(self._hit) else top - (step > 0)
        hits = ((here + step * away) % count for away in range(1, count + 1))
        self._hit = next((hit for hit in hits if self._has_needle(hit)), None)
        if self._hit is None:
            self.app.bell()
        elif not self._sees(self._hit):
            self.viewport.scroll(self._hit - self.viewport.height // 3 - top)
        self._at = None
        self.moved()

    def _headings(self) -> list[int]:
        return [place for place in self._places if self._laid.stops[place].kind == "fold"]

    def _here(self) -> int:
        return self._at if self._at is not None else self.viewport.top - 1

    def _select(self, place: int | None, *, at_top: bool = False) -> None:
        """Put the cursor on a line, and the line on the screen."""
        if place is None:
            return
        self._at = place
        if at_top or not self._sees(place):
            self.viewport.scroll(max(0, place - 1) - self.viewport.top)
        self.moved()

    def _sees(self, place: int) -> bool:
        return self.viewport.top <= place < self.viewport.top + self.viewport.height

    def _move(self, step: int) -> None:
        place = self._next_stop(step) if abs(step) == 1 else None
        if place is not None:
            self._select(place)
            return
        self.viewport.scroll(step)
        if self._at is not None and not self._sees(self._at):
            self._at = None
        self.moved()

    def _next_stop(self, step: int) -> int | None:
        """The next stop in a direction that is on the screen; from the edge, without a cursor."""
        top, bottom = self.viewport.top, self.viewport.top + self.viewport.height
        here = self._at if self._at is not None and self._sees(self._at) else (top - 1 if step > 0 else bottom)
        index = bisect_right(self._places, here) if step > 0 else bisect_left(self._places, here) - 1
        place = self._places[index] if 0 <= index < len(self._places) else None
        return place if place is not None and self._sees(place) else None


def _no_blocks(_: int) -> Sequence[Block]:
    return ()
