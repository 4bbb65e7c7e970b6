"""A table of live rows: sorted, scrolled and painted by itself, with a cursor that stays on its row."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from textual import events
from textual.content import Content
from textual.geometry import Size
from textual.message import Message

from naq_runtime.errors import ConfigError
from naq_tui.commands import Scope, bindings
from naq_tui.settings import TableSettings
from naq_tui.text import count_text
from naq_tui.widgets.columns import GAP, Column, arrange, cell_spans
from naq_tui.widgets.line import EMPTY, Back, Line, Span
from naq_tui.widgets.moves import Scrolling
from naq_tui.widgets.ordered import Ordered
from naq_tui.widgets.viewport import Viewport

__all__ = ["Table"]

Row = TypeVar("Row")

_WHOLE = 40
"""Cells in which a cell is told that has no window to fit into."""


class Table(Scrolling, Generic[Row]):
    """Rows of one type under a heading of columns."""

    BINDINGS = bindings(Scope.TABLE, Scope.SORT, Scope.MARK)
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.TABLE, Scope.SORT, Scope.MARK, Scope.MOVE)

    NAME: ClassVar[str] = ""
    """What its rows are, as a title."""
    TOP_STAYS: ClassVar[bool] = False
    """Whether the cursor stays on top, whichever row that is, once it is there; else it stays on its row."""

    @dataclass
    class Opened(Message):
        """A row was chosen."""

        name: str

    class MarksChanged(Message):
        """Rows are marked where none was before, or none is any more."""

    @dataclass
    class Ready(Message):
        """It is there, and can be laid out as somebody wants it."""

        table: Table[Any]

    @dataclass
    class Arranged(Message):
        """Somebody has given it another layout."""

        table: Table[Any]

    @dataclass
    class ColumnsWanted(Message):
        """Somebody wants to choose its columns."""

        table: Table[Any]

    def __init__(
        self,
        columns: Sequence[Column[Row]],
        *,
        sorted_by: Column[Row] | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(Viewport(), id=id, classes=classes)
        self._all_columns = self._columns = tuple(columns)
        self._first_sort = self._sorted_by = sorted_by or columns[0]
        self._descending = self._sorted_by.descending
        self._ordered: Ordered[Row] = Ordered(self.key)
        self._ordered.sort(self._sorted_by.order, descending=self._descending)
        self._cursor_key: str | None = None
        self._marked: set[str] = set()
        self._had_marks = False
        self._titled: tuple[Content, Content | None] | None = None
        self._hint: Sequence[Line] = ()
        self._lines_given = 0
        self._arranged: tuple[int, list[tuple[Column[Row], int]]] = (0, [])

    def key(self, row: Row) -> str:
        """What tells this row from all others."""
        raise NotImplementedError

    def row_back(self, row: Row) -> Back:
        """What is behind a row that stands out."""
        return ""

    def subtitle(self) -> Content:
        """What stands in the lower border."""
        return Content("")

    @property
    def rows(self) -> Sequence[Row]:
        """The rows, in the order in which they are shown."""
        return self._ordered.rows

    @property
    def cursor_key(self) -> str | None:
        """The key of the row with the cursor."""
        return self._cursor_key

    @property
    def chosen(self) -> Sequence[Row]:
        """The rows that are marked, in their order; without marks, the row with the cursor."""
        marked = [row for row in self.rows if self.key(row) in self._marked] if self._marked else []
        return marked or self.rows[self.viewport.cursor : self.viewport.cursor + 1]

    @property
    def targets(self) -> tuple[str, ...]:
        """Their keys."""
        return tuple(map(self.key, self.chosen))

    @property
    def settings_name(self) -> str:
        """What it is called in the settings."""
        return type(self).__name__.lower()

    @property
    def headings(self) -> tuple[str, ...]:
        """Of all columns that there are, in their first order."""
        return tuple(column.title for column in self._all_columns)

    @property
    def headings_shown(self) -> tuple[str, ...]:
        """Of those columns for which there is room now, in their order."""
        return tuple(column.title for column, _ in self._arrangement())

    @property
    def layout_now(self) -> TableSettings:
        """Which columns it has, in which order, and what it is sorted by."""
        first, by = self._first_sort, self._sorted_by
        return TableSettings(
            columns=() if self._columns == self._all_columns else tuple(column.title for column in self._columns),
            sort="" if by is first else by.title,
            descending=None if self._descending == by.descending else self._descending,
        )

    def lay_out(self, wanted: TableSettings) -> None:
        """Have these columns, in this order, sorted so.

        Raises:
            ConfigError: there is no column of such a heading; nothing has changed.
        """
        columns = tuple(self._column("columns", title) for title in wanted.columns) or self._all_columns
        self._sorted_by = self._column("sort", wanted.sort) if wanted.sort else self._first_sort
        self._columns = columns
        self._arranged = (0, [])
        self._descending = self._sorted_by.descending if wanted.descending is None else wanted.descending
        self._sort()

    def set_rows(self, rows: Iterable[Row], hint: Sequence[Line] = ()) -> None:
        """Show these rows; the hint stands in for them when there are none."""
        self._hint = hint
        self._ordered.set(rows)
        self._settle()
        if self.styles.is_auto_height and self._lines_wanted() != self._lines_given:
            self.refresh(layout=True)

    def change_rows(self, changed: Sequence[Row], gone: Collection[str] = ()) -> None:
        """Show some rows anew, or for the first time, and others no more; all else stays as it is.

        Args:
            gone: their keys.
        """
        self._ordered.change(changed, gone)
        self._settle()

    def unmark(self, keys: Iterable[str]) -> None:
        """Take the marks away from some rows."""
        self._marked.difference_update(keys)
        self._show_marks()

    @property
    def has_marks(self) -> bool:
        """Whether rows are marked."""
        return any(key in self._ordered for key in self._marked)

    def marks_text(self) -> str:
        """How many of the rows are marked; empty when none is."""
        count = sum(key in self._ordered for key in self._marked)
        return f"▪ {count_text(count)} marked" if count else ""

    def set_border(self, title: Content, subtitle: Content | None = None) -> None:
        """Write into the border, with the number of marks before the subtitle."""
        self._titled = (title, subtitle)
        if self.has_marks != self._had_marks:
            self._had_marks = self.has_marks
            self.post_message(self.MarksChanged())
        if marks := self.marks_text():
            subtitle = Content.assemble((f"{marks}  ", "bold $accent"), subtitle or "")
        super().set_border(title, subtitle)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Where a style makes the height follow the rows: all of them, under their heading."""
        self._lines_given = self._lines_wanted()
        return self._lines_given

    @property
    def cursor_row(self) -> Row | None:
        """The row with the cursor."""
        return self.rows[self.viewport.cursor] if self.rows else None

    def record(self, row: Row) -> Mapping[str, object]:
        """The values of a row, by the titles of all columns."""
        return {column.title: _cell_text(column, row) for column in self._columns}

    def records(self) -> Iterable[Mapping[str, object]]:
        """The rows in their order; each is looked at when it is read."""
        return map(self.record, tuple(self.rows))

    def row_text(self) -> str:
        """The cells of the row with the cursor that are shown, in full."""
        row = self.cursor_row
        if row is None:
            return ""
        return "  ".join(text for column, _ in self._arrangement() if (text := _cell_text(column, row)))

    def command(self, row: Row) -> str:
        """The ``naq`` command that shows a row in a shell; empty when there is none."""
        return ""

    def equivalent(self) -> str:
        """That of the row with the cursor."""
        row = self.cursor_row
        return self.command(row) if row is not None else ""

    def line(self, y: int) -> Line:
        """The heading, then the rows of the window, or the hint."""
        if not self.rows:
            return self._hint[y - 1] if 1 <= y <= len(self._hint) else EMPTY
        if y == 0:
            return self._heading()
        position = self.viewport.top + y - 1
        return self._row_line(position, y - 1) if position < len(self.rows) else EMPTY

    def moved(self) -> None:
        """The cursor is on another row."""
        if self.rows:
            self._cursor_key = self.key(self.rows[self.viewport.cursor])
        super().moved()

    def action_open(self) -> None:
        """Choose the row with the cursor."""
        if self._cursor_key is not None and self.rows:
            self.post_message(self.Opened(self._cursor_key))

    def action_mark(self) -> None:
        """Mark the row with the cursor, or take its mark away, and go on to the next."""
        if self._cursor_key is not None and self.rows:
            self._marked ^= {self._cursor_key}
            self.action_down()
            self._show_marks()

    def action_mark_all(self) -> None:
        """Mark every row that there is."""
        self._marked = set(map(self.key, self.rows))
        self._show_marks()

    def action_unmark(self) -> None:
        """Take all marks away."""
        self._marked.clear()
        self._show_marks()

    def action_sort(self) -> None:
        """Sort by the next column that is shown."""
        shown = [column for column, _ in self._arrangement() if column.order]
        place = shown.index(self._sorted_by) + 1 if self._sorted_by in shown else 0
        if shown and self.rows:  # without rows there is no heading that would show it
            self._sort_by(shown[place % len(shown)])
        else:
            self.app.bell()

    def action_reverse(self) -> None:
        """Turn the order round."""
        if not self.rows:
            self.app.bell()
            return
        self._descending = not self._descending
        self._sort()
        self.post_message(self.Arranged(self))

    def action_columns(self) -> None:
        """Choose the columns."""
        self.post_message(self.ColumnsWanted(self))

    def on_mount(self) -> None:
        """It can be laid out."""
        self.post_message(self.Ready(self))

    def on_resize(self) -> None:
        """The window has another height."""
        self.viewport.resize(self.size.height - 1)

    def on_click(self, event: events.Click) -> None:
        """A click chooses a column to sort by, or a row; a second one opens that, wherever it is by then."""
        offset = event.get_content_offset(self)
        if offset is None or not self.rows:
            return
        if offset.y == 0:
            self._click_heading(offset.x)
        elif event.chain == 2:
            self.action_open()
        elif self.viewport.top + offset.y - 1 < len(self.rows):
            self.viewport.go(self.viewport.top + offset.y - 1)
            self.moved()

    def _click_heading(self, x: int) -> None:
        start = 1
        for column, width in self._arrangement():
            if start <= x < start + width + GAP and column.order:
                if column is self._sorted_by:
                    self.action_reverse()
                else:
                    self._sort_by(column)
                return
            start += width + GAP

    def _sort_by(self, column: Column[Row]) -> None:
        self._sorted_by, self._descending = column, column.descending
        self._sort()
        self.post_message(self.Arranged(self))

    def _column(self, key: str, title: str) -> Column[Row]:
        for column in self._all_columns:
            if column.title == title and (key == "columns" or column.order):
                return column
        titles = [column.title for column in self._all_columns if key == "columns" or column.order]
        name = f"setting top.tables.{self.settings_name}.{key}"
        raise ConfigError(f"{name}: expected {', '.join(titles)}, got {title!r}")

    def _sort(self) -> None:
        self._ordered.sort(self._sorted_by.order, descending=self._descending)
        self._settle()

    def _settle(self) -> None:
        """Other rows, or another order: the cursor stays on its row as long as that is there."""
        self.viewport.span(0, len(self.rows))
        on_top = self.TOP_STAYS and self.viewport.cursor == 0
        position = None if on_top else self._ordered.position(self._cursor_key)
        if position is not None:
            self.viewport.go(position)
        elif self.rows:
            self._cursor_key = self.key(self.rows[self.viewport.cursor])
        self.repaint()

    def _show_marks(self) -> None:
        self.repaint()
        if self._titled is not None:
            self.set_border(*self._titled)

    def _lines_wanted(self) -> int:
        return max(len(self.rows), len(self._hint)) + 1

    def _arrangement(self) -> list[tuple[Column[Row], int]]:
        width = self.size.width - 2
        if self._arranged[0] != width:
            self._arranged = (width, arrange(self._columns, width))
        return self._arranged[1]

    def _heading(self) -> Line:
        spans: list[Span] = [(" ", "dim")]
        for column, width in self._arrangement():
            spans += cell_spans(self._heading_spans(column), width, column.align)
            spans.append((" " * GAP, "dim"))
        return Line(tuple(spans[:-1]))

    def _heading_spans(self, column: Column[Row]) -> list[Span]:
        if column is not self._sorted_by:
            return [(column.title, "dim")]
        return [(column.title, "accent"), ("▾" if self._descending else "▴", "accent")]

    def _row_line(self, position: int, y: int) -> Line:
        row = self.rows[position]
        spans: list[Span] = [("▪", "accent") if self._marked and self.key(row) in self._marked else (" ", "text")]
        for column, width in self._arrangement():
            spans += cell_spans(column.cell(row, width), width, column.align)
            spans.append((" " * GAP, "text"))
        selected = self.has_focus and position == self.viewport.cursor
        return self.barred(spans[:-1], y, "cursor" if selected else self.row_back(row))


def _cell_text(column: Column[Row], row: Row) -> str:
    return "".join(text for text, _ in column.cell(row, _WHOLE)).strip()
