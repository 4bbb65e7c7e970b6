"""A table that says when its cursor is on something else, for pictures and facts of that row beside it."""

from __future__ import annotations

from typing import TypeVar

from textual.message import Message

from naq_tui.widgets.table import Table

__all__ = ["PointingTable"]

Row = TypeVar("Row")


class PointingTable(Table[Row]):
    """Posts `Pointed` when the row with the cursor is another one, or says something else."""

    class Pointed(Message):
        """See `PointingTable.current` for what it is on now."""

    _pointed: Row | None = None

    @property
    def current(self) -> Row | None:
        """The row with the cursor."""
        return self.rows[self.viewport.cursor] if self.rows else None

    def repaint(self) -> None:
        """Draw what has changed, and say so when the row with the cursor has."""
        super().repaint()
        if self.current is not self._pointed:
            self._pointed = self.current
            self.post_message(self.Pointed())
