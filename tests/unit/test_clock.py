"""The clock that is set by hand, and that of the server."""

from __future__ import annotations

import time

import pytest

from naq_runtime.clock import SYSTEM_CLOCK, ManualClock
from naq_runtime.nats.server_clock import ServerClock
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


def test_setting_a_manual_clock_moves_what_is_on_the_wall_only() -> None:
    clock = ManualClock(5_000_000_000)

    clock.set_by(-2)

    assert (clock.time_ns(), clock.monotonic_ns()) == (3_000_000_000, 0)


SECOND_NS = 1_000_000_000


class Server:
    """One whose clock is so far ahead of that of a host, and what the host knows of it."""

    def __init__(self, ahead_s: float) -> None:
        self.clock = ManualClock(1_000 * SECOND_NS)
        self.seen = ServerClock(self.clock)
        self.now_s = 1_000 + ahead_s

    def answer(self, took_s: float, said_s: float | None = None) -> float:
        """How far it is thought to be ahead after an answer that it gave halfway, or as it says."""
        moment_s = self.now_s + took_s / 2 if said_s is None else said_s
        asked_ns = self.clock.monotonic_ns()
        self.pass_by(took_s)
        self.seen.told(moment(int(moment_s * SECOND_NS)), asked_ns)
        return self.skew_s

    def pass_by(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.now_s += seconds

    @property
    def skew_s(self) -> float:
        return round(self.seen.skew_ns / SECOND_NS, 3)


def test_the_clock_of_the_server_is_believed_as_it_was_measured_fastest_until_it_is_set() -> None:
    server = Server(ahead_s=5)

    assert server.answer(0.1) == 5.0
    assert server.answer(2.0, server.now_s + 1.5) == 5.0  # slower, and it may be the same
    assert server.answer(0.01, server.now_s + 0.105) == 5.1
    server.now_s -= 5
    assert server.answer(0.2) == 0.0  # slower, and it cannot be the same


@pytest.mark.parametrize("by_s", [3600.0, -3600.0])
def test_a_host_whose_clock_is_set_knows_the_time_of_the_server_all_the_same(by_s: float) -> None:
    server = Server(ahead_s=5)
    server.answer(0.1)

    server.clock.set_by(by_s)
    server.pass_by(10)

    assert server.clock.time_ns() + server.seen.skew_ns == int(server.now_s * SECOND_NS)


@pytest.mark.parametrize("waited_s", [0.0, 0.1, 0.4])
def test_that_it_is_ahead_by_so_much_at_least_holds_whenever_within_the_answer_it_was_read(waited_s: float) -> None:
    server = Server(ahead_s=5)
    true_ns = int(server.now_s * SECOND_NS) - server.clock.monotonic_ns()

    server.answer(0.4, server.now_s + waited_s)

    assert server.seen.least_ahead_ns == true_ns - int((0.4 - waited_s) * SECOND_NS)


def test_after_a_reconnect_what_is_known_of_it_is_old_until_it_answers() -> None:
    server = Server(ahead_s=5)
    server.answer(0.1)
    known = server.seen.is_old(SECOND_NS)

    server.seen.doubt()

    assert (known, server.seen.is_old(SECOND_NS)) == (False, True)
    server.answer(0.1)
    assert not server.seen.is_old(SECOND_NS)
