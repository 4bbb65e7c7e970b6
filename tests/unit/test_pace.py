"""How many jobs a worker asks for ahead: more the shorter they are, none while they are long."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from naq_runtime.worker.sharing import Pace

durations = st.lists(st.floats(0, 1e4), max_size=200)


def pace_after(slots: int, *seconds: float) -> Pace:
    """The pace of a worker whose jobs took so long."""
    pace = Pace(slots)
    for one in seconds:
        pace.took(one)
    return pace


def test_a_worker_that_knows_nothing_of_its_jobs_asks_for_none_ahead() -> None:
    assert Pace(10).ahead == 0


def test_short_jobs_are_asked_for_ahead() -> None:
    assert pace_after(10, *[0.001] * 300).ahead >= 90


def test_long_jobs_are_not_asked_for_ahead() -> None:
    assert pace_after(10, *[5.0] * 300).ahead == 0


def test_a_few_short_jobs_among_long_ones_change_nothing() -> None:
    assert pace_after(10, *[5.0] * 100, *[0.0] * 5).ahead == 0


def test_a_worker_whose_jobs_become_long_stops_asking_ahead() -> None:
    assert pace_after(10, *[0.001] * 300, *[5.0] * 3).ahead == 0


@given(durations)
def test_what_is_asked_for_ahead_is_bounded(seconds: list[float]) -> None:
    assert 0 <= pace_after(10_000, *seconds).ahead <= 256


def test_jobs_that_take_no_time_at_all_ask_for_the_bound() -> None:
    assert pace_after(10, *[0.0] * 5_000).ahead == 256


@given(durations, st.floats(0, 1e4), st.floats(0, 1e4))
def test_a_longer_job_never_makes_it_ask_for_more(seconds: list[float], one: float, other: float) -> None:
    shorter, longer = sorted((one, other))
    assert pace_after(50, *seconds, longer).ahead <= pace_after(50, *seconds, shorter).ahead


@given(durations, st.integers(1, 500))
def test_more_slots_never_ask_for_less(seconds: list[float], slots: int) -> None:
    assert pace_after(slots + 1, *seconds).ahead >= pace_after(slots, *seconds).ahead
