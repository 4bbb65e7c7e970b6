"""A table of which only the rows are shown whose text contains what is looked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from textual.content import Content

from naq_tui.text import clip, count_text, inert
from naq_tui.widgets.line import Line
from naq_tui.widgets.table import Table

__all__ = ["Searched"]

Row = TypeVar("Row")

_NO_MATCH = (Line(((" nothing matches", "dim"),)),)


class Searched(Table[Row]):
    """A table with a filter; a capital letter in it makes case count."""

    _needle = ""
    _all: Sequence[Row] = ()
    _all_hint: Sequence[Line] = ()
    is_known = True
    """Whether anybody has told how many there are."""

    def search_text(self, row: Row) -> str:
        """The text in which the filter is looked for."""
        raise NotImplementedError

    @property
    def needle(self) -> str:
        """The text that is filtered by; empty for none."""
        return self._needle

    def set_filter(self, needle: str) -> None:
        """Show only the rows whose text contains this."""
        if needle != self._needle:
            self._needle = needle
            self.set_rows(self._all, self._all_hint)

    def set_rows(self, rows: Iterable[Row], hint: Sequence[Line] = ()) -> None:
        """Show those of these rows that match; the hint stands in for them when there are none at all."""
        self._all, self._all_hint = tuple(rows), hint
        if not self._needle:
            super().set_rows(self._all, hint)
            return
        super().set_rows(filter(self._matches, self._all), _NO_MATCH if self._all else hint)

    def count(self, *, less: int = 0) -> str:
        """How many rows are shown, and of how many.

        Args:
            less: how many of them are not counted.
        """
        if not self.is_known and not self.rows:
            return "-"
        shown = count_text(len(self.rows) - less)
        return f"{shown} of {count_text(len(self._all))}" if self._needle else shown

    def subtitle(self) -> Content:
        """The filter."""
        if not self._needle:
            return Content("")
        return Content.assemble(("/ ", "bold $accent"), clip(inert(self._needle, 80), 40))

    def _matches(self, row: Row) -> bool:
        text = self.search_text(row)
        return self._needle in (text if self._needle != self._needle.lower() else text.lower())
