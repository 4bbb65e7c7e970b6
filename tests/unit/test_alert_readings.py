"""What metrics are, from events and state that are given."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from naq_runtime.alerts.readings import Observed, values_of
from naq_runtime.alerts.roster import Roster
from naq_runtime.alerts.rules import parse_rule
from naq_runtime.alerts.windows import KEY_LIMIT, EventWindows
from naq_runtime.events.models import (
    Event,
    JobEventType,
    ScheduleEvent,
    ScheduleEventType,
    SystemEventType,
    WorkerEventType,
)
from naq_runtime.snapshot import QueueState
from naq_runtime.worker.record import WorkerRecord, WorkerState
from tests.unit.samples import a_job_event, a_system_event, a_worker_event

SECOND = 1_000_000_000
NOW_NS = 1_700_000_000 * SECOND
HOUR_AGO_NS = NOW_NS - 3600 * SECOND


def ended(kind: str, *, ago_s: float = 1, queue: str = "mail", function: str = "shop.send", **more: Any) -> Event:
    at_ns = NOW_NS - int(ago_s * SECOND)
    named = {"queue_name": queue, "function_name": function}
    return a_job_event(JobEventType(kind), timestamp_ns=at_ns, **named, **more)


def measured(
    rule: str,
    events: Iterable[Event] = (),
    *,
    min_samples: int = 1,
    since_ns: int = HOUR_AGO_NS,
    workers: Iterable[WorkerRecord] = (),
    **state: Any,
) -> dict[str, float | None] | None:
    """The values of a rule, by their labels as text."""
    windows, roster = EventWindows(3600, since_ns), Roster(3600)
    for event in events:
        windows.take(event, NOW_NS)
        roster.hear(event, NOW_NS)
    roster.see(workers, NOW_NS)
    given: dict[str, Any] = {"queues": (), "ages_s": {}, "dead": {}, "windows": windows} | state
    observed = Observed(NOW_NS, workers=tuple(workers), roster=roster, **given)
    values = values_of(parse_rule(rule), observed, min_samples)
    return None if values is None else {" ".join(value for _, value in key): one for key, one in values.items()}


def a_worker(name: str, *queues: str, state: WorkerState = WorkerState.IDLE) -> WorkerRecord:
    return WorkerRecord(
        worker_id=name,
        state=state,
        hostname="h",
        pid=1,
        queue_names=queues,
        concurrency_limit=1,
        started_at_ns=0,
        beat_at_ns=0,
        heartbeat_interval=5.0,
    )


class TestJobs:
    EVENTS = (
        *(ended("completed") for _ in range(8)),
        ended("failed", final=True),
        ended("timed_out", final=True, function="shop.slow"),
        ended("failed", final=False),
        ended("cancelled"),
        ended("completed", queue="news"),
        ended("failed", ago_s=400, final=True),
    )

    def test_the_share_of_failures_is_of_jobs_that_ended_within_the_window(self) -> None:
        assert measured("failed_rate > 1%", self.EVENTS) == {"mail": 0.2, "news": 0.0}

    def test_a_longer_window_reaches_further(self) -> None:
        values = measured("failed_rate[10m]{queue=mail} > 1%", self.EVENTS)
        assert values is not None
        assert values["mail"] == pytest.approx(3 / 11)

    def test_by_function_when_that_is_named(self) -> None:
        values = measured("failures{function=shop.*} > 1", self.EVENTS)
        assert values == {"mail shop.send": 1.0, "mail shop.slow": 1.0}

    def test_the_share_of_too_few_is_no_data(self) -> None:
        assert measured("failed_rate > 1%", self.EVENTS, min_samples=10) == {"mail": 0.2, "news": None}
        assert measured("failed_rate > 1%", self.EVENTS, min_samples=11) == {"mail": None, "news": None}

    def test_a_named_queue_of_which_nothing_is_known_is_no_data_or_no_failure(self) -> None:
        assert measured("failed_rate{queue=gone} > 1%") == {"gone": None}
        assert measured("failures{queue=gone} > 1") == {"gone": 0.0}

    def test_throughput_is_by_second_of_what_is_known_of_the_window(self) -> None:
        queues = (QueueState(name="mail", waiting=0, running=0), QueueState(name="idle", waiting=0, running=0))
        known = measured("throughput > 1", self.EVENTS, since_ns=NOW_NS - 100 * SECOND, queues=queues)

        assert known == {"mail": pytest.approx(0.1), "news": pytest.approx(0.01), "idle": 0.0}
        assert measured("throughput > 1", self.EVENTS, since_ns=NOW_NS - 3 * SECOND) is None

    def test_percentiles_are_of_all_attempts_within_the_window(self) -> None:
        events = [ended("completed", duration_ms=float(number * 100)) for number in range(1, 101)]
        waits = [ended("started", wait_ms=float(number)) for number in range(1, 101)]

        run, wait = measured("run_p95 > 1s", events), measured("wait_p95 > 1s", waits)

        assert run is not None
        assert run["mail"] == pytest.approx(9.5, rel=0.01)
        assert wait is not None
        assert wait["mail"] == pytest.approx(0.095, rel=0.01)
        assert measured("run_p95 > 1s", events, min_samples=101) == {"mail": None}

    def test_events_of_a_clock_that_is_ahead_happen_now(self) -> None:
        assert measured("failures > 1", [ended("failed", ago_s=-500, final=True)]) == {"mail": 1.0}

    def test_names_without_end_are_counted_together(self) -> None:
        events = [ended("failed", final=True, function=f"f{number}") for number in range(KEY_LIMIT + 10)]
        values = measured("failures{function=*} > 1", events)

        assert values is not None
        assert values["(others) (others)"] == 10
        assert len(values) == KEY_LIMIT + 1

    def test_while_events_are_behind_nothing_is_said(self) -> None:
        assert measured("failures > 1", self.EVENTS, windows=None) is None


class TestState:
    QUEUES = (QueueState(name="mail", waiting=7, running=2), QueueState(name="news", waiting=0, running=1))

    def test_queues(self) -> None:
        assert measured("queue_depth > 1", queues=self.QUEUES) == {"mail": 7.0, "news": 0.0}
        assert measured("running{queue=m*} > 1", queues=self.QUEUES) == {"mail": 2.0}
        assert measured("queue_age > 1s", ages_s={"mail": 3.5}) == {"mail": 3.5}
        assert measured("dead_letters > 1", dead={"mail": 4}) == {"mail": 4.0}

    def test_workers_that_live_by_queue_or_all_together(self) -> None:
        workers = [
            a_worker("a", "mail", "news"),
            a_worker("b", "mail"),
            a_worker("c", "mail", state=WorkerState.STOPPED),
        ]

        assert measured("workers < 1", workers=workers) == {"": 2.0}
        assert measured("workers{queue=*} < 1", workers=workers) == {"mail": 2.0, "news": 1.0}
        assert measured("workers{queue=other} < 1", workers=workers) == {"other": 0.0}


class TestOthers:
    def test_what_schedulers_and_loggers_missed(self) -> None:
        missed = ScheduleEvent(
            event_type=ScheduleEventType.MISSED, timestamp_ns=NOW_NS - SECOND, schedule_id="nightly", count=3
        )
        elected = a_system_event(SystemEventType.LEADER_ELECTED, timestamp_ns=NOW_NS - SECOND)
        dropped = a_system_event(
            SystemEventType.EVENTS_DROPPED, timestamp_ns=NOW_NS - SECOND, dropped={"job.log": 5, "worker.busy": 2}
        )

        assert measured("missed_ticks", [missed]) == {"nightly": 3.0}
        assert measured("leader_changes > 1", [elected, elected]) == {"": 2.0}
        assert measured("events_dropped", [dropped]) == {"": 7.0}


class TestLosses:
    def beat(self, ago_s: float, kind: WorkerEventType = WorkerEventType.HEARTBEAT) -> Event:
        return a_worker_event(kind, worker_id="w", timestamp_ns=NOW_NS - int(ago_s * SECOND))

    def test_who_was_heard_and_has_no_lease_is_lost(self) -> None:
        assert measured("worker_lost", [self.beat(20)]) == {"w": 1.0}

    def test_who_has_stopped_is_not(self) -> None:
        assert measured("worker_lost", [self.beat(20), self.beat(19, WorkerEventType.STOPPED)]) == {}

    def test_nor_who_has_a_lease(self) -> None:
        assert measured("worker_lost", [self.beat(20)], workers=[a_worker("w")]) == {"w": 0.0}

    def test_after_the_window_it_is_lost_no_more(self) -> None:
        assert measured("worker_lost[1m]", [self.beat(200)]) == {"w": 0.0}

    def test_a_lease_that_nobody_could_renew_is_waited_for(self) -> None:
        roster = Roster(300)
        roster.see([a_worker("w")], NOW_NS)
        roster.doubt(NOW_NS + 60 * SECOND)
        roster.see([], NOW_NS + 61 * SECOND)
        assert roster.lost(300, NOW_NS + 61 * SECOND) == {"w": False}

        roster.see([], NOW_NS + 80 * SECOND)
        assert roster.lost(300, NOW_NS + 80 * SECOND) == {"w": True}

    def test_how_long_a_lease_is_follows_from_the_beats_of_those_that_are_known_by_their_events_alone(self) -> None:
        roster = Roster(300)
        for ago_s in (10, 9, 8):
            roster.hear(self.beat(ago_s), NOW_NS)
        roster.doubt(NOW_NS - 4 * SECOND)
        roster.see([], NOW_NS)

        assert roster.lost(300, NOW_NS) == {"w": True}


@pytest.mark.parametrize("name", ["<!channel>", "a\nb", "x" * 201, "\x1b[31m"])
def test_names_that_no_function_can_have_are_counted_among_others(name: str) -> None:
    values = measured("failures{function=*} > 0", [ended("failed", function=name), ended("failed")])

    assert values == {"(others) (others)": 1.0, "mail shop.send": 1.0}


def test_a_worker_of_a_name_that_none_can_have_is_not_looked_for() -> None:
    beat = a_worker_event(WorkerEventType.HEARTBEAT, worker_id="<http://evil|w>", timestamp_ns=NOW_NS - 60 * SECOND)

    assert measured("worker_lost", [beat]) == {}
