"""The page of a schedule: what it makes, when, and what came of it."""

from __future__ import annotations

from typing import Any

import pytest

from naq_runtime.job import Job
from naq_runtime.schedule import Schedule, ScheduleState
from naq_runtime.snapshot import ScheduleDetail
from naq_tui.pages.schedule import schedule_page
from naq_tui.screens.job import JobScreen
from naq_tui.screens.schedule import ScheduleScreen
from naq_tui.widgets.flow import width_of
from tests.tui.builders import NOW_NS, SECOND, batch, job_event, schedule, schedule_event, snapshot, stored
from tests.tui.harness import Watched, watching

BUSY = batch(job_event("completed", "nightly-1"), snapshot=snapshot())
RAN = schedule(ago_s=18, ticks=4, missed_ticks=2, last_job_id="nightly-1", anchor_ns=NOW_NS + 12 * SECOND)


def page(of: Schedule, width: int = 100, **known: Any) -> str:
    lines = schedule_page(ScheduleDetail(schedule=of, **known), width, NOW_NS)
    return "\n".join("".join(piece for piece, _ in line.spans) for line in lines)


async def open_first(watched: Watched) -> None:
    await watched.go_to_schedules()
    await watched.press("enter")
    await watched.settle()
    await watched.settle()


class TestOpening:
    async def test_enter_opens_the_schedule_and_escape_goes_back(self) -> None:
        async with watching(BUSY, schedules=[RAN]) as watched:
            await open_first(watched)
            assert "Schedule nightly" in watched.lines[2]
            assert "in 12 s" in watched.text
            await watched.press("escape")
            assert "Schedules 1" in watched.text

    async def test_enter_opens_its_last_job_and_escape_comes_back_to_it(self) -> None:
        async with watching(BUSY, schedules=[RAN]) as watched:
            await open_first(watched)
            await watched.press("enter")
            await watched.settle()
            assert isinstance(watched.app.screen, JobScreen)
            assert watched.source.questions.asked == ["nightly-1"]
            await watched.press("escape")
            assert watched.app.screen.has_class("schedule")

    async def test_before_its_first_job_enter_opens_nothing(self) -> None:
        async with watching(BUSY, schedules=[schedule()]) as watched:
            await open_first(watched)
            await watched.press("enter")
            assert isinstance(watched.app.screen, ScheduleScreen)

    async def test_its_countdowns_go_on(self) -> None:
        async with watching(BUSY, schedules=[RAN]) as watched:
            await open_first(watched)
            await watched.pass_time(5)
            assert "in 7 s" in watched.text
            assert "in 37 s" in watched.text

    async def test_a_tick_is_seen_at_once(self) -> None:
        async with watching(BUSY, schedules=[RAN]) as watched:
            await open_first(watched)
            watched.source.questions.put_schedules(schedule(in_s=42, ago_s=0, ticks=5, last_job_id="nightly-2"))
            await watched.pass_time(1)
            await watched.feed(batch(schedule_event("schedule_triggered", "nightly", job_id="nightly-2", tick=5)))
            await watched.settle()
            assert "nightly-2  Enter opens it" in watched.text
            assert "◶ tick" in watched.text

    async def test_what_is_gone_is_said(self) -> None:
        async with watching(batch(schedule_event("schedule_finished", "gone"))) as watched:
            await watched.press("enter")
            await watched.settle()
            assert "nothing is known of this schedule" in watched.text


class TestThePage:
    def test_the_latest_event_is_the_first(self) -> None:
        events = [schedule_event("schedule_paused", ago_s=9), schedule_event("schedule_resumed", ago_s=3)]
        shown = page(RAN, events=stored(events))

        assert shown.index("resumed") < shown.index("paused")

    def test_the_facts(self) -> None:
        shown = page(RAN)

        for words in ("● active", "shop.mail.send_newsletter", "every 30 s", "4  2 missed", "18 s ago"):
            assert words in shown

    def test_the_coming_five_ticks(self) -> None:
        coming = page(RAN).split("Coming")[1].split("Last job")[0]

        assert [line.split("in ")[1] for line in coming.splitlines() if "in " in line] == [
            *("12 s", "42 s", "1 m 12 s", "1 m 42 s", "2 m 12 s")
        ]

    def test_a_paused_one_says_why_and_that_nothing_comes(self) -> None:
        shown = page(schedule(state=ScheduleState.PAUSED, reason="until the database is moved"))

        assert "‖ paused" in shown
        assert "until the database is moved" in shown
        assert "not before it is resumed" in shown

    def test_one_that_is_over_has_nothing_to_come(self) -> None:
        assert "nothing more is due" in page(schedule(state=ScheduleState.FINISHED, next_ns=0))

    def test_of_one_that_was_cancelled_the_job_is_gone(self) -> None:
        assert "they went with it" in page(schedule(state=ScheduleState.CANCELLED, next_ns=0), job=None)

    def test_a_timetable_that_cannot_be_read_here_is_said(self) -> None:
        shown = page(schedule(every_ns=0, cron="0 3 * * *", timezone="Atlantis/Poseidonis"))

        assert "Atlantis/Poseidonis" in shown.split("Coming")[1]

    def test_its_arguments_and_its_latest_events(self) -> None:
        job = Job("shop.f", args=(7, "ada"), kwargs={"urgent": True})
        missed = stored([schedule_event("schedule_missed", count=3, policy="skip")])
        shown = page(RAN, job=job, events=missed)

        assert '[7, "ada"]\n  {"urgent": true}' in shown
        assert "◌ tick missed 3 ticks, skip" in shown

    @pytest.mark.parametrize("width", [20, 58, 118])
    def test_no_line_is_wider_than_the_page(self, width: int) -> None:
        long = schedule("s" * 40, function_name="shop." + "long" * 60, reason="日本" * 300, last_job_id="j" * 64)
        missed = stored([schedule_event("schedule_missed", count=3, policy="skip")])
        lines = schedule_page(ScheduleDetail(schedule=long, events=missed), width, NOW_NS)

        assert [line for line in lines if width_of(line.spans) > max(width, 40)] == []
