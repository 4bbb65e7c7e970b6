"""The statistics: what the view counts, how one moves in it, and that nothing is counted for nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from naq_runtime.errors import ServerUnreachable
from naq_runtime.statistics.sketch import Sketch
from naq_runtime.statistics.trends import EventTrends
from naq_tui.model.statistics import bars_of, course_of
from naq_tui.questions import Progress
from naq_tui.screens.jobs import Jobs
from naq_tui.screens.statistics import Statistics
from naq_tui.source import Batch, ConnectionState, Link
from naq_tui.sources.recorded_questions import RecordedQuestions
from naq_tui.widgets.braille import area, bands
from naq_tui.widgets.statistics import StatisticsTable
from naq_tui.widgets.trend import trend_picture
from tests.tui.builders import NOW_NS, batch, job_event, snapshot
from tests.tui.figures import trends
from tests.tui.harness import Watched, watching

QUIETLY = settings(deadline=None)  # other tests run at the same time
MAIL = {"queue_name": "mail", "function_name": "shop.mail.send", "worker_id": "w-1"}
REPORTS = {"queue_name": "reports", "function_name": "shop.reports.daily", "worker_id": "w-2"}
BUSY = batch(
    *(job_event("enqueued", f"m{n}", "mail", ago_s=40, function_name=MAIL["function_name"]) for n in range(20)),
    *(job_event("started", f"m{n}", ago_s=40, wait_ms=4.0, **MAIL) for n in range(20)),
    *(job_event("completed", f"m{n}", ago_s=30, duration_ms=20.0 + n, **MAIL) for n in range(18)),
    *(job_event("failed", f"m{n}", ago_s=20, duration_ms=300.0, **MAIL) for n in (18, 19)),
    *(job_event("started", f"r{n}", ago_s=90, wait_ms=70.0, **REPORTS) for n in range(3)),
    *(job_event("completed", f"r{n}", ago_s=80, duration_ms=2600.0, **REPORTS) for n in range(3)),
    snapshot=snapshot(),
)


async def open_statistics(watched: Watched, *keys: str) -> None:
    """Open the view, press keys, and let what it asks for be answered and painted."""
    for key in ("7", *keys):
        await watched.press(key)
        await watched.settle()
        await watched.settle()


def names(watched: Watched) -> list[str]:
    return [row.name for row in watched.app.screen.query_one(StatisticsTable).rows]


def asked(watched: Watched) -> list[tuple[float, tuple[str, ...]]]:
    return watched.source.questions.asked_statistics


class TestWhatItShows:
    async def test_7_counts_by_queue_the_busiest_first(self) -> None:
        async with watching(BUSY) as watched:
            await open_statistics(watched)
            assert names(watched) == ["mail", "reports"]
            mail = watched.line_with("│ mail ").split()
            assert mail[2:7] == ["20", "18", "<0.1", "2", "10"]
            assert "20 ms" not in watched.line_with("│ reports ")
            assert watched.line_with("│ reports ").count("2.60 s") == 2

    @pytest.mark.parametrize(
        ("keys", "needle"),
        [
            ((), "queue:mail time>-5m"),
            (("tab",), "function:shop.mail.send time>-5m"),
            (("tab", "tab", "greater_than_sign"), "worker:w-1 time>-1h"),
        ],
    )
    async def test_enter_shows_the_jobs_of_the_row_and_of_the_time(self, keys: tuple[str, ...], needle: str) -> None:
        async with watching(BUSY) as watched:
            await open_statistics(watched, *keys)
            await watched.press("enter")
            await watched.settle()

            view = watched.app.screen
            assert isinstance(view, Jobs)
            assert view.needle == needle

    async def test_what_stands_for_none_or_for_many_leads_nowhere(self) -> None:
        async with watching(BUSY) as watched:
            await open_statistics(watched, "tab", "tab", "end", "enter")
            assert isinstance(watched.app.screen, Statistics)

    async def test_all_together_are_above(self) -> None:
        async with watching(BUSY) as watched:
            await open_statistics(watched)
            assert "✓ 21 done   ✗ 2 errors, 8.7 %" in watched.lines[3]

    async def test_tab_counts_by_function_and_then_by_worker(self) -> None:
        async with watching(BUSY) as watched:
            await open_statistics(watched, "tab")
            assert "By function 2" in watched.text
            assert names(watched) == ["shop.mail.send", "shop.reports.daily"]
            await open_statistics(watched, "tab")
            assert names(watched) == ["w-1", "w-2", "(none)"]  # nobody is at work when a job is enqueued
            await open_statistics(watched, "shift+tab")
            assert "By function 2" in watched.text

    async def test_plus_and_minus_choose_the_time(self) -> None:
        async with watching(BUSY) as watched:
            await open_statistics(
                watched, "greater_than_sign", "greater_than_sign", "greater_than_sign", "less_than_sign"
            )
            assert [window_s for window_s, _ in asked(watched)] == [300, 3600, 86_400, 3600]
            assert "[1 h]" in watched.lines[2]

    async def test_the_chart_and_the_histogram_are_of_the_row_with_the_cursor(self) -> None:
        async with watching(BUSY) as watched:
            await open_statistics(watched)
            assert "Over time mail" in watched.text
            assert "Run times 20 runs" in watched.text
            await watched.press("j")
            assert "Over time reports" in watched.text
            assert "Run times 3 runs" in watched.text
            assert "100 % p50 p95 p99" in watched.line_with("2.00 s │")

    async def test_when_the_order_turns_the_pictures_follow(self) -> None:
        async with watching(BUSY) as watched:
            await open_statistics(watched, "r")
            assert names(watched) == ["reports", "mail"]
            assert "Over time reports" in watched.text

    async def test_h_shows_the_histogram_where_only_one_picture_has_room(self) -> None:
        async with watching(BUSY, size=(80, 24)) as watched:
            await open_statistics(watched)
            assert "Over time mail" in watched.text
            assert "Run times" not in watched.text
            await watched.press("h")
            assert "Run times 20 runs" in watched.text
            assert "Over time" not in watched.text

    async def test_a_filter_shows_some(self) -> None:
        async with watching(BUSY) as watched:
            await open_statistics(watched)
            await watched.write("/rep")
            await watched.press("enter")
            assert names(watched) == ["reports"]
            assert "By queue 1 of 2" in watched.text
            await watched.press("escape")
            assert names(watched) == ["mail", "reports"]
            await watched.press("escape")
            assert watched.app.screen.id == "overview"

    async def test_without_any_job_it_says_what_to_do(self) -> None:
        async with watching(batch(snapshot=snapshot())) as watched:
            await open_statistics(watched)
            assert "nothing happened to any job in this time" in watched.text
            assert "naq enqueue your_module.your_task" in watched.text

    async def test_what_is_copied_and_written_is_what_is_shown(self) -> None:
        async with watching(BUSY) as watched:
            await open_statistics(watched, "greater_than_sign")
            view: Any = watched.app.screen
            assert view.row_text() == "mail"
            assert view.equivalent() == "naq events stats --since 1h --by-queue"
            mail, _ = view.records()
            assert (mail["queue"], mail["completed"], mail["failed"]) == ("mail", 18, 2)
            assert mail["failure_share"] == pytest.approx(0.1)
            assert mail["run_p50_ms"] == pytest.approx(29, rel=0.02)


class TestAskingAgain:
    async def test_it_is_counted_anew_every_five_seconds(self) -> None:
        async with watching(BUSY) as watched:
            await open_statistics(watched)
            await watched.pass_time(3)
            assert len(asked(watched)) == 1
            assert "3 s old" in watched.lines[2]
            await watched.feed(batch(job_event("completed", "m21", ago_s=-3, duration_ms=5.0, **MAIL), first=100))
            await watched.pass_time(2)
            await watched.settle()
            assert len(asked(watched)) == 2
            assert "0 s old" in watched.lines[2]
            assert "✓ 22 done" in watched.lines[3]

    async def test_a_day_is_counted_every_half_minute(self) -> None:
        async with watching(BUSY) as watched:
            await open_statistics(watched, "greater_than_sign", "greater_than_sign")
            for _ in range(29):
                await watched.pass_time(1)
            assert len(asked(watched)) == 3
            await watched.pass_time(1)
            assert len(asked(watched)) == 4

    async def test_nothing_is_counted_while_it_is_hidden(self) -> None:
        async with watching(BUSY) as watched:
            await open_statistics(watched)
            await watched.press("1")
            await watched.pass_time(60)
            assert len(asked(watched)) == 1

    async def test_nothing_is_painted_when_nothing_has_changed(self) -> None:
        async with watching(BUSY) as watched:
            await open_statistics(watched)
            painted: list[object] = []
            table = watched.app.screen.query_one(StatisticsTable)
            refresh = table.refresh
            table.refresh = lambda *regions, **how: painted.append(regions) or refresh(*regions, **how)  # type: ignore
            await watched.pass_time(1)
            assert painted == []

    async def test_while_it_is_frozen_nothing_is_counted(self) -> None:
        async with watching(BUSY) as watched:
            await open_statistics(watched, "p")
            await watched.pass_time(60)
            assert len(asked(watched)) == 1

    async def test_a_long_count_shows_how_far_it_is_and_the_answer_before(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with watching(BUSY) as watched:
            await open_statistics(watched)
            counted, go_on = watched.source.questions.statistics, asyncio.Event()

            async def slow(window_s: float, by: Sequence[str] = (), *, progress: Progress | None = None) -> EventTrends:
                assert progress is not None
                progress(250_000, 1_000_000)
                await go_on.wait()
                return await counted(window_s, by, progress=progress)

            monkeypatch.setattr(watched.source.questions, "statistics", slow)
            await open_statistics(watched, "tab")
            assert "reading events 25 %" in watched.lines[2]
            assert names(watched) == ["mail", "reports"]
            assert "By queue 2" in watched.text
            go_on.set()
            await watched.settle()
            await watched.settle()
            assert "reading" not in watched.lines[2]
            assert "By function 2" in watched.text

    async def test_who_goes_away_does_not_let_it_count_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async with watching(BUSY) as watched:
            given_up: list[bool] = []

            async def endless(*_: object, **__: object) -> EventTrends:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    given_up.append(True)
                    raise
                raise AssertionError

            counted = watched.source.questions.statistics
            monkeypatch.setattr(watched.source.questions, "statistics", endless)
            await open_statistics(watched)
            await watched.press("1")
            await watched.settle()
            assert given_up == [True]
            monkeypatch.setattr(watched.source.questions, "statistics", counted)
            await open_statistics(watched)
            assert names(watched) == ["mail", "reports"]


class TestTrouble:
    async def test_before_there_is_a_connection_it_says_why(self) -> None:
        async with watching() as watched:
            await open_statistics(watched)
            await watched.feed(Batch(Link(ConnectionState.RECONNECTING, NOW_NS, "connection refused")))
            assert "connection refused" in watched.text
            assert asked(watched) == []
            await watched.feed(BUSY)
            await watched.settle()
            await watched.settle()
            assert names(watched) == ["mail", "reports"]

    async def test_when_the_link_is_lost_the_figures_stay_with_their_age(self) -> None:
        async with watching(BUSY) as watched:
            await open_statistics(watched)
            await watched.feed(Batch(Link(ConnectionState.RECONNECTING, NOW_NS, "connection refused")))
            await watched.pass_time(60)
            assert len(asked(watched)) == 1
            assert names(watched) == ["mail", "reports"]
            assert watched.app.screen.query_one(StatisticsTable).styles.text_opacity < 1

    async def test_a_question_without_an_answer_says_why_and_is_asked_again_later(self) -> None:
        async with watching(BUSY) as watched:
            await open_statistics(watched)
            watched.source.questions.trends = ServerUnreachable("the server did not answer in time")
            await watched.pass_time(5)
            await watched.settle()
            assert "! the server did not answer in time" in watched.lines[2]
            assert names(watched) == ["mail", "reports"]
            watched.source.questions.trends = None
            await watched.pass_time(5)
            assert len(asked(watched)) == 2
            await watched.pass_time(5)
            await watched.settle()
            assert "!" not in watched.lines[2]


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 60), (20, 6), (12, 90)])
async def test_at_every_size_nothing_is_too_wide(size: tuple[int, int]) -> None:
    async with watching(BUSY, size=size) as watched:
        watched.source.questions.trends = await asyncio.to_thread(trends, NOW_NS, 3600)
        await open_statistics(watched)
        assert len(watched.lines) == size[1]
        assert {cell_len(line) for line in watched.lines} == {size[0]}


async def test_a_thousand_workers_are_one_table() -> None:
    many = [("mail", "shop.mail.send", f"worker-{n:04}", 0.2, 20, 0.01) for n in range(1000)]
    async with watching(BUSY) as watched:
        watched.source.questions.trends = await asyncio.to_thread(trends, NOW_NS, 300, "worker", many)
        await open_statistics(watched, "tab", "tab")
        assert "By worker 1,000" in watched.text
        await watched.press("G")
        assert watched.app.screen.query_one(StatisticsTable).viewport.cursor == 999


@cache
def _trends_of(window_s: int) -> EventTrends:
    return trends(NOW_NS, window_s)


class TestPictures:
    @QUIETLY
    @given(st.lists(st.floats(0, 1e9), min_size=1, max_size=200), st.integers(4, 30))
    def test_bars_count_every_duration_within_their_bounds(self, durations: list[float], most: int) -> None:
        sketch = Sketch()
        for duration_ms in durations:
            sketch.add(int(duration_ms * 1e6))
        bars = bars_of(sketch.buckets, {"p50": sorted(durations)[len(durations) // 2]}, most)
        assert sum(bars.counts) == len(durations)
        assert len(bars.bounds_ms) == len(bars.counts) + 1
        assert bars.bounds_ms[0] * 0.99 <= max(0.0, min(durations))
        assert max(durations) <= bars.bounds_ms[-1] * 1.01
        assert list(bars.bounds_ms) == sorted(set(bars.bounds_ms))

    def test_the_rate_of_the_last_step_is_of_the_part_that_is_over(self) -> None:
        told = trends(NOW_NS - 30 * 10**9, 3600)
        course = course_of(told, told.total)
        assert course.completed[0] == told.total.completed[0] / 60
        assert course.completed[-1] == told.total.completed[-1] / 30

    def test_a_step_that_has_only_begun_is_no_peak(self) -> None:
        told = trends(NOW_NS + 10**9, 3600)
        assert course_of(told, told.total).completed[-1] == told.total.completed[-1] / 12

    @QUIETLY
    @given(st.integers(1, 250), st.integers(1, 50), st.sampled_from((300, 3600, 86_400)))
    def test_the_charts_fill_their_room(self, width: int, height: int, window_s: int) -> None:
        told = _trends_of(window_s)
        lines = trend_picture(course_of(told, told.total), width, height)
        assert len(lines) <= max(2, height)
        if height >= 2 and width >= 16:
            assert len(lines) == height
            assert {sum(cell_len(text) for text, _ in line.spans) for line in lines} == {width - 1}

    @pytest.mark.parametrize("failing", [0.004, 0.06, 0.0003])
    def test_the_charts_say_in_full_how_many_errors_there_are(self, failing: float) -> None:
        told = trends(NOW_NS, 86_400, names=[("mail", "send", "w-1", 4.0, 40, failing)])
        lines = trend_picture(course_of(told, told.total), 100, 20)
        label = next(line.spans[0][0] for line in lines if "errors" in line.spans[0][0])
        assert "…" not in label

    def test_of_nothing_there_are_no_bars(self) -> None:
        assert bars_of({}, {}, 10).counts == ()

    @QUIETLY
    @given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=1, max_size=40), st.integers(1, 8))
    def test_the_full_area_of_a_band_is_that_of_its_lower_value(
        self, pairs: list[tuple[float, float]], rows: int
    ) -> None:
        values = [(min(pair), max(pair)) for pair in (*pairs, *pairs)]
        drawn = ["".join(text for text, _ in runs) for runs in bands(values, rows, 100)]
        lower = area([low for low, _ in values], rows, 100)
        higher = area([high for _, high in values], rows, 100)
        for line, low, high in zip(drawn, lower, higher, strict=True):
            for cell, full, all_of_it in zip(line, low, high, strict=True):
                assert ord(full) & ord(cell) == ord(full)
                assert ord(cell) | ord(all_of_it) == ord(all_of_it)


async def test_a_recording_is_counted_as_it_is_played() -> None:
    questions = RecordedQuestions()
    questions.remember(BUSY.events)
    by_queue = await questions.statistics(300, ("queue",))
    assert [(one.queue, one.completed) for one in by_queue.statistics.groups] == [("mail", 18), ("reports", 3)]
    assert sum(by_queue.total.completed) == 21
    hour = await questions.statistics(3600, ("worker",))
    assert hour.step_ns == 60 * 10**9
    assert hour.statistics.total.failed == 2
