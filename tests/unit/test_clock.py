"""The clock that is set by hand."""

from __future__ import annotations

import time
from typing import Any, cast

from naq_runtime.clock import SYSTEM_CLOCK, ManualClock
from naq_runtime.config import NatsConfig
from naq_runtime.nats.connection import Connection
from naq_runtime.testing.shelf import moment


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


def test_the_clock_of_the_server_is_believed_as_it_was_measured_fastest_until_one_of_both_is_set() -> None:
    connection = Connection(NatsConfig(), cast("Any", None))
    second = 1_000_000_000

    def answer(asked_s: float, took_s: float, server_s: float) -> float:
        asked_ns = int(asked_s * second)
        connection._compare_clocks(moment(int(server_s * second)), asked_ns, asked_ns + int(took_s * second))
        return connection.skew_ns / second

    assert answer(1000, 0.1, 1005.05) == 5.0
    assert answer(2000, 2.0, 2005.5) == 5.0  # slower, and it may be the same
    assert answer(3000, 0.01, 3005.105) == 5.1
    assert answer(4000, 0.2, 4000.1) == 0.0  # slower, and it cannot be the same
