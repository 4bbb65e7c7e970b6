"""The time around a moment, drawn."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from naq_runtime.statistics.course import Course
from naq_tui.model.density import DensityBook, counted
from naq_tui.past import Density, Span
from naq_tui.sources.live_past import _failures
from naq_tui.widgets.scrubber import _level, _marks, _resampled
from tests.tui.builders import NOW_NS, SECOND, job_event, stored


class TestCounting:
    def test_each_event_is_in_the_part_in_which_it_happened(self) -> None:
        events = [job_event(ago_s=95), job_event("failed", ago_s=15), job_event("timed_out", ago_s=5)]
        span = Span(NOW_NS - 100 * SECOND, NOW_NS)

        density = counted(stored([*events, job_event(ago_s=101), job_event(ago_s=-1)]), span, 10)

        assert density == Density(span.first_ns, 10 * SECOND, (1, 0, 0, 0, 0, 0, 0, 0, 1, 1), (0,) * 8 + (1, 1))

    @pytest.mark.parametrize("most", [4, 50, 10_000])
    def test_a_book_loses_nothing_when_its_times_become_longer(self, most: int) -> None:
        book = DensityBook(most)
        for number in range(1_000):
            book.add(NOW_NS + number * SECOND, failed=number % 10 == 0)

        density = book.density(Span(NOW_NS - 10_000 * SECOND, NOW_NS + 10_000 * SECOND), 7)

        assert (sum(density.events), sum(count or 0 for count in density.failures)) == (1_000, 100)

    def test_of_a_long_time_no_more_is_looked_at_than_was_counted(self) -> None:
        book = DensityBook()
        for number in range(100):
            book.add(NOW_NS + number * 60 * SECOND, failed=number == 99)

        density = book.density(Span(0, 2 * NOW_NS), 2)  # a hundred years, by tenths of a second

        assert (density.events, density.failures) == ((0, 100), (0, 1))

    def test_peaks_are_what_is_higher_than_its_sides_and_the_highest_comes_first(self) -> None:
        density = Density(1_000, 10, (3, 1, 0, 7, 7, 2, 0, 5), (0,) * 8)

        assert density.peaks() == [1_030, 1_070, 1_000]


class TestDrawing:
    @pytest.mark.parametrize(
        ("counts", "cells", "expected"),
        [((1, 2, 3), 3, [1, 2, 3]), ((1, 5, 2, 3), 2, [5, 3]), ((1, 2), 4, [1, 1, 2, 2])],
    )
    def test_each_cell_shows_the_most_of_what_it_stands_for(
        self, counts: Sequence[int], cells: int, expected: list[int]
    ) -> None:
        assert _resampled(counts, cells) == expected

    def test_whatever_is_above_nothing_is_seen(self) -> None:
        assert [_level(count, 1_000_000, 0, 2) for count in (0, 1, 1_000_000)] == [0, 1, 8]
        assert [_level(count, 1_000_000, 1, 2) for count in (0, 1, 1_000_000)] == [0, 0, 8]

    def test_failures_are_marks_and_what_nobody_counted_is_blank(self) -> None:
        assert "".join(text for text, _ in _marks([0, 1, 9, -1, 0], 4)) == "·×✗ ┊"


class TestFailuresOfMinutes:
    """Where many events are, failures are known by the minute."""

    COURSE = Course(60 * SECOND, {60: 3}, 180 * SECOND)

    def test_bars_of_a_minute_have_one_mark_together(self) -> None:
        parts = [(begin * SECOND, (begin + 20) * SECOND) for begin in range(0, 200, 20)]

        assert [_failures(self.COURSE, *part) for part in parts] == [0, 0, 0, None, 3, None, 0, 0, 0, None]

    def test_a_bar_of_minutes_has_all_of_theirs(self) -> None:
        assert _failures(self.COURSE, 0, 120 * SECOND) == 3
