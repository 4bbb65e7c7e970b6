"""Why a job waits: the reasons, each by what shows it."""

from __future__ import annotations

from typing import Any

from naq_runtime.events.models import Event
from naq_runtime.job import After, Job, JobStatus
from naq_runtime.snapshot import JobDetail, QueueState
from naq_runtime.surroundings import Family, Member, QueueStory
from naq_runtime.worker.record import WorkerRecord, WorkerState
from naq_tui.pages.history import History
from naq_tui.pages.job import Around, job_page
from naq_tui.pages.phases import phases
from naq_tui.pages.reasons import Reason, Situation
from naq_tui.pages.waits import Explanation, explained
from tests.tui.builders import NOW_NS, SECOND, job_event, page_lines, queue, stored, system_event, worker, worker_event

QUEUED = job_event("enqueued", "job-1", "mail", ago_s=60)


def detail(*events: Event, status: JobStatus = JobStatus.QUEUED, job: Job | None = None) -> JobDetail:
    return JobDetail(job_id="job-1", status=status, events=stored(events), job=job)


def story(*events: Event, begun: tuple[Event, ...] = (), has_more: bool = False) -> QueueStory:
    holds = [event for event in events if event.event_type.startswith("queue_")]
    shifts = [event for event in events if not event.event_type.startswith("queue_")]
    return QueueStory(holds=stored(holds), shifts=stored(shifts), begun=stored(begun), has_more=has_more)


def explain(of: JobDetail, **around: Any) -> Explanation | None:
    return explained(History(of), phases(of, NOW_NS), Situation(**around), NOW_NS)


def reasons(of: JobDetail, **around: Any) -> dict[str, Reason]:
    """By their causes; in their order."""
    explanation = explain(of, **around)
    assert explanation is not None
    return {reason.cause: reason for reason in explanation.reasons}


def here(**fields: Any) -> WorkerRecord:
    return worker("w-1", **({"queue_names": ("mail",)} | fields))


def mail(waiting: int = 1, running: int = 0, **fields: Any) -> QueueState:
    return queue("mail", waiting, running, **fields)


def begun(count: int, *, ago_s: float = 30) -> tuple[Event, ...]:
    return tuple(job_event("started", f"other-{n}", "mail", ago_s=ago_s, worker_id=f"w-{n % 2}") for n in range(count))


class TestNow:
    def test_a_paused_queue_with_when_and_why_it_was_paused(self) -> None:
        pause = system_event("queue_paused", queue_name="mail", ago_s=125, reason="relay is down")
        found = reasons(detail(QUEUED), queue=mail(paused=True), workers=[here()], story=story(pause))

        assert found["paused"].text == "the queue mail is paused"
        assert found["paused"].evidence == 'since 08:57:55, 2 m 05 s ago: "relay is down"'

    def test_the_pause_comes_first(self) -> None:
        found = reasons(detail(QUEUED), queue=mail(9, paused=True), workers=[], story=story())

        assert list(found) == ["paused", "worker", "line"]

    def test_no_worker_with_the_last_one_that_was_there(self) -> None:
        gone = [
            worker_event("started", "w-9", ago_s=300, queue_names=("mail",)),
            worker_event("lost", "w-9", ago_s=90),
            worker_event("stopped", "elsewhere", ago_s=10, queue_names=("reports",)),
        ]
        found = reasons(
            detail(QUEUED), queue=mail(), workers=[worker("w-2", queue_names=("reports",))], story=story(*gone)
        )

        assert found["worker"].text == "no worker works on the queue mail"
        assert found["worker"].evidence == "the last one, w-9, was lost at 08:58:30"

    def test_no_worker_as_those_that_worked_at_it_are_lost_though_no_event_tells_so(self) -> None:
        lost = [here(beat_ago_s=65), worker("w-2", queue_names=("mail",), beat_ago_s=40), worker("w-3", beat_ago_s=9)]
        found = reasons(detail(QUEUED), queue=mail(), workers=[], lost=lost, story=story())

        assert found["worker"].text == "no worker works on the queue mail"
        assert found["worker"].evidence == "w-2 and 1 other were lost, last heard 40 s ago"

    def test_a_worker_that_is_stopping_takes_nothing(self) -> None:
        found = reasons(detail(QUEUED), queue=mail(), workers=[here(state=WorkerState.STOPPING)])

        assert found["worker"] == Reason("worker", "none of its workers takes jobs now", "w-1 is stopping")

    def test_workers_without_a_free_slot(self) -> None:
        full = [here(active_jobs=8), worker("w-2", queue_names=("mail",), active_jobs=8)]

        assert reasons(detail(QUEUED), queue=mail(), workers=full)["full"] == Reason(
            "full", "all 2 workers have no free slot", "16 of 16 are taken"
        )

    def test_one_free_slot_is_enough_not_to_be_full(self) -> None:
        assert "full" not in reasons(detail(QUEUED), queue=mail(), workers=[here(active_jobs=7)])

    def test_a_limit_of_jobs_that_is_reached(self) -> None:
        found = reasons(detail(QUEUED), queue=mail(1, 2, concurrency_limit=2), workers=[here()])

        assert found["limit"] == Reason("limit", "its queue may run 2 jobs at a time", "2 run now")

    def test_a_limit_that_is_not_reached_is_no_reason(self) -> None:
        assert "limit" not in reasons(detail(QUEUED), queue=mail(1, 1, concurrency_limit=2), workers=[here()])

    def test_a_rate_that_is_used_up(self) -> None:
        found = reasons(detail(QUEUED), queue=mail(rate_limit="5/60s"), workers=[here()], story=story(begun=begun(5)))

        assert found["rate"].text == "the rate of its queue is limited to 5/60s"
        assert found["rate"].evidence == "5 of its jobs began in the latest 1 m 00 s"

    def test_a_rate_that_is_not_used_up_is_no_reason(self) -> None:
        found = reasons(detail(QUEUED), queue=mail(rate_limit="5/60s"), workers=[here()], story=story(begun=begun(2)))

        assert "rate" not in found

    def test_others_in_the_same_queue(self) -> None:
        found = reasons(detail(QUEUED), queue=mail(41), workers=[here()], story=story(begun=begun(3)))

        assert found["line"].text == "40 other jobs of its queue wait too"
        assert found["line"].evidence == "3 of its jobs began since it waits"

    def test_when_nothing_holds_it_back_that_is_said(self) -> None:
        found = reasons(detail(QUEUED), queue=mail(), workers=[here(active_jobs=3)], story=story())

        assert found["unknown"].text == "nothing that is known holds it back"
        assert found["unknown"].evidence == "5 slots of 1 worker are free"

    def test_a_worker_that_handed_it_back(self) -> None:
        events = (
            QUEUED,
            job_event("started", "job-1", "mail", ago_s=50, worker_id="w-3"),
            job_event("interrupted", "job-1", "mail", ago_s=40, worker_id="w-3", reason="it stops"),
        )

        assert reasons(detail(*events), queue=mail(), workers=[])["returned"].text == "worker w-3 handed it back"

    def test_a_time_that_has_not_come(self) -> None:
        waits = job_event("scheduled", "job-1", "mail", ago_s=60, run_at_ns=NOW_NS + 12 * SECOND)
        found = reasons(detail(waits, status=JobStatus.SCHEDULED), queue=mail(paused=True), workers=[])

        assert found == {"time": Reason("time", "it is put off until 09:00:12.000", "in 12 s")}

    def test_an_attempt_that_is_to_come_with_what_went_wrong(self) -> None:
        events = (
            QUEUED,
            job_event("started", "job-1", "mail", ago_s=50, worker_id="w-3", attempt=1),
            job_event("failed", "job-1", "mail", ago_s=40, attempt=1, error_type="OSError", final=False),
            job_event("retry_scheduled", "job-1", "mail", ago_s=40, retry_count=1, run_at_ns=NOW_NS + 5 * SECOND),
        )
        found = reasons(detail(*events, status=JobStatus.SCHEDULED))

        assert found["retry"].text == "its next attempt is put off until 09:00:05.000"
        assert found["retry"].evidence == "in 5 s; attempt 1 failed with OSError"

    def test_jobs_that_have_not_ended_with_where_they_stand(self) -> None:
        needs = (After("alpha"), After("beta", on="failure"), *(After(f"job-{n}") for n in range(9)))
        job = Job("shop.f", job_id="job-1", queue_name="mail", depends_on=needs)
        waits = job_event("waiting_for_dependencies", "job-1", "mail", ago_s=9)
        family = Family(members={"alpha": Member(JobStatus.RUNNING)})
        explanation = explain(detail(waits, status=JobStatus.WAITING, job=job), family=family)

        assert explanation is not None
        assert explanation.reasons[0] == Reason("jobs", "job alpha must complete first", "it is running")
        assert explanation.reasons[1] == Reason("jobs", "job beta must fail first", "nothing is known of it")
        assert explanation.reasons[-1].text == "6 more jobs have not ended"


def test_the_page_of_a_job_that_runs_says_that_its_worker_is_lost() -> None:
    runs = detail(QUEUED, job_event("started", "job-1", "mail", ago_s=50, worker_id="w-1"), status=JobStatus.RUNNING)
    blocks = job_page(runs, 120, NOW_NS, Around(Situation(lost=[worker("w-1"), worker("w-2")])))
    elsewhere = job_page(runs, 120, NOW_NS, Around(Situation(lost=[worker("w-2")])))

    assert "w-1  ✗ lost, another one will get the job" in "\n".join(page_lines(blocks))
    assert "lost" not in "\n".join(page_lines(elsewhere))


def test_it_says_so_too_once_that_was_written_down() -> None:
    events = (
        QUEUED,
        job_event("started", "job-1", "mail", ago_s=50, worker_id="w-1"),
        worker_event("lost", "w-1", ago_s=30),
    )
    lost = job_page(detail(*events, status=JobStatus.RUNNING), 120, NOW_NS)

    assert "w-1  ✗ lost, another one will get the job" in "\n".join(page_lines(lost))


class TestThen:
    STARTED = job_event("started", "job-1", "mail", ago_s=10, worker_id="w-1")
    DONE = job_event("completed", "job-1", "mail", ago_s=5, worker_id="w-1")
    OVER = detail(QUEUED, STARTED, DONE, status=JobStatus.COMPLETED)

    def test_a_short_wait_needs_no_reason(self) -> None:
        events = (job_event("enqueued", "job-1", "mail", ago_s=10.9), self.STARTED, self.DONE)

        assert explain(detail(*events, status=JobStatus.COMPLETED), story=story()) is None

    def test_a_pause_by_the_part_of_it_that_lay_in_the_wait(self) -> None:
        held = story(
            system_event("queue_paused", queue_name="mail", ago_s=90, reason="relay is down"),
            system_event("queue_resumed", queue_name="mail", ago_s=40),
        )

        assert reasons(self.OVER, story=held)["paused"] == Reason(
            "paused", "its queue was paused for 20.00 s of it", 'at 08:58:30: "relay is down"'
        )

    def test_a_pause_that_was_over_before_is_no_reason(self) -> None:
        held = story(
            system_event("queue_paused", queue_name="mail", ago_s=90),
            system_event("queue_resumed", queue_name="mail", ago_s=70),
        )

        assert "paused" not in reasons(self.OVER, story=held)

    def test_a_worker_that_came_late(self) -> None:
        came = story(worker_event("started", "w-1", ago_s=11, queue_names=("mail",)))

        assert reasons(self.OVER, story=came)["worker"].text == "the worker that took it, w-1, came 49.00 s later"

    def test_a_worker_that_came_late_is_no_reason_when_others_worked(self) -> None:
        came = story(worker_event("started", "w-1", ago_s=11, queue_names=("mail",)), begun=begun(2))

        assert list(reasons(self.OVER, story=came)) == ["line"]

    def test_workers_of_its_queue_that_were_lost_meanwhile(self) -> None:
        lost = story(
            worker_event("lost", "w-7", ago_s=100, queue_names=("mail",)),
            worker_event("lost", "w-8", ago_s=50, queue_names=("mail",)),
            worker_event("lost", "elsewhere", ago_s=40, queue_names=("reports",)),
            begun=begun(1),
        )
        found = reasons(self.OVER, story=lost)

        assert found["worker"] == Reason("worker", "1 worker of its queue was lost meanwhile", "w-8 at 08:59:10")
        assert list(found) == ["worker", "line"]

    def test_jobs_that_came_first(self) -> None:
        found = reasons(self.OVER, story=story(begun=begun(7)))

        assert found["line"] == Reason("line", "7 other jobs of its queue began meanwhile", "at 2 workers")

    def test_more_of_them_than_are_read(self) -> None:
        found = reasons(self.OVER, story=story(begun=begun(7), has_more=True))

        assert found["line"].text == "more than 7 other jobs of its queue began meanwhile"

    def test_a_rate_that_was_used_up(self) -> None:
        limited = system_event("queue_limited", queue_name="mail", ago_s=500, rate_limit="1/10s", concurrency_limit=0)
        found = reasons(self.OVER, story=story(limited, begun=begun(5)))

        assert found["rate"].text == "the rate of its queue was limited to 1/10s"

    def test_a_limit_of_jobs_with_since_when(self) -> None:
        limited = system_event("queue_limited", queue_name="mail", ago_s=500, rate_limit="", concurrency_limit=1)
        found = reasons(self.OVER, story=story(limited))

        assert found["limit"].text == "no more than 1 job of its queue could run at a time"

    def test_when_no_event_tells_that_is_said(self) -> None:
        assert list(reasons(self.OVER, story=story())) == ["unknown"]

    def test_what_was_planned_and_what_came_on_top_of_it_are_told_apart(self) -> None:
        events = (
            job_event("scheduled", "job-1", "mail", ago_s=60, run_at_ns=NOW_NS - 11 * SECOND),
            self.STARTED,
            self.DONE,
        )

        found = reasons(detail(*events, status=JobStatus.COMPLETED), story=story())

        assert list(found) == ["time", "unknown"]
        assert found["time"] == Reason("time", "it was put off until 08:59:49.000", "for 49.00 s")

    def test_the_last_of_the_jobs_that_it_waited_for(self) -> None:
        events = (
            job_event("waiting_for_dependencies", "job-1", "mail", ago_s=60, depends_on=("alpha", "beta")),
            job_event("dependency_satisfied", "job-1", "mail", ago_s=50, dependency_id="beta", reason="completed"),
            job_event("dependency_satisfied", "job-1", "mail", ago_s=20, dependency_id="alpha", reason="completed"),
            job_event("enqueued", "job-1", "mail", ago_s=20),
            self.STARTED,
            self.DONE,
        )
        found = reasons(detail(*events, status=JobStatus.COMPLETED), story=story())

        assert found["jobs"].text == "it waited for 2 other jobs"
        assert found["jobs"].evidence == "the last of them, alpha, completed at 08:59:40.000"


def test_the_page_tells_them_with_their_evidence_below_where_there_is_no_room() -> None:
    around = Around(Situation(queue=mail(paused=True), workers=[here()], story=story()))
    pause = system_event("queue_paused", queue_name="mail", ago_s=125, reason="relay is down, and so is the other")
    narrow = Around(Situation(queue=mail(paused=True), workers=[here()], story=story(pause)))

    wide = page_lines(job_page(detail(QUEUED), 100, NOW_NS, around))
    shown = page_lines(job_page(detail(QUEUED), 56, NOW_NS, narrow), 56)

    assert any(line.startswith("▾ Waits  1 m 00 s, because ─") for line in wide)
    assert "  ‖ the queue mail is paused" in wide
    place = shown.index("  ‖ the queue mail is paused")
    assert shown[place + 1].startswith("    since 08:57:55, 2 m 05 s ago")
