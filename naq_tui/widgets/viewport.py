"""Which part of a long list is on the screen, and where the cursor is."""

from __future__ import annotations

__all__ = ["THUMB", "Viewport", "scrollbar"]

THUMB = "┃"
"""The part of a scroll bar that is on the screen."""


class Viewport:
    """A window of ``height`` lines over the positions from ``first`` up to ``end``, with a cursor in it.

    Positions stay with their lines when older ones go or new ones come. While it follows, the cursor stays on the
    newest line.
    """

    __slots__ = ("cursor", "end", "first", "following", "height", "top")

    def __init__(self, *, following: bool = False) -> None:
        self.first = self.end = self.top = self.cursor = 0
        self.height = 1
        self.following = following
        """Whether the window keeps to the end."""

    def __len__(self) -> int:
        return self.end - self.first

    def span(self, first: int, end: int) -> None:
        """The list now has these positions."""
        self.first, self.end = first, end
        if self.following:
            self.cursor = end - 1
        self._settle()

    def resize(self, height: int) -> None:
        """The window now has this many lines."""
        self.height = max(1, height)
        self._settle()

    def move(self, step: int) -> None:
        """Move the cursor, and the window with it."""
        self.cursor += step
        self.following = False
        self._settle()

    def scroll(self, step: int) -> None:
        """Move the window, and the cursor only as far as it must to stay inside."""
        self.following = False
        self.top = self._bounded(self.top + step)
        self.cursor = min(max(self.cursor, self.top), self.top + self.height - 1)
        self._settle()

    def go(self, position: int) -> None:
        """Put the cursor on a position."""
        self.cursor = position
        self.following = False
        self._settle()

    def to_start(self) -> None:
        """Go to the oldest line."""
        self.go(self.first)

    def to_end(self) -> None:
        """Go to the newest line."""
        self.go(self.end - 1)

    def follow(self) -> None:
        """Keep to the end from now on."""
        self.following = True
        self.span(self.first, self.end)

    @property
    def at_end(self) -> bool:
        """Whether the newest line is on the screen."""
        return self.top + self.height >= self.end

    def _bounded(self, top: int) -> int:
        return max(self.first, min(top, self.end - self.height))

    def _settle(self) -> None:
        self.cursor = max(self.first, min(self.cursor, self.end - 1))
        top = min(self.top, self.cursor)
        self.top = self._bounded(max(top, self.cursor - self.height + 1))


def scrollbar(viewport: Viewport, y: int) -> str:
    """The cell of a scroll bar beside line ``y`` of the window; empty when everything is on the screen."""
    height, total = viewport.height, len(viewport)
    if total <= height:
        return ""
    size = max(1, height * height // total)
    room, way = height - size, total - height
    start = round((viewport.top - viewport.first) * room / way)
    return THUMB if start <= y < start + size else "│"
