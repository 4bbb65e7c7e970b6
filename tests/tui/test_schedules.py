"""The schedules: what the view shows, how one moves in it, and that nothing is asked for what nobody sees."""

from __future__ import annotations

from typing import Any

import pytest
from rich.cells import cell_len

from naq_runtime.errors import ServerUnreachable
from naq_runtime.schedule import ScheduleState, tick_id
from naq_tui.screens.overview import Overview
from naq_tui.source import Batch, ConnectionState, Link
from naq_tui.text import countdown_text
from naq_tui.widgets.schedules import Schedules
from tests.tui.builders import NOW_NS, SECOND, batch, job_event, leader, schedule, schedule_event, snapshot
from tests.tui.harness import Watched, watching

BUSY = batch(job_event("completed", "job-1", duration_ms=3.0), snapshot=snapshot())
LATER = schedule("later", in_s=90, ago_s=4, ticks=7, missed_ticks=2, repeat=3)
SOON = schedule("soon", in_s=12, queue_name="default", every_ns=0, cron="*/5 * * * *", timezone="Europe/Zurich")
PAUSED = schedule("paused", state=ScheduleState.PAUSED, function_name="shop.reports.stock")
THREE = (LATER, SOON, PAUSED)


def order(watched: Watched) -> list[str]:
    return [row.schedule_id for row in watched.app.screen.query_one(Schedules).rows]


class TestWhatItShows:
    async def test_6_shows_the_schedules_the_soonest_first(self) -> None:
        async with watching(BUSY, schedules=THREE, leader=leader()) as watched:
            await watched.go_to_schedules()
            assert "Schedules 3" in watched.text
            assert order(watched) == ["soon", "later", "paused"]

    async def test_a_row_says_when_and_what_was(self) -> None:
        async with watching(BUSY, schedules=THREE, size=(200, 60)) as watched:
            await watched.go_to_schedules()
            soon, later = watched.line_with("│ soon "), watched.line_with("│ later ")
            assert "● active" in soon
            assert "cron */5 * * * * Europe/Zurich" in soon
            assert "in 12 s" in soon
            assert "every 30 s" in later
            assert later.split("in 1 m 30 s")[1].split()[:7] == ["4", "s", "-", "7", "2", "3", "mail"]
            assert "shop.mail.send_newsletter" in later
            assert "‖ paused" in watched.line_with("│ paused ")

    async def test_the_lag_is_that_of_the_last_tick(self) -> None:
        due = NOW_NS - 4 * SECOND
        ticked: dict[str, Any] = {
            "last_due_ns": due,
            "last_run_ns": due + 12_500_000,
            "last_job_id": tick_id("ticked", due),
        }
        by_hand = ticked | {"asked_ns": NOW_NS - SECOND, "asked_job_id": "by-hand-now-12345678"}
        schedules = (schedule("ticked", **ticked), schedule("by-hand", **by_hand))
        async with watching(BUSY, schedules=schedules) as watched:
            await watched.go_to_schedules()
            assert "12 ms" in watched.line_with("│ ticked ") or "13 ms" in watched.line_with("│ ticked ")
            assert "ms" not in watched.line_with("│ by-hand ")

    async def test_the_countdown_goes_on_and_ends_in_being_late(self) -> None:
        async with watching(BUSY, schedules=THREE) as watched:
            await watched.go_to_schedules()
            await watched.pass_time(4)
            assert "in 8 s" in watched.line_with("│ soon ")
            await watched.pass_time(8)
            assert " now " in watched.line_with("│ soon ")
            await watched.pass_time(3)
            assert "late 3 s" in watched.line_with("│ soon ")
            assert "! late" in watched.line_with("│ soon ")

    async def test_a_tick_puts_the_row_where_it_belongs(self) -> None:
        async with watching(BUSY, schedules=THREE) as watched:
            await watched.go_to_schedules()
            watched.source.questions.put_schedules(schedule("soon", in_s=300, ago_s=0, ticks=1))
            await watched.pass_time(1)
            await watched.settle()
            assert order(watched) == ["later", "soon", "paused"]

    async def test_the_cursor_goes_with_its_row_also_from_the_top(self) -> None:
        async with watching(BUSY, schedules=THREE) as watched:
            await watched.go_to_schedules()
            table = watched.app.screen.query_one(Schedules)
            watched.source.questions.put_schedules(schedule("soon", in_s=300))
            await watched.pass_time(1)
            await watched.settle()
            assert (table.cursor_key, table.viewport.cursor) == ("soon", 1)
            watched.source.questions.put_schedules(schedule("soon", in_s=2))
            await watched.pass_time(1)
            await watched.settle()
            assert (table.cursor_key, table.viewport.cursor) == ("soon", 0)

    async def test_one_that_is_over_leaves(self) -> None:
        async with watching(BUSY, schedules=THREE) as watched:
            await watched.go_to_schedules()
            watched.source.questions.put_schedules(schedule("soon", state=ScheduleState.CANCELLED))
            await watched.pass_time(1)
            await watched.settle()
            assert order(watched) == ["later", "paused"]

    async def test_one_whose_tick_waits_for_the_job_before_says_so(self) -> None:
        held = schedule("soon", held_ns=NOW_NS - SECOND, overlap="buffer")
        async with watching(BUSY, schedules=[held]) as watched:
            await watched.go_to_schedules()
            assert "⋯ held" in watched.line_with("│ soon ")

    async def test_none_yet_teaches_what_to_do(self) -> None:
        async with watching(BUSY) as watched:
            await watched.go_to_schedules()
            assert "no schedules yet" in watched.text
            assert "naq schedule add …" in watched.text

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [
            (-1, "now"),
            (0, "now"),
            (0.2, "in 1 s"),
            (59, "in 59 s"),
            (599, "in 9 m 59 s"),
            (3599, "in 59 m"),
            (35_999, "in 9 h 59 m"),
            (86_399, "in 23 h"),
            (10**9, "in 11574 d"),
        ],
    )
    def test_a_countdown_fits(self, seconds: float, text: str) -> None:
        assert countdown_text(seconds) == text
        assert len(text) <= 11


class TestTheLead:
    async def test_who_leads_since_when(self) -> None:
        async with watching(BUSY, schedules=THREE, leader=leader()) as watched:
            await watched.go_to_schedules()
            assert "★ sch-1 leads   app-1:4711   term 3   for 1 h 23 m" in watched.lines[2]
            assert "● 2 active   ‖ 1 paused" in watched.lines[2]

    async def test_nobody_has_ever_led(self) -> None:
        async with watching(BUSY, schedules=THREE) as watched:
            await watched.go_to_schedules()
            assert "! no scheduler runs   none has ever led   naq run-scheduler starts one" in watched.lines[2]

    async def test_the_last_one_has_resigned(self) -> None:
        async with watching(BUSY, schedules=THREE, leader=leader("")) as watched:
            await watched.go_to_schedules()
            assert "! no scheduler runs   the last one has left" in watched.lines[2]

    async def test_a_leader_that_is_silent_for_longer_than_its_lease_leads_no_more(self) -> None:
        async with watching(BUSY, schedules=THREE, leader=leader(silent_s=2.9)) as watched:
            await watched.go_to_schedules()
            assert "sch-1 leads" in watched.lines[2]
            watched.source.questions.leader = leader(silent_s=3.9)
            await watched.pass_time(1)
            await watched.settle()
            assert "! no scheduler runs   sch-1 is silent for 3 s" in watched.lines[2]

    async def test_without_anything_to_keep_nobody_is_missed(self) -> None:
        async with watching(BUSY, schedules=[PAUSED]) as watched:
            await watched.go_to_schedules()
            assert watched.lines[2].startswith(" no scheduler runs ")
            assert "!" not in watched.lines[2]


class TestMoving:
    async def test_1_goes_back_to_the_overview_from_anywhere(self) -> None:
        async with watching(BUSY, schedules=THREE) as watched:
            await watched.go_to_schedules()
            await watched.press("1")
            assert isinstance(watched.app.screen, Overview)
            await watched.press("6", "enter", "question_mark", "1")
            assert isinstance(watched.app.screen, Overview)

    async def test_6_goes_to_the_schedules_from_a_job(self) -> None:
        async with watching(BUSY, schedules=THREE) as watched:
            await watched.press("enter", "6")
            await watched.settle()
            assert watched.app.screen.id == "schedules"
            await watched.press("escape")
            assert watched.app.screen.id == "overview"

    async def test_order_and_cursor_are_kept_while_it_is_hidden(self) -> None:
        async with watching(BUSY, schedules=THREE) as watched:
            await watched.go_to_schedules()
            await watched.press("r", "k", "1")
            await watched.go_to_schedules()
            assert order(watched) == ["paused", "later", "soon"]
            assert watched.app.screen.query_one(Schedules).cursor_key == "later"

    async def test_s_sorts_by_the_next_column_and_r_turns_the_order_round(self) -> None:
        async with watching(BUSY, schedules=THREE) as watched:
            await watched.go_to_schedules()
            assert "next▴" in watched.text
            await watched.press("s")
            assert "last ago▴" in watched.text
            assert order(watched)[0] == "later"
            await watched.press("r")
            assert order(watched)[-1] == "later"

    async def test_a_filter_shows_some_and_escape_shows_all_again(self) -> None:
        async with watching(BUSY, schedules=THREE) as watched:
            await watched.go_to_schedules()
            await watched.write("/stock")
            assert order(watched) == ["paused"]
            assert "Schedules 1 of 3" in watched.text
            await watched.press("enter", "escape")
            assert len(order(watched)) == 3
            await watched.press("escape")
            assert isinstance(watched.app.screen, Overview)

    @pytest.mark.parametrize("needle", ["europe", "*/5", "default", "soon"])
    async def test_the_filter_looks_at_what_a_row_says(self, needle: str) -> None:
        async with watching(BUSY, schedules=THREE) as watched:
            await watched.go_to_schedules()
            await watched.write("/" + needle)
            assert order(watched) == ["soon"]

    async def test_what_changes_comes_and_goes_by_the_filter(self) -> None:
        async with watching(BUSY, schedules=THREE) as watched:
            await watched.go_to_schedules()
            await watched.write("/active")
            await watched.press("enter")
            assert order(watched) == ["soon", "later"]
            watched.source.questions.put_schedules(
                schedule("soon", state=ScheduleState.PAUSED), schedule("new", in_s=1)
            )
            await watched.pass_time(1)
            await watched.settle()
            assert order(watched) == ["new", "later"]

    async def test_enter_on_a_tick_in_the_feed_opens_its_schedule(self) -> None:
        async with watching(batch(schedule_event("schedule_triggered", "soon")), schedules=THREE) as watched:
            await watched.press("enter")
            await watched.settle()
            assert "Schedule soon" in watched.text

    async def test_palette_and_footer_name_it(self) -> None:
        async with watching(BUSY, size=(200, 60)) as watched:
            assert "6 Schedules" in watched.lines[-1]
            await watched.go_to_schedules()
            assert "1 Overview" in watched.lines[-1]
            await watched.go_to_schedules()
            assert "6 Schedules" in watched.lines[-1]
            offered = {command.title for command in watched.app.get_system_commands(watched.app.screen)}
            assert {"Open schedule", "Filter schedules", "Sort", "Overview", "Schedules"} <= offered


class TestQuiet:
    async def test_nothing_is_asked_while_it_is_hidden(self) -> None:
        async with watching(BUSY, schedules=THREE) as watched:
            await watched.pass_time(3)
            assert watched.source.questions.asked_schedules == []
            await watched.go_to_schedules()
            await watched.press("1")
            asked = len(watched.source.questions.asked_schedules)
            await watched.pass_time(5)
            assert len(watched.source.questions.asked_schedules) == asked

    async def test_while_it_is_visible_only_changes_are_asked_for_once_a_second(self) -> None:
        async with watching(BUSY, schedules=THREE) as watched:
            await watched.go_to_schedules()
            for _ in range(3):
                await watched.pass_time(1)
            first, *more = watched.source.questions.asked_schedules
            assert first is None
            assert len(more) == 3
            assert all(mark is not None for mark in more)

    async def test_many_come_in_parts_and_all_of_them_come(self) -> None:
        many = [schedule(f"s-{number:02}", in_s=number + 10) for number in range(25)]
        async with watching(BUSY, schedules=many) as watched:
            watched.source.questions.schedules_at_once = 10
            await watched.go_to_schedules()
            assert "Schedules 25 " in watched.text
            assert [mark and mark.sequence for mark in watched.source.questions.asked_schedules] == [None, 10, 20]
            assert order(watched) == [one.schedule_id for one in many]

    async def test_nothing_changes_and_nothing_is_painted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async with watching(BUSY, schedules=THREE, leader=leader()) as watched:
            await watched.go_to_schedules()
            painted: list[object] = []
            monkeypatch.setattr(watched.app, "_display", lambda *args: painted.append(args))
            for _ in range(5):
                await watched.feed(batch(snapshot=snapshot()))
            assert painted == []

    async def test_a_second_paints_only_the_countdowns(self) -> None:
        never = schedule("never", state=ScheduleState.PAUSED)
        async with watching(BUSY, schedules=[*THREE, never]) as watched:
            await watched.go_to_schedules()
            before = watched.lines
            await watched.pass_time(1)
            changed = {line for y, line in enumerate(watched.lines) if y > 2 and line != before[y]}
            assert len(changed) == 2

    async def test_frozen_it_stays_as_it_is(self) -> None:
        async with watching(BUSY, schedules=THREE) as watched:
            await watched.go_to_schedules()
            await watched.press("p")
            before = watched.lines[2:]
            watched.source.questions.put_schedules(schedule("new"))
            await watched.pass_time(5)
            assert watched.lines[2:] == before

    async def test_a_hundred_thousand_are_a_list_to_scroll(self) -> None:
        many = [schedule(f"s-{number:06}", in_s=number) for number in range(100_000)]
        async with watching(BUSY, schedules=many) as watched:
            await watched.go_to_schedules()
            await watched.press("G")
            assert watched.app.screen.query_one(Schedules).cursor_key == "s-099999"
            assert "Schedules 100k" in watched.text


class TestTrouble:
    async def test_before_there_is_a_connection_it_says_why(self) -> None:
        async with watching() as watched:
            await watched.go_to_schedules()
            assert "connecting …" in watched.text
            await watched.feed(Batch(Link(ConnectionState.RECONNECTING, NOW_NS, "connection refused")))
            assert " connection refused" in watched.text
            assert watched.source.questions.asked_schedules == []
            await watched.feed(BUSY)
            await watched.settle()
            assert "no schedules yet" in watched.text

    async def test_when_the_link_is_lost_it_stays_and_nothing_is_asked(self) -> None:
        async with watching(BUSY, schedules=THREE, leader=leader()) as watched:
            await watched.go_to_schedules()
            before, asked = watched.lines[2:], len(watched.source.questions.asked_schedules)
            await watched.feed(Batch(Link(ConnectionState.RECONNECTING, NOW_NS, "connection refused")))
            await watched.pass_time(60)
            assert watched.lines[2:] == before
            assert len(watched.source.questions.asked_schedules) == asked
            assert watched.app.screen.query_one(Schedules).styles.text_opacity < 1

    async def test_a_question_without_an_answer_says_why_until_there_is_one(self) -> None:
        async with watching(BUSY, schedules=THREE, leader=leader()) as watched:
            watched.source.questions.trouble = ServerUnreachable("the server does not answer")
            await watched.go_to_schedules()
            assert "! the server does not answer" in watched.lines[2]
            watched.source.questions.trouble = None
            await watched.pass_time(1)
            await watched.settle()
            assert "sch-1 leads" in watched.lines[2]
            assert len(order(watched)) == 3


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 60), (20, 6), (12, 90)])
async def test_at_every_size_nothing_is_too_wide(size: tuple[int, int]) -> None:
    many = [schedule(f"schedule-number-{number:03}", in_s=number, ago_s=9) for number in range(100)]
    async with watching(BUSY, schedules=many, leader=leader(), size=size) as watched:
        await watched.go_to_schedules()
        assert len(watched.lines) == size[1]
        assert {cell_len(line) for line in watched.lines} == {size[0]}
        if size[0] >= 60:
            for heading in ("schedule", "state", "when", "next▴"):
                assert heading in watched.lines[4]
