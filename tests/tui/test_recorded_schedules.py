"""Schedules of the past, by what their events tell."""

from __future__ import annotations

from typing import Any

import pytest

from naq_runtime.errors import NotFound
from naq_runtime.events.models import ScheduleEvent, ScheduleEventType, StoredEvent
from naq_runtime.schedule import Schedule, ScheduleState
from naq_tui.sources.recorded_schedules import RecordedSchedules

SECOND = 10**9
MADE = {"queue_name": "mail", "function_name": "shop.mail.digest", "cron": "0 9 * * *", "timezone": "Europe/Paris"}


def said(number: int, kind: str, schedule_id: str = "digest", **fields: Any) -> StoredEvent:
    event = ScheduleEvent(
        event_type=ScheduleEventType(kind),
        schedule_id=schedule_id,
        timestamp_ns=number * SECOND,
        event_id=f"sched1-{number}",
        **fields,
    )
    return StoredEvent(number, event)


def after(*events: StoredEvent) -> Schedule:
    known = RecordedSchedules()
    known.hear(events)
    (schedule,) = known.news(None).schedules
    return schedule


def test_one_that_was_made_has_its_time_its_queue_and_its_function() -> None:
    schedule = after(said(1, "scheduled", next_ns=9 * SECOND, repeat=3, **MADE))

    assert (schedule.cron, schedule.timezone, schedule.queue_name) == ("0 9 * * *", "Europe/Paris", "mail")
    assert (schedule.next_ns, schedule.repeat, schedule.state) == (9 * SECOND, 3, ScheduleState.ACTIVE)


def test_ticks_move_it_on() -> None:
    schedule = after(
        said(1, "scheduled", next_ns=9 * SECOND, **MADE),
        said(9, "schedule_triggered", tick=1, job_id="j1", scheduled_ns=9 * SECOND, next_ns=99 * SECOND, term=4),
        said(10, "schedule_missed", count=2),
    )

    assert (schedule.ticks, schedule.last_job_id, schedule.next_ns, schedule.missed_ticks) == (1, "j1", 99 * SECOND, 2)


def test_a_job_out_of_turn_is_no_tick() -> None:
    schedule = after(
        said(1, "scheduled", next_ns=9 * SECOND, **MADE), said(2, "schedule_triggered", tick=0, job_id="now")
    )

    assert (schedule.ticks, schedule.asked_job_id, schedule.next_ns) == (0, "now", 9 * SECOND)


@pytest.mark.parametrize(
    ("event", "state", "reason"),
    [
        (said(2, "schedule_paused", reason="holidays"), ScheduleState.PAUSED, "holidays"),
        (
            said(2, "scheduler_error", error_message="no such zone", reason="given up"),
            ScheduleState.FAILED,
            "no such zone",
        ),
        (said(2, "scheduler_error", error_message="no such zone"), ScheduleState.ACTIVE, "no such zone"),
        (said(2, "schedule_cancelled"), ScheduleState.CANCELLED, None),
        (said(2, "schedule_finished"), ScheduleState.FINISHED, None),
    ],
    ids=lambda value: str(value) if isinstance(value, ScheduleState) else "",
)
def test_it_stands_as_was_said_last(event: StoredEvent, state: ScheduleState, reason: str | None) -> None:
    schedule = after(said(1, "scheduled", **MADE), event)

    assert (schedule.state, schedule.reason) == (state, reason)


def test_what_was_changed_is_changed() -> None:
    changes = {"cron": "none", "every": "30", "args": "changed"}

    schedule = after(said(1, "scheduled", **MADE), said(2, "schedule_modified", changes=changes, next_ns=5 * SECOND))

    assert (schedule.cron, schedule.every_ns, schedule.next_ns) == (None, 30 * SECOND, 5 * SECOND)


def test_one_of_which_the_beginning_is_not_told_has_what_is_told() -> None:
    schedule = after(said(9, "schedule_triggered", tick=70, job_id="j", scheduled_ns=9 * SECOND, queue_name="mail"))

    assert (schedule.ticks, schedule.queue_name, schedule.cron) == (70, "mail", None)


def test_who_made_the_last_tick_leads() -> None:
    known = RecordedSchedules()
    known.hear([said(9, "schedule_triggered", tick=1, scheduled_ns=9 * SECOND, term=4)])
    leader = known.news(None).leader

    assert leader is not None
    assert (leader.instance_id, leader.term, leader.leads) == ("sched1", 4, True)


def test_news_are_those_since_the_mark_and_an_event_is_heard_once() -> None:
    known = RecordedSchedules()
    known.hear([said(1, "scheduled", "a", **MADE), said(2, "scheduled", "b", **MADE)])
    mark = known.news(None).mark
    known.hear([said(2, "scheduled", "b", **MADE), said(3, "schedule_paused", "a")])

    news = known.news(mark)

    assert (news.whole, [schedule.schedule_id for schedule in news.schedules]) == (False, ["a"])
    assert RecordedSchedules().news(mark).whole


def test_the_page_has_its_events_and_one_that_was_not_told_of_is_not_there() -> None:
    known = RecordedSchedules()
    events = [said(1, "scheduled", **MADE), said(2, "schedule_paused")]
    known.hear(events)

    assert known.detail("digest").events == tuple(events)
    with pytest.raises(NotFound, match="nothing had been told of schedule other by then"):
        known.detail("other")
