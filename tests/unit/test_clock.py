"""The clock that is set by hand."""

from __future__ import annotations

import time

from naq_runtime.clock import SYSTEM_CLOCK, ManualClock


def test_a_manual_clock_stands_still_until_it_is_moved() -> None:
    clock = ManualClock(5_000_000_000)
    before = clock.time_ns(), clock.monotonic_ns()

    assert (clock.time_ns(), clock.monotonic_ns()) == before == (5_000_000_000, 0)


def test_advancing_moves_both_clocks_by_the_same_amount() -> None:
    clock = ManualClock(5_000_000_000)

    clock.advance(1.5)
    clock.advance(0.25)

    assert clock.time_ns() == 6_750_000_000
    assert clock.monotonic_ns() == 1_750_000_000


def test_the_system_clock_tells_the_time_of_this_machine() -> None:
    assert abs(SYSTEM_CLOCK.time_ns() - time.time_ns()) < 1_000_000_000
    assert SYSTEM_CLOCK.monotonic_ns() <= SYSTEM_CLOCK.monotonic_ns()
