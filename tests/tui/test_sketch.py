"""Percentiles are close to the true ones, rates count each second once, and both forget."""

from __future__ import annotations

import math
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from naq_tui.model.seconds import SecondCounts
from naq_tui.model.sketch import RELATIVE_ERROR, RollingSketch

DURATIONS = st.lists(st.floats(0, 1e8, allow_nan=False), min_size=1, max_size=200)


@given(DURATIONS, st.floats(0.01, 1.0))
def test_a_quantile_is_within_the_promised_error(durations: list[float], share: float) -> None:
    sketch = RollingSketch()
    for duration in durations:
        sketch.observe(100, duration)

    found = sketch.quantiles(100, [share])

    true = sorted(durations)[max(1, math.ceil(share * len(durations))) - 1]
    assert found is not None
    assert abs(found[0] - true) <= true * RELATIVE_ERROR + 0.001


@given(st.lists(st.tuples(st.integers(1000, 1200), st.floats(0, 1e4)), max_size=120))
def test_the_minute_holds_what_its_steps_hold(observed: list[tuple[int, float]]) -> None:
    sketch = RollingSketch()
    for second, duration in sorted(observed):
        sketch.observe(second, duration)

    newest = max((second for second, _ in observed), default=1000)
    kept = [second for second, _ in observed if second // 10 > newest // 10 - 6]
    assert sum(sketch.counts(newest).values()) == len(kept)


@given(st.lists(st.tuples(st.integers(1000, 1900), st.booleans()), max_size=80), st.sampled_from((60, 600)))
def test_the_minute_is_the_sum_of_its_steps_in_whatever_order_things_come(
    happened: list[tuple[int, bool]], kept_s: int
) -> None:
    sketch, newest = RollingSketch(kept_s), 1000
    for second, is_asked in happened:
        sketch.observe(second, 5.0)
        newest = max(newest, second)
        if is_asked:
            steps = sketch.course(newest - 50, newest, [0.5])
            minute = sketch.counts(newest)
            assert bool(minute) == any(steps)
            assert sum(minute.values()) == sum(sum(sketch._step(newest // 10 - back).values()) for back in range(6))


def test_nothing_observed_means_no_quantile() -> None:
    assert RollingSketch().quantiles(100, [0.5]) is None


def test_what_is_older_than_the_window_is_forgotten() -> None:
    sketch = RollingSketch()
    sketch.observe(1000, 5.0)

    assert sketch.quantiles(1049, [0.5]) is not None
    assert sketch.quantiles(1061, [0.5]) is None


def test_each_step_has_percentiles_of_its_own_for_as_long_as_it_is_kept() -> None:
    sketch = RollingSketch(kept_s=120)
    for second, duration in ((1000, 5.0), (1009, 5.0), (1020, 80.0), (1119, 7.0)):
        sketch.observe(second, duration)

    course = [found and round(found[0]) for found in sketch.course(1000, 1119, [0.5])]

    assert course == [5, None, 80, *[None] * 8, 7]
    sketch.observe(1120, 1.0)
    assert sketch.course(1000, 1009, [0.5]) == [None]


def test_a_late_observation_does_not_disturb_newer_ones() -> None:
    sketch = RollingSketch()
    sketch.observe(1000, 5.0)
    sketch.observe(100, 9999.0)

    assert sum(sketch.counts(1000).values()) == 1


def test_absurd_durations_are_counted_and_harm_nothing() -> None:
    sketch = RollingSketch()
    for absurd in (float("inf"), float("nan"), -5.0, 1e300):
        sketch.observe(100, absurd)

    assert sum(sketch.counts(100).values()) == 4


@given(st.lists(st.integers(1000, 1100), max_size=100), st.integers(5, 50))
def test_a_ring_counts_what_happened_in_its_seconds(seconds: list[int], length: int) -> None:
    ring = SecondCounts(length)
    for second in sorted(seconds):
        ring.add(second)

    newest = max(seconds, default=1000)
    expected = Counter(second for second in seconds if second > newest - length)
    window = range(newest - length + 1, newest + 1)
    assert ring.series(window[0], window[-1]) == [expected[second] for second in window]
    assert ring.total(0, newest + 10) == expected.total()


@given(st.permutations(range(1000, 1020)))
def test_the_order_of_arrival_within_the_ring_does_not_matter(seconds: list[int]) -> None:
    ring = SecondCounts(20)
    for second in seconds:
        ring.add(second)

    assert ring.series(1000, 1019) == [1] * 20


def test_seconds_that_have_not_come_are_empty() -> None:
    ring = SecondCounts(10)
    ring.add(1000)

    assert ring.series(1000, 1012) == [1] + [0] * 12
