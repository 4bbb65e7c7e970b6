"""Rows in order, of which some can change without all being sorted anew."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Generic, TypeVar

__all__ = ["Ordered"]

Row = TypeVar("Row")

_DEAR = 32
"""To put one row in its place costs as much as to sort so many."""


class Ordered(Generic[Row]):
    """Rows sorted by something, and by their keys where that is the same.

    Args:
        key: tells a row from all others.
    """

    def __init__(self, key: Callable[[Row], str]) -> None:
        self.rows: list[Row] = []
        self._key = key
        self._order: Callable[[Row], Any] | None = None
        self._descending = False
        self._by_key: dict[str, Row] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._by_key

    def set(self, rows: Iterable[Row]) -> None:
        """These, and no others."""
        self.rows = list(rows)
        self._by_key = {self._key(row): row for row in self.rows}
        self._sort()

    def sort(self, order: Callable[[Row], Any] | None, *, descending: bool) -> None:
        """Sort by this; by the keys alone when it is ``None``."""
        self._order, self._descending = order, descending
        self._sort()

    def change(self, changed: Sequence[Row], gone: Collection[str] = ()) -> None:
        """Put rows in the place of those with the same keys, and take some out."""
        if (len(changed) + len(gone)) * _DEAR > len(self.rows):
            kept = {key: row for key, row in self._by_key.items() if key not in gone}
            self.set((kept | {self._key(row): row for row in changed}).values())
            return
        for key in gone:
            self._take_out(key)
        for row in changed:
            self._take_out(self._key(row))
            self.rows.insert(self._place(row), row)
            self._by_key[self._key(row)] = row

    def position(self, key: str | None) -> int | None:
        """Where the row with this key stands."""
        row = self._by_key.get(key) if key is not None else None
        if row is None:
            return None
        place = self._place(row)
        if place < len(self.rows) and self.rows[place] is row:
            return place
        # Not every number has a place in an order: NaN has none.
        return next((place for place, other in enumerate(self.rows) if other is row), None)

    def _sort(self) -> None:
        self.rows.sort(key=self._key)
        if self._order is not None:
            self.rows.sort(key=self._order, reverse=self._descending)

    def _take_out(self, key: str) -> None:
        place = self.position(key)
        if place is not None:
            del self.rows[place]
            del self._by_key[key]

    def _place(self, row: Row) -> int:
        """The first place whose row is not before this one."""
        low, high = 0, len(self.rows)
        while low < high:
            middle = (low + high) // 2
            if self._is_before(self.rows[middle], row):
                low = middle + 1
            else:
                high = middle
        return low

    def _is_before(self, one: Row, other: Row) -> bool:
        if self._order is not None:
            first, second = self._order(one), self._order(other)
            if first != second:
                return bool(first > second) if self._descending else bool(first < second)
        return self._key(one) < self._key(other)
