"""Rates as they are written, and the window of places that one process knows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naq_runtime.errors import ConfigError
from naq_runtime.nats.rates import Rate, Window


@pytest.mark.parametrize(
    ("text", "count", "period_s"),
    [
        ("5/s", 5, 1),
        ("100/min", 100, 60),
        ("10/30s", 10, 30),
        ("100/60", 100, 60),
        ("1/h", 1, 3600),
        ("3 / 2 hours", 3, 7200),
        ("7/Day", 7, 86_400),
        (" 10000/sec ", 10_000, 1),
    ],
)
def test_a_rate_is_a_number_and_a_time(text: str, count: int, period_s: int) -> None:
    assert Rate.parse(text) == Rate(count, period_s)


@pytest.mark.parametrize(
    "text", ["", "5", "5/", "/s", "1.5/s", "5/0.5s", "5/ms", "5 per s", "-1/s", "5/s/s", "\u0665/s"]
)
def test_what_is_no_rate_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError, match="write 5/s, 100/min or 10/30s"):
        Rate.parse(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [("0/s", "1 to 10,000 jobs"), ("10001/s", "1 to 10,000 jobs"), ("5/0s", "1 second"), ("5/32d", "1 second")],
)
def test_what_the_server_could_not_keep_is_refused(text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        Rate.parse(text)


@given(st.integers(1, 10_000), st.integers(1, 31 * 86_400))
def test_a_rate_is_read_as_it_is_written(count: int, period_s: int) -> None:
    assert Rate.parse(str(Rate(count, period_s))) == Rate(count, period_s)


def test_a_window_of_which_nothing_is_known_is_free() -> None:
    window = Window(3)

    choice = window.choose(0.0)

    assert choice is not None
    assert choice.sequence == 0
    assert (window.free(0.0), window.wait_s(0.0)) == (3, 0.0)


def test_a_full_window_tells_when_its_first_place_is_free() -> None:
    window = Window(2)
    window.take(0, 11, 10.0)
    window.take(1, 12, 7.0)

    assert window.choose(5.0) is None
    assert window.wait_s(5.0) == 2.0


def test_a_place_whose_time_is_over_is_taken_in_the_stead_of_its_message() -> None:
    window = Window(1)
    window.take(0, 11, 10.0)

    assert window.choose(10.0) == (0, 11)


def test_a_message_that_the_server_has_removed_by_now_is_not_thought_of() -> None:
    window = Window(1)
    window.take(0, 11, 10.0)

    assert window.choose(12.0) == (0, 0)


def test_a_place_that_is_taken_again_is_not_free_at_the_time_of_before() -> None:
    window = Window(1)
    window.take(0, 11, 10.0)
    window.take(0, 12, 20.0)

    assert window.choose(15.0) is None
    assert window.wait_s(15.0) == 5.0


def test_a_place_that_is_released_is_free() -> None:
    window = Window(1)
    window.take(0, 11, 10.0)
    window.release(0)

    assert window.choose(5.0) == (0, 0)


@given(st.integers(1, 20), st.lists(st.floats(0, 3), max_size=200))
def test_what_is_taken_as_it_chooses_keeps_to_the_rate(count: int, steps: list[float]) -> None:
    window, now, taken = Window(count), 0.0, list[float]()
    for step in steps:
        now += step
        choice = window.choose(now)
        if choice is not None:
            window.take(choice.place, 1, now + 5.0)
            taken.append(now)

    assert all(later >= sooner + 5.0 for sooner, later in zip(taken, taken[count:], strict=False))


@given(st.integers(1, 20), st.lists(st.tuples(st.integers(0, 19), st.floats(0, 10)), max_size=60), st.floats(0, 12))
def test_what_is_free_is_what_may_be_chosen(count: int, takes: list[tuple[int, float]], now: float) -> None:
    window = Window(count)
    for place, free_at in takes:
        window.take(place % count, 1, free_at)

    assert (window.choose(now) is not None) == (window.free(now) > 0) == (window.wait_s(now) == 0)
    assert len(window.seemingly_free(now, 100)) == window.free(now)
