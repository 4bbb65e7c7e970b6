"""Rows that change one by one stand where they would stand if all were sorted."""

from __future__ import annotations

import math
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naq_tui.widgets.ordered import Ordered


class Row(NamedTuple):
    name: str
    value: float


def key(row: Row) -> str:
    return row.name


def value(row: Row) -> float:
    return row.value


MANY = [Row(f"r{number:03}", number % 7) for number in range(400)]
CHANGES = st.lists(st.tuples(st.integers(0, 420), st.integers(0, 9), st.booleans()), max_size=12)


@given(CHANGES, st.booleans())
def test_single_changes_end_as_sorting_does(changes: list[tuple[int, int, bool]], descending: bool) -> None:
    ordered: Ordered[Row] = Ordered(key)
    ordered.sort(value, descending=descending)
    ordered.set(MANY)
    expected = {row.name: row for row in MANY}
    for number, new_value, gone in changes:
        row = Row(f"r{number:03}", new_value)
        ordered.change([] if gone else [row], {row.name} if gone else ())
        expected.pop(row.name, None)
        if not gone:
            expected[row.name] = row

    anew: Ordered[Row] = Ordered(key)
    anew.sort(value, descending=descending)
    anew.set(expected.values())
    assert ordered.rows == anew.rows
    assert [ordered.position(row.name) for row in ordered.rows] == list(range(len(ordered.rows)))


def test_many_changes_are_sorted_together() -> None:
    ordered: Ordered[Row] = Ordered(key)
    ordered.set(MANY[:300])
    ordered.change(MANY[200:], {row.name for row in MANY[:100]})

    assert ordered.rows == MANY[100:]


def test_without_an_order_the_keys_are_one() -> None:
    ordered: Ordered[Row] = Ordered(key)
    ordered.set(reversed(MANY))
    ordered.change([Row("r1005", 3)])

    assert ordered.rows[101] == Row("r1005", 3)


def test_what_is_not_there_has_no_position() -> None:
    ordered: Ordered[Row] = Ordered(key)
    ordered.set(MANY)

    assert ordered.position("unheard-of") is None
    assert ordered.position(None) is None


@pytest.mark.parametrize("name", ["r001", "r200", "r399"])
def test_a_number_without_an_order_loses_no_row(name: str) -> None:
    ordered: Ordered[Row] = Ordered(key)
    ordered.sort(value, descending=False)
    ordered.set([Row(row.name, math.nan if row.value == 3 else row.value) for row in MANY])
    ordered.change([Row(name, 5)])

    assert len(ordered.rows) == 400
    assert ordered.rows[ordered.position(name) or 0] == Row(name, 5)
