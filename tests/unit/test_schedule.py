"""What schedules say, what is refused, and what is to be done with one at a moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naq_runtime.errors import InvalidName, InvalidSchedule, SerializationError
from naq_runtime.naming import check_name
from naq_runtime.schedule import (
    Schedule,
    ScheduleConfig,
    ScheduleState,
    decode_schedule,
    encode_schedule,
    tick_id,
)
from naq_runtime.scheduler.deciding import decide
from naq_runtime.scheduler.planning import planned, redeclared, replanned, resumed, revived

SECOND_NS = 1_000_000_000
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
NOON_NS = int(NOON.timestamp()) * SECOND_NS
LATE_S = 30
LATE_NS = LATE_S * SECOND_NS


def plan(now_ns: int = NOON_NS, **config: Any) -> Schedule:
    return planned(ScheduleConfig(schedule_id="report", **config), "default", "shop.report", b"{}", now_ns)


def seconds(*moments_ns: int) -> list[float]:
    """After noon."""
    return [(moment - NOON_NS) / 1e9 for moment in moments_ns]


# What is wanted


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({}, "one of cron, every and at"),
        ({"cron": "* * * * *", "every": 5}, "one of cron, every and at"),
        ({"cron": "* * *"}, "has 3 fields"),
        ({"cron": "* * * * *", "timezone": "Mars/Olympus"}, "time zone 'Mars/Olympus'"),
        ({"every": 0.01}, "every must be 0.1"),
        ({"every": float("nan")}, "every must be"),
        ({"at": datetime(2026, 1, 1)}, "has no time zone"),
        ({"every": 5, "starts_at": datetime(2026, 1, 1)}, "has no time zone"),
        ({"every": "5"}, "every must be"),
        ({"every": 5, "repeat": 0}, "repeat must be 1"),
        ({"every": 5, "repeat": 2.5}, "repeat must be 1"),
        ({"every": 5, "jitter": timedelta(days=2)}, "jitter must be 0 to 86,400"),
        ({"cron": "* * * * *", "phase": 3}, "phase goes with every"),
        ({"every": 5, "missed": "some"}, "missed is one of skip, once, all"),
        ({"every": 5, "overlap": "never"}, "overlap is one of allow, skip, buffer, cancel"),
        ({"every": 5, "catch_up_limit": 1000}, "catch_up_limit must be 1 to 400"),
        ({"every": 5, "schedule_id": "x" * 41}, "40 characters at most"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_a_reason(config: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidSchedule, match=said):
        ScheduleConfig(**config)


def test_an_id_is_one_token_of_a_subject() -> None:
    with pytest.raises(InvalidName):
        ScheduleConfig(every=5, schedule_id="a.b")


def test_a_schedule_of_which_nothing_is_ever_due_is_refused() -> None:
    with pytest.raises(InvalidSchedule, match="nothing is ever due"):
        plan(cron="0 0 1 1 *", ends_at=NOON + timedelta(days=1))


# When it is due first


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"every": 10}, [10, 20, 30]),
        ({"every": timedelta(seconds=90)}, [90, 180, 270]),
        ({"every": timedelta(hours=1), "phase": timedelta(minutes=1)}, [60, 3660, 7260]),
        ({"every": 10, "starts_at": NOON + timedelta(seconds=25)}, [25, 35, 45]),
        ({"every": 3600, "phase": 60}, [60, 3660, 7260]),
        ({"every": 10, "ends_at": NOON + timedelta(seconds=20)}, [10, 20]),
        ({"every": 10, "repeat": 2}, [10, 20]),
        ({"cron": "*/5 * * * *", "starts_at": NOON + timedelta(seconds=600)}, [600, 900, 1200]),
        ({"cron": "0 14 * * *", "timezone": "Europe/Paris"}, [3600, 90_000, 176_400]),
        ({"at": NOON + timedelta(seconds=5)}, [5]),
        ({"at": NOON.astimezone(ZoneInfo("Asia/Tokyo")) - timedelta(days=5)}, [0]),
    ],
)
def test_the_coming_ticks(config: dict[str, Any], expected: list[float]) -> None:
    schedule = plan(**config)

    assert seconds(*schedule.next_runs(3, NOON_NS - 6 * SECOND_NS)) == expected


@pytest.mark.parametrize("passed", [timedelta(seconds=31), timedelta(days=2)])
@pytest.mark.parametrize("missed", ["skip", "once", "all"])
def test_one_moment_that_has_passed_is_due_at_once_and_not_missed(passed: timedelta, missed: Any) -> None:
    decision = decide(plan(at=NOON - passed, missed=missed), NOON_NS, late_ns=LATE_NS)

    assert (seconds(*decision.runs), decision.missed, decision.next_ns) == ([0], 0, 0)


def test_one_moment_that_lies_behind_the_end_is_never_due() -> None:
    with pytest.raises(InvalidSchedule, match="nothing is ever due"):
        plan(at=NOON + timedelta(days=2), ends_at=NOON + timedelta(days=1))


def test_a_tick_that_is_late_or_waits_out_its_jitter_is_among_the_coming_ones() -> None:
    schedule = plan(every=10, repeat=2)

    assert seconds(*schedule.next_runs(3, NOON_NS + 12 * SECOND_NS)) == [10, 20]


def test_of_a_paused_schedule_only_what_resuming_does_not_pass_over_is_coming() -> None:
    paused = plan(every=10).evolve(state=ScheduleState.PAUSED)

    assert seconds(*paused.next_runs(2, NOON_NS + 12 * SECOND_NS)) == [20, 30]


@pytest.mark.parametrize("count", [-1, 0, 10_001, 1.5])
def test_a_number_of_coming_ticks_that_makes_no_sense_is_refused(count: Any) -> None:
    with pytest.raises(InvalidSchedule, match="count must be 1 to 10,000"):
        plan(every=10).next_runs(count, NOON_NS)


def test_the_first_tick_is_one_rhythm_after_the_making_however_odd_that_moment_is() -> None:
    schedule = plan(NOON_NS + 123_456_789, every=10)

    assert seconds(schedule.next_ns) == [10.123]


# What is done now


def after(schedule: Schedule, passed_s: float, **how: Any) -> Any:
    return decide(schedule, NOON_NS + int(passed_s * SECOND_NS), late_ns=LATE_NS, **how)


def test_a_tick_that_is_due_runs_and_the_next_one_follows() -> None:
    decision = after(plan(every=10), 10.2)

    assert (seconds(*decision.runs), seconds(decision.next_ns)) == ([10], [20])


def test_ticks_that_are_only_late_all_run() -> None:
    decision = after(plan(every=10, missed="skip"), 35)

    assert (seconds(*decision.runs), decision.missed, seconds(decision.next_ns)) == ([10, 20, 30], 0, [40])


@pytest.mark.parametrize(
    ("config", "caught_up"),
    [
        ({"missed": "skip"}, []),
        ({"missed": "once"}, [60]),
        ({"missed": "all"}, [10, 20, 30, 40, 50, 60]),
        ({"missed": "all", "catch_up_limit": 2}, [50, 60]),
        ({"missed": "all", "catch_up_window": 60}, [40, 50, 60]),
        ({"missed": "once", "catch_up_window": 35}, []),
    ],
)
def test_missed_ticks_are_treated_as_the_schedule_says(config: dict[str, Any], caught_up: list[float]) -> None:
    decision = after(plan(every=10, **config), 99)

    assert seconds(*decision.runs) == [*caught_up, 70, 80, 90]
    assert (decision.missed, decision.caught_up) == (6, len(caught_up))
    assert seconds(decision.next_ns) == [100]


@pytest.mark.parametrize(("config", "counted"), [({"every": 1}, 10_000), ({"cron": "* * * * * *"}, 1_000)])
def test_of_years_of_missed_seconds_the_last_ones_are_made_up_for_and_none_that_is_due_is_lost(
    config: dict[str, Any], counted: int
) -> None:
    years_s = 10 * 365 * 86_400
    decision = after(plan(**config, missed="all", catch_up_limit=5), years_s)

    assert decision.missed == counted
    assert seconds(*decision.runs) == list(range(years_s - LATE_S - 5, years_s + 1))
    assert seconds(decision.next_ns) == [years_s + 1]


@pytest.mark.parametrize("limit", [-3, 0, 10**9])
def test_no_record_can_ask_for_more_jobs_at_once_than_can_be_stored(limit: int) -> None:
    schedule = plan(every=1, missed="all").evolve(catch_up_limit=limit)

    assert len(after(schedule, 9_000).runs) <= 400 + LATE_S + 1


def test_of_many_ticks_that_are_due_some_are_seen_to_and_the_others_right_behind_them() -> None:
    schedule = plan(every=1)

    first = decide(schedule, NOON_NS + 500 * SECOND_NS, late_ns=3600 * SECOND_NS)
    then = decide(schedule.evolve(next_ns=first.next_ns), NOON_NS + 500 * SECOND_NS, late_ns=3600 * SECOND_NS)

    assert seconds(*first.runs, *then.runs) == list(range(1, 501))
    assert len(first.runs) == 400


def test_a_tick_that_came_late_by_chance_is_not_missed() -> None:
    schedule = plan(every=7200, jitter=3600, missed="skip")
    delay_s = schedule.delay_of(schedule.next_ns) / 1e9

    assert delay_s > LATE_S
    assert seconds(*after(schedule, 7200 + delay_s + 1).runs) == [7200]


@pytest.mark.parametrize(
    ("overlap", "is_busy", "runs", "overlapped", "held"),
    [
        ("allow", True, [10, 20], 0, []),
        ("skip", True, [], 2, []),
        ("skip", False, [10], 1, []),
        ("buffer", True, [], 1, [20]),
        ("buffer", False, [10], 0, [20]),
        ("cancel", True, [20], 1, []),
    ],
)
def test_a_run_that_has_not_ended_is_treated_as_the_schedule_says(
    overlap: Any, is_busy: bool, runs: list[float], overlapped: int, held: list[float]
) -> None:
    decision = after(plan(every=10, overlap=overlap), 25, is_busy=is_busy)

    assert seconds(*decision.runs) == runs
    assert decision.overlapped == overlapped
    assert (seconds(decision.held_ns) if decision.held_ns else []) == held


def test_a_held_tick_runs_when_the_one_before_has_ended() -> None:
    schedule = plan(every=10, overlap="buffer").evolve(
        next_ns=NOON_NS + 30 * SECOND_NS, held_ns=NOON_NS + 20 * SECOND_NS
    )

    still = after(schedule, 22, is_busy=True)
    ended = after(schedule, 22, is_busy=False)

    assert (still.runs, seconds(still.held_ns)) == ((), [20])
    assert (seconds(*ended.runs), ended.held_ns, seconds(ended.next_ns)) == ([20], 0, [30])


def test_no_more_jobs_are_made_than_are_left_and_what_would_come_then_is_nobodys_loss() -> None:
    decision = after(plan(every=10, repeat=2), 35)

    assert (seconds(*decision.runs), decision.next_ns, decision.overlapped) == ([10, 20], 0, 0)


def test_what_was_missed_and_gets_no_job_for_its_overlap_is_counted_once() -> None:
    decision = after(plan(every=10, missed="all", overlap="skip"), 99)

    assert seconds(*decision.runs) == [10]
    assert (decision.missed, decision.caught_up, decision.overlapped) == (6, 1, 3)


def test_a_tick_waits_for_its_jitter_and_for_no_longer() -> None:
    schedule = plan(every=10, jitter=5)
    delay_s = schedule.delay_of(schedule.next_ns) / 1e9

    assert 0 <= delay_s < 5
    assert after(schedule, 10 + delay_s - 0.001).runs == ()
    assert seconds(*after(schedule, 10 + delay_s).runs) == [10]


@pytest.mark.parametrize(
    ("cron", "away", "last"),
    [
        ("* * 9 * * *", timedelta(hours=23, minutes=30), datetime(2026, 11, 25, 9, 59, 59, tzinfo=UTC)),
        ("* * * 20 * *", timedelta(days=9), datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_of_many_missed_ticks_that_lie_close_together_long_ago_the_last_one_is_made_up_for(
    cron: str, away: timedelta, last: datetime
) -> None:
    now = datetime(2026, 11, 26, 8, tzinfo=UTC)
    now_ns, away_ns = int(now.timestamp()) * SECOND_NS, int(away.total_seconds()) * SECOND_NS
    schedule = plan(now_ns - away_ns, cron=cron, catch_up_window=30 * 86_400)

    decision = decide(schedule, now_ns, late_ns=LATE_NS)

    assert [datetime.fromtimestamp(run / 1e9, UTC) for run in decision.runs] == [last]


def moments(every: int, jitter: int, until_s: float) -> list[int]:
    """The ticks until then, none before another one."""
    schedule, ticks, moment_ns = plan(every=every, jitter=jitter), [], 0
    for number in range(1, int(until_s / every) + 1):
        tick_ns = NOON_NS + number * every * SECOND_NS
        moment_ns = max(moment_ns, tick_ns + schedule.delay_of(tick_ns))
        if moment_ns <= NOON_NS + int(until_s * SECOND_NS):
            ticks.append(tick_ns)
    return ticks


@settings(max_examples=200, deadline=None)
@given(
    every=st.integers(1, 60),
    jitter=st.sampled_from([0, 5, 100, 300]),
    missed=st.sampled_from(["skip", "once", "all"]),
    steps=st.lists(st.floats(0.01, 200), min_size=1, max_size=20),
    most=st.sampled_from([1, 2, 7, 800]),
)
def test_however_often_one_looks_every_tick_runs_once_or_is_missed_once(
    every: int, jitter: int, missed: Any, steps: list[float], most: int
) -> None:
    schedule = plan(every=every, jitter=jitter, missed=missed, catch_up_limit=400)
    now_s, runs, lost = 0.0, [], 0
    for step in steps:
        now_s += step
        is_behind = True
        while is_behind:
            decision = after(schedule, now_s, most=most)
            runs += decision.runs
            lost += decision.missed - decision.caught_up + decision.overlapped
            schedule = schedule.evolve(next_ns=decision.next_ns)
            is_behind = len(decision.runs) == most
            assert len(decision.runs) <= most

    due = moments(every, jitter, now_s)
    assert len(runs) == len(set(runs))
    assert set(runs) <= set(due)
    assert len(runs) + lost == len(due)


@pytest.mark.parametrize("config", [{"missed": "all"}, {"missed": "once"}, {"missed": "skip"}, {"repeat": 4}])
@pytest.mark.parametrize("most", [1, 2, 5])
def test_what_is_made_by_and_by_is_the_same_as_what_is_made_at_once(config: dict[str, Any], most: int) -> None:
    schedule = plan(every=10, **config)
    at_once = after(schedule, 99)
    runs: list[int] = []
    missed = caught_up = 0
    while schedule.next_ns and schedule.next_ns <= NOON_NS + 99 * SECOND_NS:
        decision = after(schedule, 99, most=most)
        runs += decision.runs
        missed, caught_up = missed + decision.missed, caught_up + decision.caught_up
        left = None if schedule.repeat is None else schedule.repeat - len(decision.runs)
        schedule = schedule.evolve(next_ns=decision.next_ns, repeat=left)

    assert tuple(runs) == at_once.runs
    assert (missed, caught_up) == (at_once.missed, at_once.caught_up)
    assert schedule.next_ns == at_once.next_ns


@settings(max_examples=50, deadline=None)
@given(every=st.integers(1, 60), jitter=st.sampled_from([0, 5, 100, 300]), late_s=st.floats(0, LATE_S - 0.1))
def test_while_a_scheduler_runs_no_tick_is_missed_whatever_the_jitter(every: int, jitter: int, late_s: float) -> None:
    schedule, now_ns = plan(every=every, jitter=jitter, missed="skip"), NOON_NS
    runs: list[int] = []
    while now_ns < NOON_NS + 400 * SECOND_NS:
        now_ns = schedule.fires_at_ns + int(late_s * SECOND_NS)
        decision = decide(schedule, now_ns, late_ns=LATE_NS)
        runs += decision.runs
        schedule = schedule.evolve(next_ns=decision.next_ns)
        assert decision.missed == 0

    assert runs == moments(every, jitter, (now_ns - NOON_NS) / 1e9)


# Ids


def test_the_id_of_a_job_says_which_tick_it_is() -> None:
    assert tick_id("report", NOON_NS) == "report-20261125T120000"
    assert tick_id("report", NOON_NS + 250_000_000) == "report-20261125T120000250"


def test_the_id_of_a_job_is_a_name_however_long_that_of_the_schedule_is() -> None:
    assert check_name("job", tick_id("x" * 40, NOON_NS + 1_000_000))


# Changing it


def test_a_changed_rhythm_begins_now_and_the_rest_stays() -> None:
    schedule = plan(every=10, repeat=5, overlap="skip")

    changed = replanned(schedule, {"cron": "30 12 * * *", "timezone": "Europe/Paris"}, NOON_NS)

    assert (changed.cron, changed.every_ns, changed.repeat, changed.overlap) == ("30 12 * * *", 0, 5, "skip")
    assert seconds(changed.next_ns) == [23.5 * 3600]


def test_what_does_not_touch_the_rhythm_leaves_the_next_tick_alone() -> None:
    schedule = plan(every=10).evolve(next_ns=NOON_NS + 10 * SECOND_NS)

    changed = replanned(schedule, {"repeat": 3, "missed": "all"}, NOON_NS + 99 * SECOND_NS)

    assert (changed.next_ns, changed.repeat, changed.missed) == (schedule.next_ns, 3, "all")


@pytest.mark.parametrize(
    "changes",
    [{"ends_at": NOON + timedelta(hours=2)}, {"starts_at": NOON - timedelta(hours=2)}, {"timezone": "UTC"}],
)
def test_a_tick_that_is_waited_for_survives_a_change_that_leaves_it_where_it_is(changes: dict[str, Any]) -> None:
    schedule = plan(cron="*/5 * * * *", jitter=200)

    changed = replanned(schedule, changes, NOON_NS + 400 * SECOND_NS)

    assert seconds(changed.next_ns) == [300]


def test_a_tick_outside_of_changed_bounds_makes_place_for_the_first_inside() -> None:
    changed = replanned(plan(every=10, phase=0), {"starts_at": NOON + timedelta(seconds=55)}, NOON_NS)

    assert seconds(changed.next_ns) == [60]


@pytest.mark.parametrize(("phase", "expected"), [(0, [1800, 3600]), (300, [300, 2100])])
def test_a_changed_rate_keeps_its_phase(phase: float, expected: list[float]) -> None:
    schedule = plan(NOON_NS - 7 * SECOND_NS, every=3600, phase=phase)

    changed = replanned(schedule, {"every": 1800}, NOON_NS)

    assert seconds(*changed.next_runs(2, NOON_NS)) == expected


def test_a_changed_rate_without_a_phase_is_counted_from_the_same_moment() -> None:
    schedule = plan(every=60, starts_at=NOON + timedelta(seconds=7))

    changed = replanned(schedule, {"every": 30}, NOON_NS + 10 * SECOND_NS)

    assert seconds(*changed.next_runs(2, NOON_NS + 10 * SECOND_NS)) == [37, 67]


def test_what_had_failed_is_active_again_and_what_is_paused_stays_so() -> None:
    failed = plan(every=10).evolve(state=ScheduleState.FAILED, reason="InvalidSchedule", errors=5)
    paused = failed.evolve(state=ScheduleState.PAUSED, reason="stocktaking")

    assert revived(failed) == plan(every=10)
    assert (revived(paused).state, revived(paused).reason) == (ScheduleState.PAUSED, "stocktaking")


# Declaring it anew


def declare(schedule: Schedule, passed_s: float, **config: Any) -> Schedule:
    now_ns = NOON_NS + int(passed_s * SECOND_NS)
    return redeclared(schedule, ScheduleConfig(schedule_id="report", **config), plan(now_ns, **config), now_ns)


@pytest.mark.parametrize(
    "config",
    [
        {"every": 10},
        {"every": 10, "phase": 3},
        {"cron": "* * * * *", "timezone": "Europe/Paris", "jitter": 0.25},
        {"at": NOON + timedelta(seconds=20)},
        {"every": 10, "starts_at": NOON + timedelta(seconds=5)},
        {"every": 10, "repeat": 9, "ends_at": NOON + timedelta(days=1)},
    ],
)
def test_what_is_declared_as_before_is_as_it_was_however_far_it_has_come(config: dict[str, Any]) -> None:
    schedule = plan(**config).evolve(ticks=4, state=ScheduleState.PAUSED)
    if schedule.repeat is not None:
        schedule = schedule.evolve(repeat=5)

    assert declare(schedule, 1000, **config) == schedule


def test_what_is_declared_otherwise_has_its_new_rhythm_and_number() -> None:
    schedule = plan(every=10, repeat=9, jitter=3).evolve(ticks=4, repeat=5)

    changed = declare(schedule, 35, every=60, repeat=3)

    assert (changed.repeat, changed.jitter_ns, changed.ticks) == (3, 0, 4)
    assert seconds(changed.next_ns) == [60]


def test_a_number_of_jobs_that_was_modified_goes_on_when_it_is_declared() -> None:
    schedule = replanned(plan(every=10, repeat=9), {"repeat": 4}, NOON_NS).evolve(repeat=1)

    assert declare(schedule, 5, every=10, repeat=4).repeat == 1
    assert declare(schedule, 5, every=10, repeat=9).repeat == 9


def test_what_a_schedule_does_not_have_cannot_be_changed() -> None:
    with pytest.raises(InvalidSchedule, match="a schedule has no evry: it has at, "):
        replanned(plan(every=10), {"evry": 5}, NOON_NS)


def test_what_was_due_during_a_pause_is_passed_over() -> None:
    paused = plan(every=10).evolve(state=ScheduleState.PAUSED, reason="maintenance")

    going_on = resumed(paused, NOON_NS + 35 * SECOND_NS)

    assert (going_on.state, going_on.reason) == (ScheduleState.ACTIVE, None)
    assert seconds(going_on.next_ns) == [40]


@pytest.mark.parametrize(
    "config",
    [
        {"cron": "0 9 * * mon", "timezone": "Asia/Kolkata", "repeat": 4, "jitter": 2.5},
        {"every": 2.5, "phase": 0.5, "catch_up_window": 60.0},
        {"every": 2.5, "ends_at": NOON + timedelta(days=3), "missed": "all", "catch_up_limit": 7},
        {"at": NOON + timedelta(hours=1), "overlap": "cancel"},
    ],
)
def test_what_was_wanted_can_be_had_again(config: dict[str, Any]) -> None:
    wanted = ScheduleConfig(schedule_id="report", **config)

    assert planned(wanted, "default", "shop.report", b"{}", NOON_NS).config == wanted


# On the wire


def test_a_record_comes_back_as_it_was_and_a_newer_one_is_refused() -> None:
    schedule = plan(cron="@hourly", repeat=2)

    assert decode_schedule(encode_schedule(schedule)) == schedule
    with pytest.raises(SerializationError, match="upgrade naq"):
        decode_schedule(encode_schedule(schedule.evolve(v=99)))
    with pytest.raises(SerializationError, match="is no schedule"):
        decode_schedule(b'{"schedule_id": 7}')


def test_a_rate_that_nobody_of_ours_has_written_is_refused() -> None:
    with pytest.raises(SerializationError, match="cannot be"):
        decode_schedule(encode_schedule(plan(every=5).evolve(every_ns=1)))


@pytest.mark.parametrize("job_id", ["a.b", "a b", ">", "", "a\n", "x" * 65])
def test_the_id_of_a_job_that_would_ask_the_server_for_something_else_is_refused(job_id: str) -> None:
    with pytest.raises(SerializationError, match="is no schedule"):
        decode_schedule(encode_schedule(plan(every=5).evolve(last_job_id=job_id)))
