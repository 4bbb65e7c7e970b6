"""Garbage is not collected while naq-top starts."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from naq_tui import collecting


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Collect as before, whatever a test has changed."""
    yield
    gc.unfreeze()
    gc.enable()


def test_nothing_is_collected_until_it_is_taken_up() -> None:
    collecting.put_off()

    was_on = gc.isenabled()
    collecting.take_up()

    assert (was_on, gc.isenabled()) == (False, True)


def test_what_the_start_has_made_is_not_walked_again() -> None:
    collecting.put_off()

    collecting.take_up()

    assert gc.get_freeze_count() > 1_000


def test_where_it_was_not_put_off_nothing_is_kept_for_good() -> None:
    before = gc.get_freeze_count()

    collecting.take_up()

    assert gc.get_freeze_count() == before
