"""The columns of a table: which are shown, and in which order. The table behind changes at once."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
from textual.app import ComposeResult
from textual.content import Content
from textual.screen import ModalScreen

from naq_tui.commands import Scope, bindings
from naq_tui.settings import TableSettings
from naq_tui.text import clip
from naq_tui.widgets.footer import Footer
from naq_tui.widgets.line import EMPTY, Line, Span
from naq_tui.widgets.moves import Scrolling
from naq_tui.widgets.table import Table
from naq_tui.widgets.viewport import Viewport

__all__ = ["ColumnChoice", "ColumnList"]


_NO_ROOM = "  no room"


class ColumnList(Scrolling):
    """A line for each column, those that are shown first."""

    BINDINGS = bindings(Scope.COLUMNS)
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.COLUMNS, Scope.MOVE)

    def __init__(self, table: Table[Any]) -> None:
        super().__init__(Viewport(), id="columns", classes="pane")
        self._table = table
        self._read()

    def line(self, y: int) -> Line:
        """A column, with a mark when it is shown."""
        position = self.viewport.top + y
        if position >= len(self._headings):
            return EMPTY
        title = self._headings[position]
        is_shown = title in self._shown
        mark: Span = (" ✓ ", "good") if is_shown else ("   ", "dim")
        room = self.size.width - 4
        note = _NO_ROOM if is_shown and title not in self._table.headings_shown else ""
        spans: list[Span] = [mark, (clip(title, room - len(note)), "dim" if note or not is_shown else "text")]
        spans.append((note, "faint"))
        return self.barred(spans, y, "cursor" if position == self.viewport.cursor else "")

    def action_show(self) -> None:
        """Show the column with the cursor, or hide it; one always stays."""
        title = self._headings[self.viewport.cursor]
        if self._shown == {title}:
            return
        self._shown ^= {title}
        self._arrange()

    def action_carry(self, step: int) -> None:
        """Move the column with the cursor, which goes with it."""
        place = self.viewport.cursor
        other = place + step
        if 0 <= other < len(self._headings):
            self._headings[place], self._headings[other] = self._headings[other], self._headings[place]
            self.viewport.go(other)
            self._arrange()

    def action_reset(self) -> None:
        """Have all columns in their first order."""
        self._table.lay_out(msgspec.structs.replace(self._table.layout_now, columns=()))
        self._read()
        self._changed()

    def action_back(self) -> None:
        """Go back to the table."""
        self.screen.dismiss()

    def on_resize(self) -> None:
        """The window has another height."""
        self.viewport.resize(self.size.height)
        self.repaint()

    def _read(self) -> None:
        shown = self._table.layout_now.columns or self._table.headings
        self._headings = [*shown, *(title for title in self._table.headings if title not in shown)]
        self._shown = set(shown)
        self.viewport.span(0, len(self._headings))

    def _arrange(self) -> None:
        """The table has what is marked, in this order."""
        columns = tuple(title for title in self._headings if title in self._shown)
        wanted: TableSettings = msgspec.structs.replace(self._table.layout_now, columns=columns)
        self._table.lay_out(wanted)
        self._changed()

    def _changed(self) -> None:
        self.repaint()
        self._table.post_message(self._table.Arranged(self._table))


class ColumnChoice(ModalScreen[None]):
    """The columns, beside the table that they are of."""

    BINDINGS = bindings(Scope.APP)
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.COLUMNS, Scope.MOVE)

    def __init__(self, table: Table[Any]) -> None:
        super().__init__(id="column-choice")
        self._list = ColumnList(table)
        self._list.set_border(Content(f"Columns of {table.NAME.lower()}"))
        self._list.styles.height = len(table.headings) + 2

    def compose(self) -> ComposeResult:
        """The list, and the keys."""
        yield self._list
        footer = Footer()
        yield footer
        self.call_after_refresh(lambda: footer.show((*self.SCOPES, Scope.APP)))
