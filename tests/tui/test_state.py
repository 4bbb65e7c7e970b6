"""What the dashboard knows: depths from snapshots, rates from events, losses noticed, memory bounded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from naq_runtime.events.models import Event
from naq_runtime.snapshot import HeldJob, WorkerDetail
from naq_runtime.worker.record import WorkerState
from naq_runtime.worker.roll import WorkerStatus
from naq_tui.model.queues import QueueBook, QueueView
from naq_tui.model.workers import LOST_SHOWN_S, WorkerBook, WorkerView
from naq_tui.source import Batch, ConnectionState, Link
from naq_tui.state import Dashboard
from tests.tui.builders import (
    LIVE,
    NOW_NS,
    SECOND,
    batch,
    job_event,
    link,
    queue,
    snapshot,
    stored,
    system_event,
    worker,
    worker_event,
)

NOW_S = NOW_NS // SECOND


def dashboard_of(*batches: Batch, at_ns: int = NOW_NS, **settings: Any) -> Dashboard:
    dashboard = Dashboard(**settings)
    for entry in batches:
        dashboard.apply(entry, at_ns)
    return dashboard


def queue_of(dashboard: Dashboard, name: str = "default", at_ns: int = NOW_NS) -> QueueView:
    return next(view for view in dashboard.queues(at_ns) if view.name == name)


def workers_of(dashboard: Dashboard, at_ns: int = NOW_NS) -> dict[str, WorkerView]:
    return {view.record.worker_id: view for view in dashboard.workers(at_ns)}


def steady(kind: str, seconds: int = 20, per_second: int = 5, **fields: Any) -> Iterable[Event]:
    """So many of these in each of the latest seconds."""
    return [
        job_event(kind, f"job-{second}-{index}", ago_s=second - 0.5, **fields)
        for second in range(seconds, 0, -1)
        for index in range(per_second)
    ]


class TestQueues:
    def test_depths_come_from_the_snapshot_alone(self) -> None:
        events = [job_event("enqueued", f"job-{number}") for number in range(50)]
        dashboard = dashboard_of(batch(*events, snapshot=snapshot([queue("default", waiting=7, running=2)])))

        state = queue_of(dashboard).state

        assert state is not None
        assert (state.waiting, state.running) == (7, 2)

    def test_a_queue_that_only_events_name_has_no_depth(self) -> None:
        dashboard = dashboard_of(batch(job_event("enqueued", queue_name="gone"), snapshot=snapshot()))

        assert queue_of(dashboard, "gone").state is None

    def test_rates_are_means_of_the_latest_whole_seconds(self) -> None:
        dashboard = dashboard_of(batch(*steady("enqueued", per_second=5), *steady("completed", per_second=3)))

        figures = queue_of(dashboard).figures

        assert figures.enqueued_rate == 5
        assert figures.done_rate == 3

    def test_rates_of_a_log_that_has_just_begun_are_not_diluted(self) -> None:
        dashboard = dashboard_of(batch(*steady("completed", seconds=2, per_second=4)))

        assert queue_of(dashboard).figures.done_rate == pytest.approx(4, rel=0.4)

    def test_rates_fall_to_nothing_when_nothing_happens(self) -> None:
        dashboard = dashboard_of(batch(*steady("completed")))

        assert queue_of(dashboard, at_ns=NOW_NS + 11 * SECOND).figures.done_rate == 0

    def test_failures_and_their_share_are_of_the_latest_minute(self) -> None:
        old = [job_event("failed", ago_s=90) for _ in range(50)]
        new = [*(job_event("completed", ago_s=5) for _ in range(9)), job_event("failed", ago_s=5)]
        dashboard = dashboard_of(batch(*old, *new))

        figures = queue_of(dashboard).figures

        assert figures.failed_share == pytest.approx(0.1)
        assert figures.failed == 1

    def test_waits_and_runs_have_percentiles(self) -> None:
        starts = [job_event("started", wait_ms=float(number)) for number in range(1, 101)]
        ends = [job_event("completed", duration_ms=float(number * 10)) for number in range(1, 101)]
        dashboard = dashboard_of(batch(*starts, *ends))

        figures = queue_of(dashboard).figures

        assert figures.wait is not None
        assert figures.run is not None
        assert figures.wait == pytest.approx((50, 95), rel=0.03)
        assert figures.run == pytest.approx((500, 950), rel=0.03)

    def test_the_number_of_counted_queues_is_bounded_and_the_silent_ones_go_first(self) -> None:
        book = QueueBook(limit=16)
        book.count(job_event("completed", queue_name="old"), NOW_S - 100)
        for number in range(15):
            book.count(job_event("completed", queue_name=f"q{number}"), NOW_S)

        book.count(job_event("completed", queue_name="new"), NOW_S)

        assert len(book) <= 16
        assert "old" not in {view.name for view in book.views(NOW_S, NOW_S)}
        assert "new" in {view.name for view in book.views(NOW_S, NOW_S)}


class TestAfterAnOutage:
    def test_old_events_that_come_late_make_no_spike(self) -> None:
        late = [job_event("completed", f"job-{number}", ago_s=300) for number in range(10_000)]
        dashboard = dashboard_of(batch(*steady("completed", per_second=2)), batch(*late, first=1000))

        assert queue_of(dashboard).figures.done_rate == 2
        assert dashboard.vitals(NOW_NS).jobs.done_rate == 2
        assert dashboard.vitals(NOW_NS).events_rate == 2

    def test_they_appear_in_the_history_where_they_belong(self) -> None:
        late = [job_event("completed", ago_s=100.5) for _ in range(7)]
        dashboard = dashboard_of(batch(*late))

        throughput = dashboard.throughput(NOW_NS, 200)

        assert throughput.completed[-101] == 7
        assert sum(throughput.completed) == 7

    def test_figures_stand_still_while_the_link_is_down(self) -> None:
        dashboard = dashboard_of(batch(*steady("completed")), batch(link=link(ConnectionState.RECONNECTING)))
        before = dashboard.versions.queues

        dashboard.advance(NOW_NS + 30 * SECOND)

        assert dashboard.versions.queues == before
        assert dashboard.as_of(NOW_NS + 30 * SECOND) == NOW_NS

    def test_everything_is_painted_again_when_it_is_back(self) -> None:
        dashboard = dashboard_of(batch(*steady("completed")), batch(link=link(ConnectionState.RECONNECTING)))
        before = dashboard.versions.queues

        dashboard.apply(batch(), NOW_NS + 30 * SECOND)

        assert dashboard.versions.queues > before
        assert not dashboard.stale


class TestClocks:
    def test_an_emitter_whose_clock_is_ahead_counts_now(self) -> None:
        ahead = [job_event("completed", ago_s=-3600) for _ in range(10)]
        dashboard = dashboard_of(batch(*steady("completed", per_second=1), *ahead))

        assert queue_of(dashboard).figures.done_rate == 1
        assert queue_of(dashboard, at_ns=NOW_NS + SECOND).figures.done_rate == pytest.approx(1.9)


class TestWorkers:
    def test_workers_are_those_with_a_lease(self) -> None:
        dashboard = dashboard_of(
            batch(worker_event("heartbeat", "ghost"), snapshot=snapshot(workers=[worker("w-1"), worker("w-2")]))
        )

        assert set(workers_of(dashboard)) == {"w-1", "w-2"}

    def test_a_lease_that_vanishes_without_a_word_is_a_lost_worker_with_its_jobs(self) -> None:
        dashboard = dashboard_of(
            batch(snapshot=snapshot(workers=[worker("w-1", active_jobs=3)])), batch(snapshot=snapshot())
        )

        lost = workers_of(dashboard)["w-1"]

        assert lost.lost
        assert lost.record.active_jobs == 3

    def test_a_worker_that_said_that_it_stopped_is_not_lost(self) -> None:
        dashboard = dashboard_of(
            batch(snapshot=snapshot(workers=[worker("w-1")])),
            batch(worker_event("stopped", "w-1")),
            batch(snapshot=snapshot()),
        )

        assert workers_of(dashboard) == {}

    def test_a_word_that_comes_after_the_loss_ends_it(self) -> None:
        dashboard = dashboard_of(
            batch(snapshot=snapshot(workers=[worker("w-1")])),
            batch(snapshot=snapshot()),
            batch(worker_event("stopped", "w-1")),
        )

        assert workers_of(dashboard) == {}

    def test_a_stop_of_an_earlier_life_excuses_nothing(self) -> None:
        dashboard = dashboard_of(
            batch(worker_event("stopped", "w-1", ago_s=3600)),
            batch(snapshot=snapshot(workers=[worker("w-1", started_ago_s=60)])),
            batch(snapshot=snapshot()),
        )

        assert workers_of(dashboard)["w-1"].lost

    def test_a_lease_that_ends_as_stopped_is_not_a_loss(self) -> None:
        dashboard = dashboard_of(
            batch(snapshot=snapshot(workers=[worker("w-1", state=WorkerState.STOPPED)])), batch(snapshot=snapshot())
        )

        assert workers_of(dashboard) == {}

    def test_a_worker_that_cannot_say_so_is_busy_by_what_it_has_begun(self) -> None:
        idle = worker("w-1", state=WorkerState.IDLE, active_jobs=0, beat_ago_s=9)
        begun = [job_event("started", f"job-{number}", ago_s=8, worker_id="w-1") for number in range(3)]
        ended = job_event("completed", "job-1", ago_s=7, worker_id="w-1")
        dashboard = dashboard_of(batch(snapshot=snapshot(workers=[idle])), batch(*begun, ended))
        shown = workers_of(dashboard)["w-1"].record
        dashboard.apply(batch(snapshot=snapshot()), NOW_NS)

        assert (shown.state, shown.active_jobs) == (WorkerState.BUSY, 2)
        assert workers_of(dashboard)["w-1"].record.active_jobs == 2

    def test_since_when_it_has_a_job_is_known_once_it_was_asked_for(self) -> None:
        running = worker("w-1", running_job_ids=("job-1",), active_jobs=1)
        dashboard = dashboard_of(batch(snapshot=snapshot(workers=[running])))
        before = workers_of(dashboard)["w-1"].oldest
        since_ns = NOW_NS - 300 * SECOND
        status = WorkerStatus(worker_id="w-1", record=running, state="busy", seen_ns=NOW_NS)
        dashboard.take_worker(WorkerDetail(status=status, jobs=(HeldJob(job_id="job-1", started_ns=since_ns),)))
        dashboard.apply(batch(snapshot=snapshot(workers=[running])), NOW_NS)

        assert before is not None
        assert before.at_least
        assert workers_of(dashboard)["w-1"].oldest == ("job-1", since_ns, False)

    def test_nobody_is_lost_because_the_server_was_away_until_just_now(self) -> None:
        both = snapshot(workers=[worker("w-1"), worker("w-2")])
        again = Link(ConnectionState.LIVE, NOW_NS + 60 * SECOND, "nats://127.0.0.1:4222")
        dashboard = dashboard_of(batch(snapshot=both), batch(link=link(ConnectionState.RECONNECTING)))

        dashboard.apply(Batch(again, snapshot=snapshot()), NOW_NS + 61 * SECOND)
        at_once = workers_of(dashboard)
        dashboard.apply(Batch(again, snapshot=snapshot(workers=[worker("w-2")])), NOW_NS + 64 * SECOND)

        assert [view.lost for view in at_once.values()] == [False, False]
        assert [view.lost for view in workers_of(dashboard).values()] == [True, False]

    def test_a_lost_worker_that_returns_is_not_lost(self) -> None:
        dashboard = dashboard_of(
            batch(snapshot=snapshot(workers=[worker("w-1")])),
            batch(snapshot=snapshot()),
            batch(snapshot=snapshot(workers=[worker("w-1")])),
        )

        assert not workers_of(dashboard)["w-1"].lost

    def test_a_lost_worker_leaves_after_a_while(self) -> None:
        dashboard = dashboard_of(batch(snapshot=snapshot(workers=[worker("w-1")])), batch(snapshot=snapshot()))

        dashboard.advance(NOW_NS + (LOST_SHOWN_S - 1) * SECOND)
        assert "w-1" in workers_of(dashboard)
        dashboard.advance(NOW_NS + LOST_SHOWN_S * SECOND)
        assert "w-1" not in workers_of(dashboard)

    def test_a_worker_is_busy_or_idle_as_it_has_said_last(self) -> None:
        idle = worker("w-1", state=WorkerState.IDLE, active_jobs=0, beat_ago_s=4)
        dashboard = dashboard_of(
            batch(snapshot=snapshot(workers=[idle])),
            batch(worker_event("busy", "w-1", ago_s=3, active_jobs=1, concurrency_limit=8)),
            batch(snapshot=snapshot(workers=[idle])),
        )
        shown = workers_of(dashboard)["w-1"].record
        assert (shown.state, shown.active_jobs) == ("busy", 1)

        later = worker("w-1", state=WorkerState.IDLE, active_jobs=0, beat_ago_s=2)
        dashboard.apply(batch(snapshot=snapshot(workers=[later])), NOW_NS)
        assert workers_of(dashboard)["w-1"].record.state == "idle"

    def test_a_worker_that_is_leaving_is_not_called_idle(self) -> None:
        dashboard = dashboard_of(
            batch(snapshot=snapshot(workers=[worker("w-1", state=WorkerState.STOPPING, beat_ago_s=4)])),
            batch(worker_event("idle", "w-1", ago_s=3)),
        )

        assert workers_of(dashboard)["w-1"].record.state == "stopping"

    def test_a_worker_s_rate_is_of_its_own_jobs(self) -> None:
        dashboard = dashboard_of(
            batch(
                *steady("completed", per_second=2, worker_id="w-1"),
                *steady("failed", per_second=1, worker_id="w-1"),
                *steady("completed", per_second=9, worker_id="w-2"),
                snapshot=snapshot(workers=[worker("w-1")]),
            )
        )

        assert workers_of(dashboard)["w-1"].rate == 3

    def test_what_is_remembered_of_workers_is_bounded(self) -> None:
        book = WorkerBook(limit=10)
        for number in range(100):
            book.see((worker(f"w-{number}"),), NOW_NS, steady_s=60)
            book.hear(worker_event("stopped", f"other-{number}"))
            book.count(job_event("completed", worker_id=f"w-{number}"), NOW_S)

        assert len(book) <= 11


class TestVersions:
    def test_a_snapshot_that_says_the_same_paints_nothing(self) -> None:
        same = snapshot([queue(waiting=3)], [worker()])
        dashboard = dashboard_of(batch(snapshot=same))
        before = vars_of(dashboard)

        dashboard.apply(batch(snapshot=same), NOW_NS)

        assert vars_of(dashboard) == before

    def test_events_change_the_feed_at_once_and_the_figures_with_the_second(self) -> None:
        dashboard = dashboard_of(batch(snapshot=snapshot()))
        before = vars_of(dashboard)

        dashboard.apply(batch(job_event()), NOW_NS)
        assert dashboard.versions.feed > before["feed"]
        assert dashboard.versions.queues == before["queues"]

        dashboard.advance(NOW_NS + SECOND)
        assert dashboard.versions.queues > before["queues"]

    def test_long_after_the_last_event_the_second_changes_nothing(self) -> None:
        dashboard = dashboard_of(batch(job_event(), snapshot=snapshot()))
        dashboard.advance(NOW_NS + 700 * SECOND)
        before = vars_of(dashboard)

        dashboard.advance(NOW_NS + 701 * SECOND)

        assert vars_of(dashboard) == before

    def test_only_events_of_the_watched_job_count_for_it(self) -> None:
        dashboard = dashboard_of(batch(snapshot=snapshot()))
        dashboard.watch("mine")
        before = dashboard.versions.job

        dashboard.apply(batch(job_event(job_id="other")), NOW_NS)
        assert dashboard.versions.job == before

        dashboard.apply(batch(job_event(job_id="mine")), NOW_NS)
        assert dashboard.versions.job == before + 1


def vars_of(dashboard: Dashboard) -> dict[str, int]:
    return msgspec.structs.asdict(dashboard.versions)


class TestFlood:
    def test_fifty_thousand_events_are_all_counted(self) -> None:
        kinds = ("enqueued", "started", "completed", "failed", "result_stored")
        events = [
            job_event(kinds[number % 5], f"job-{number // 5}", f"q{number % 7}", ago_s=10 - number / 5001)
            for number in range(50_000)
        ]
        dashboard = Dashboard(log_limit=20_000)

        for start in range(0, 50_000, 1_000):
            dashboard.apply(Batch(LIVE, stored(events[start : start + 1_000], start)), NOW_NS)

        views = dashboard.queues(NOW_NS)
        assert dashboard.log.end == 50_000
        assert dashboard.log.end - dashboard.log.first == 20_000
        assert sum(view.figures.failed for view in views) == 10_000
        assert sum(dashboard.throughput(NOW_NS).completed) + 1 >= 9_999
        assert [view.name for view in views] == [f"q{number}" for number in range(7)]

    def test_events_that_were_missed_are_added_up(self) -> None:
        dashboard = dashboard_of(batch(missed=3), batch(missed=4))

        assert dashboard.vitals(NOW_NS).missed == 7

    def test_events_of_all_kinds_are_kept_and_only_jobs_are_counted_as_jobs(self) -> None:
        dashboard = dashboard_of(
            batch(job_event("completed", ago_s=1.5), worker_event(ago_s=1.5), system_event(ago_s=1.5)),
        )

        assert dashboard.log.end == 3
        assert sum(dashboard.throughput(NOW_NS).completed) == 1

    def test_it_can_say_what_it_holds(self) -> None:
        dashboard = dashboard_of(batch(job_event(), missed=2, snapshot=snapshot(workers=[worker()])))

        assert repr(dashboard) == "<Dashboard events=1 kept=1 missed=2 queues=1 workers=1>"


class TestWhatComesBackwards:
    def test_failures_that_were_earlier_stand_before_the_later_ones(self) -> None:
        dashboard = dashboard_of(batch(job_event("failed", "last", ago_s=1)))
        before = [job_event("failed", f"j{number}", ago_s=60 - number) for number in range(20)]
        dashboard.apply(Batch(LIVE, [], earlier=stored(before[10:])), NOW_NS)
        dashboard.apply(Batch(LIVE, [], earlier=stored(before[:10])), NOW_NS)

        found = [event.job_id for event in dashboard.queue_failures("default")]
        assert found == ["j13", "j14", "j15", "j16", "j17", "j18", "j19", "last"]

    def test_a_job_whose_end_came_first_is_in_nobodys_hands(self) -> None:
        dashboard = dashboard_of(batch(snapshot=snapshot(workers=[worker("w-1", running_job_ids=("b",))])))
        dashboard.apply(batch(job_event("completed", "a", worker_id="w-1", ago_s=1)), NOW_NS)
        began = [job_event("started", job_id, worker_id="w-1", ago_s=90) for job_id in ("a", "b")]
        dashboard.apply(Batch(LIVE, [], earlier=stored(began)), NOW_NS)

        oldest = workers_of(dashboard)["w-1"].oldest
        assert oldest is not None
        assert oldest.job_id == "b"
