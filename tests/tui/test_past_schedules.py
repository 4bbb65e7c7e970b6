"""The schedules as they stood at a moment of the past, as far as events tell."""

from __future__ import annotations

from typing import Any

import pytest

from naq_runtime.errors import NotFound
from naq_runtime.events.models import Event
from naq_runtime.schedule import Schedule, ScheduleState
from naq_tui.pages.schedule import schedule_page
from naq_tui.sources.recorded_schedules import RecordedSchedules
from tests.tui.builders import NOW_NS, SECOND, job_event, schedule_event, stored, system_event
from tests.tui.test_travel import go_to, press, with_past

WHAT: dict[str, Any] = {"queue_name": "reports", "function_name": "shop.stock.count"}
MADE = schedule_event(
    "scheduled", ago_s=600, **WHAT, interval=60.0, next_ns=NOW_NS - 540 * SECOND, repeat=20, by="producer p-1"
)


def tick(number: int, ago_s: float, **fields: Any) -> Event:
    at_ns = NOW_NS - int(ago_s * SECOND)
    said: dict[str, Any] = {
        "scheduled_ns": at_ns,
        "actual_ns": at_ns + 4_000_000,
        "lag_ms": 4.0,
        "next_ns": at_ns + 60 * SECOND,
        "repeat": 20 - number,
        "job_id": f"nightly-{number}",
        "tick": number,
    }
    return schedule_event("schedule_triggered", ago_s=ago_s, **WHAT, **(said | fields))


def after(*events: Event) -> Schedule:
    """The schedule of these events."""
    return RecordedSchedules(stored(events)).detail("nightly").schedule


class TestWhatEventsTell:
    def test_one_that_was_made_is_due_as_it_says(self) -> None:
        schedule = after(MADE)

        assert (schedule.state, schedule.every_ns, schedule.repeat) == (ScheduleState.ACTIVE, 60 * SECOND, 20)
        assert schedule.created_at_ns == NOW_NS - 600 * SECOND
        assert schedule.next_runs(2, NOW_NS - 599 * SECOND) == [NOW_NS - 540 * SECOND, NOW_NS - 480 * SECOND]

    def test_one_that_comes_once_is_due_when_it_comes(self) -> None:
        schedule = after(schedule_event("scheduled", **WHAT, next_ns=NOW_NS + 9 * SECOND))

        assert schedule.at_ns == NOW_NS + 9 * SECOND

    def test_a_tick_tells_how_far_it_has_come(self) -> None:
        schedule = after(MADE, tick(7, 100))

        assert (schedule.ticks, schedule.repeat, schedule.latest_job_id) == (7, 13, "nightly-7")
        assert schedule.lag_ms == pytest.approx(4.0)
        assert schedule.fires_at_ns == NOW_NS - 40 * SECOND

    def test_what_somebody_asked_for_leaves_the_next_tick_where_it_was(self) -> None:
        asked = schedule_event("schedule_triggered", ago_s=90, **WHAT, job_id="nightly-x", tick=8, by="cli c-1")
        schedule = after(MADE, tick(7, 100), asked)

        assert (schedule.latest_job_id, schedule.ticks, schedule.lag_ms) == ("nightly-x", 8, None)
        assert schedule.fires_at_ns == NOW_NS - 40 * SECOND

    def test_a_pause_holds_it_and_resuming_lets_it_go_on(self) -> None:
        paused = schedule_event("schedule_paused", ago_s=50, **WHAT, reason="audit", next_ns=NOW_NS - 40 * SECOND)
        resumed = schedule_event("schedule_resumed", ago_s=5, **WHAT, next_ns=NOW_NS + 20 * SECOND)

        held = after(MADE, tick(7, 100), paused)
        assert (held.state, held.reason, held.fires_at_ns) == (ScheduleState.PAUSED, "audit", 0)
        assert after(MADE, tick(7, 100), paused, resumed).fires_at_ns == NOW_NS + 20 * SECOND

    def test_ticks_that_got_no_job_are_counted_and_the_next_one_comes_by_the_timetable(self) -> None:
        missed = schedule_event("schedule_missed", ago_s=10, **WHAT, count=3, caught_up=1, policy="once")
        schedule = after(MADE, missed)

        assert schedule.missed_ticks == 2
        assert schedule.fires_at_ns == NOW_NS

    @pytest.mark.parametrize(
        ("kind", "state"), [("schedule_cancelled", "cancelled"), ("schedule_finished", "finished")]
    )
    def test_one_that_is_over_is_due_no_more(self, kind: str, state: str) -> None:
        schedule = after(MADE, tick(7, 100), schedule_event(kind, ago_s=50, **WHAT))

        assert (schedule.state, schedule.next_ns) == (state, 0)

    def test_one_that_was_given_up_says_why(self) -> None:
        error: dict[str, Any] = {"error_type": "InvalidSchedule", "error_message": "no such zone", "count": 5}

        tried = after(MADE, schedule_event("scheduler_error", **WHAT, **(error | {"count": 2})))
        assert (tried.state, tried.errors) == (ScheduleState.ACTIVE, 2)
        failed = after(MADE, schedule_event("scheduler_error", **WHAT, **error, reason="given up"))
        assert (failed.state, failed.reason) == (ScheduleState.FAILED, "no such zone")

    def test_what_was_changed_counts_from_then_on(self) -> None:
        changes = {"cron": "0 3 * * *", "timezone": "Europe/Zurich", "repeat": "none", "args": "changed"}
        changed = schedule_event("schedule_modified", **WHAT, changes=changes, next_ns=NOW_NS + 7 * SECOND)
        schedule = after(MADE, changed)

        assert (schedule.cron, schedule.timezone, schedule.every_ns) == ("0 3 * * *", "Europe/Zurich", 0)
        assert (schedule.repeat, schedule.fires_at_ns) == (None, NOW_NS + 7 * SECOND)

    @pytest.mark.parametrize("text", ["soon", "1e999", "nan", "9" * 400])
    def test_a_change_that_cannot_be_read_changes_nothing(self, text: str) -> None:
        changed = schedule_event("schedule_modified", **WHAT, changes={"every": text, "at": text, "repeat": "many"})

        assert after(MADE, changed).every_ns == 60 * SECOND

    def test_of_one_of_which_only_ticks_are_kept_the_next_one_is_known(self) -> None:
        assert after(tick(7, 100)).fires_at_ns == NOW_NS - 40 * SECOND

    def test_a_record_that_nobody_could_read_is_no_schedule(self) -> None:
        with pytest.raises(NotFound, match="no event of schedule broken"):
            RecordedSchedules(stored([schedule_event("scheduler_error", "broken")])).detail("broken")

    def test_one_whose_ticks_are_too_far_back_is_not_late_but_due_by_its_timetable(self) -> None:
        told = stored([MADE])
        known = RecordedSchedules(told, ticks_since_ns=NOW_NS - 100 * SECOND, moment_ns=NOW_NS - 10 * SECOND)

        assert known.detail("nightly").schedule.fires_at_ns == NOW_NS

    def test_only_what_has_changed_is_told_again(self) -> None:
        other = schedule_event("scheduled", "other", **WHAT, interval=5.0)
        known = RecordedSchedules(stored([MADE, other]))
        before = known.news()
        known.hear(stored([tick(1, 540)], 3)[0])

        assert (len(before.schedules), before.whole) == (2, True)
        assert [one.schedule_id for one in known.news(before.mark).schedules] == ["nightly"]

    def test_who_leads_is_known_from_elections(self) -> None:
        elected = system_event("leader_elected", ago_s=60, term=4, reason="sched-1", hostname="app-1", pid=7)
        resigned = system_event("leader_resigned", ago_s=5, term=4, reason="sched-1")

        leader = RecordedSchedules(stored([elected])).news().leader
        assert leader is not None
        assert (leader.leads, leader.instance_id, leader.term) == (True, "sched-1", 4)
        left = RecordedSchedules(stored([elected, resigned])).news().leader
        assert left is not None
        assert not left.leads
        assert not RecordedSchedules().news().leader_known

    def test_who_made_the_last_tick_led_where_no_election_is_kept(self) -> None:
        resigned = system_event("leader_resigned", ago_s=5, term=4, reason="sched-1")
        ticked = tick(1, 540, term=4, event_id="emitter-17")

        leader = RecordedSchedules(stored([ticked])).news().leader
        assert leader is not None
        assert (leader.instance_id, leader.term) == ("emitter", 4)
        left = RecordedSchedules(stored([ticked, resigned, tick(2, 3, term=4)])).news().leader
        assert left is not None
        assert not left.leads


class TestWhatIsShown:
    async def test_the_view_shows_them_as_they_stood_and_goes_on(self) -> None:
        story = (MADE, tick(6, 300), schedule_event("schedule_paused", ago_s=100, **WHAT, reason="audit"))
        async with with_past(*story) as watched:
            await go_to(watched, "-250s")
            await watched.go_to_schedules()
            assert "● active" in watched.line_with("nightly")
            assert "every 1 m" in watched.line_with("nightly")

            await press(watched, "right_square_bracket")
            await watched.settle()
            assert "‖ paused" in watched.line_with("nightly")

    async def test_one_that_was_made_later_was_not_there(self) -> None:
        async with with_past(job_event("enqueued", ago_s=900), MADE, tick(6, 300)) as watched:
            await go_to(watched, "-700s")
            await watched.go_to_schedules()

            assert "no schedules yet" in watched.text

    async def test_the_page_shows_no_settings_that_no_event_tells(self) -> None:
        async with with_past(MADE, tick(6, 300), tick(7, 240)) as watched:
            await go_to(watched, "-250s")
            await watched.go_to_schedules()
            await watched.press("enter")
            await watched.settle()

            assert "every 1 m" in watched.line_with("when ")
            assert "6" in watched.line_with("ticks ").split()
            assert "no event tells them" in watched.text
            assert "overlap" not in watched.text

    def test_one_of_which_only_ticks_are_kept_says_that_no_more_is_known(self) -> None:
        detail = RecordedSchedules(stored([tick(7, 100, next_ns=None)])).detail("nightly")
        shown = "\n".join("".join(text for text, _ in line.spans) for line in schedule_page(detail, 100, NOW_NS))

        assert "no event tells when it is due" in shown
