"""The stretches of a job's life: every wait and every run, drawn to scale."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from naq_runtime.events.models import JobEventType
from naq_runtime.job import Job, JobResult, JobStatus
from naq_runtime.snapshot import JobDetail
from naq_tui.pages.job import job_page
from naq_tui.pages.phases import Phase, Spent, phases, ran, unready_ms, waited
from naq_tui.pages.timeline import timeline
from tests.tui.builders import NOW_NS, SECOND, job_event, stored, worker_event


def found(*events: Any, status: JobStatus = JobStatus.RUNNING) -> list[Phase]:
    return phases(JobDetail(job_id="job-1", status=status, events=stored(events)), NOW_NS)


def shapes(*events: Any, status: JobStatus = JobStatus.RUNNING) -> list[tuple[str, str, float]]:
    """Kind, what for or how it ended, and seconds."""
    return [
        (phase.kind, phase.wait if phase.kind == "waiting" else phase.outcome, phase.milliseconds / 1000)
        for phase in found(*events, status=status)
    ]


def bars(*events: Any, status: JobStatus = JobStatus.RUNNING, width: int = 120) -> list[str]:
    return ["".join(text for text, _ in line.spans) for line in timeline(found(*events, status=status), width)]


def due(ago_s: float) -> int:
    return NOW_NS - int(ago_s * SECOND)


RETRIED = (
    job_event("started", ago_s=50, attempt=1),
    job_event("failed", ago_s=40, attempt=1, final=False),
    job_event("retry_scheduled", ago_s=40, retry_count=1, retry_delay=20.0, run_at_ns=due(20)),
)


def test_the_wait_for_a_retry_lasts_until_the_next_start() -> None:
    assert shapes(*RETRIED, job_event("started", ago_s=15, attempt=2)) == [
        ("running", "failed", 10),
        ("waiting", "retry", 25),
        ("running", "", 15),
    ]


def test_the_wait_for_a_retry_is_one_of_its_attempt() -> None:
    assert [phase.attempt for phase in found(*RETRIED)] == [1, 2]


def test_the_delay_of_a_retry_is_drawn_apart_from_the_wait_for_a_worker() -> None:
    line = bars(*RETRIED, job_event("started", ago_s=10, attempt=2))[1]

    assert "↻ waiting 2" in line
    assert line.count("┄") / line.count("░") == 2


def test_a_time_out_is_followed_by_a_retry_like_any_error() -> None:
    events = (job_event("started", ago_s=50), job_event("timed_out", ago_s=40, final=False), RETRIED[2])

    assert shapes(*events) == [("running", "timed_out", 10), ("waiting", "retry", 40)]


def test_a_retry_whose_failure_was_not_kept_is_a_wait_all_the_same() -> None:
    assert shapes(RETRIED[0], RETRIED[2]) == [("running", "lost", 10), ("waiting", "retry", 40)]


def test_a_scheduled_job_waits_for_its_time_and_then_for_a_worker() -> None:
    (wait,) = found(job_event("scheduled", ago_s=30, run_at_ns=due(10)), status=JobStatus.SCHEDULED)

    assert (wait.wait, wait.milliseconds, wait.open) == ("time", 30_000, True)
    assert wait.planned_until_ns == due(10)


def test_waits_and_runs_are_as_long_as_their_events_say() -> None:
    queued = found(
        job_event("enqueued", ago_s=30),
        job_event("started", ago_s=20, wait_ms=9_987.0),
        job_event("completed", ago_s=19, duration_ms=0.019),
    )
    scheduled = found(
        job_event("scheduled", ago_s=30, run_at_ns=due(20)), job_event("started", ago_s=15, wait_ms=4_975.0)
    )

    assert (waited(queued), unready_ms(queued)) == (Spent(9_987.0, 9_987.0, 1), 0)
    assert ran(queued) == Spent(0.019, 0.019, 1)
    assert (waited(scheduled).last_ms, unready_ms(scheduled)) == (4_975.0, 10_025.0)


def test_of_a_job_that_was_tried_again_its_last_attempt_is_told_and_all_of_them() -> None:
    events = (
        job_event("enqueued", ago_s=60),
        job_event("started", ago_s=58, wait_ms=2_000.0),
        job_event("failed", ago_s=55, duration_ms=3_000.0, final=False),
        job_event("retry_scheduled", ago_s=55, retry_count=1, run_at_ns=due(45)),
        job_event("started", ago_s=44, attempt=2, wait_ms=1_000.0),
    )
    ended = (*events, job_event("completed", ago_s=37, attempt=2, duration_ms=7_000.0))

    assert (waited(found(*ended)), ran(found(*ended))) == (Spent(1_000, 3_000, 2), Spent(7_000, 10_000, 2))
    assert unready_ms(found(*ended)) == 10_000
    assert waited(found(*events[:4], status=JobStatus.SCHEDULED)).last_ms == 45_000  # since it was due


def test_a_wait_that_began_before_its_first_event_is_as_long_as_the_worker_says() -> None:
    (wait, _) = found(job_event("enqueued", ago_s=30), job_event("started", ago_s=29, wait_ms=1_003.0))

    assert wait.milliseconds == 1_003.0


def test_a_job_waits_for_others_and_then_in_its_queue() -> None:
    events = (
        job_event("waiting_for_dependencies", ago_s=30, depends_on=("a", "b")),
        job_event("dependency_satisfied", ago_s=25, dependency_id="a"),
        job_event("dependency_satisfied", ago_s=12, dependency_id="b"),
        job_event("enqueued", ago_s=12),
        job_event("started", ago_s=10),
    )

    assert shapes(*events) == [("waiting", "jobs", 18), ("waiting", "queue", 2), ("running", "", 10)]


def test_a_job_cancelled_in_its_queue_waits_no_longer() -> None:
    events = (job_event("enqueued", ago_s=30), job_event("cancelled", ago_s=10, state="queued"))
    (wait,) = found(*events, status=JobStatus.CANCELLED)

    assert (wait.milliseconds, wait.open) == (20_000, False)


def test_a_job_cancelled_while_it_runs_ends_so() -> None:
    events = (job_event("started", ago_s=30), job_event("cancelled", ago_s=10, state="running"))

    assert shapes(*events, status=JobStatus.CANCELLED) == [("running", "cancelled", 20)]


def test_a_job_requeued_from_the_dead_letters_waits_again() -> None:
    events = (
        job_event("started", ago_s=60),
        job_event("failed", ago_s=50, final=True),
        job_event("dead_lettered", ago_s=50),
        job_event("requeued", ago_s=20),
        job_event("started", ago_s=15),
    )

    assert shapes(*events) == [("running", "failed", 10), ("waiting", "queue", 5), ("running", "", 15)]


def test_a_run_whose_worker_died_ends_when_the_next_begins() -> None:
    events = (job_event("started", ago_s=60, worker_id="w-1"), job_event("started", ago_s=20, worker_id="w-2"))

    assert shapes(*events) == [("running", "lost", 40), ("running", "", 20)]


def test_a_run_ends_with_its_worker_and_what_follows_is_no_wait() -> None:
    events = (
        job_event("enqueued", ago_s=61),
        job_event("started", ago_s=60, worker_id="w-1"),
        worker_event("lost", "w-1", ago_s=52),
        job_event("started", ago_s=20, worker_id="w-2"),
        job_event("completed", ago_s=5, worker_id="w-2"),
    )

    assert shapes(*events) == [("waiting", "queue", 1), ("running", "lost", 8), ("running", "completed", 15)]
    assert ran(found(*events)) == Spent(15_000, 23_000, 2)
    assert waited(found(*events)) == Spent(None, 1_000, 1)


def test_the_wait_that_an_older_worker_tells_after_a_loss_is_none() -> None:
    events = (
        job_event("started", ago_s=60, worker_id="w-1", wait_ms=2.0),
        worker_event("lost", "w-1", ago_s=52),
        job_event("started", ago_s=20, worker_id="w-2", wait_ms=40_000.0),
    )

    assert [phase.kind for phase in found(*events)] == ["waiting", "running", "running"]


def test_a_run_of_which_nobody_knows_the_end_is_not_counted() -> None:
    events = (
        job_event("started", ago_s=60, worker_id="w-1"),
        job_event("started", ago_s=20, worker_id="w-2"),
        job_event("completed", ago_s=5, worker_id="w-2"),
    )

    assert ran(found(*events)) == Spent(15_000, 15_000, 2)


def test_times_are_those_that_the_events_tell() -> None:
    events = (
        job_event("enqueued", ago_s=60),
        job_event("started", ago_s=50, wait_ms=9_000.0),
        job_event("completed", ago_s=40, duration_ms=9_990.0),
    )

    assert [phase.milliseconds for phase in found(*events)] == [9_000, 9_990]


FIRST_LIFE = (
    job_event("enqueued", ago_s=90),
    job_event("started", ago_s=80),
    job_event("failed", ago_s=70, final=True),
    job_event("result_stored", ago_s=70),
)


def test_an_earlier_life_of_the_same_id_is_not_counted() -> None:
    events = (*FIRST_LIFE, job_event("enqueued", ago_s=30), job_event("started", ago_s=20))

    assert shapes(*events) == [("waiting", "queue", 10), ("running", "", 20)]


def test_a_new_life_in_which_nothing_has_happened_yet_is_a_wait() -> None:
    assert shapes(*FIRST_LIFE, job_event("enqueued", ago_s=30), status=JobStatus.QUEUED) == [("waiting", "queue", 30)]


def test_the_clock_of_a_producer_that_is_a_little_ahead_makes_no_new_life() -> None:
    events = (
        job_event("started", ago_s=10),
        job_event("completed", ago_s=9.999),
        job_event("enqueued", ago_s=9.998),
        job_event("result_stored", ago_s=9.997),
    )

    assert ("running", "completed") in [shape[:2] for shape in shapes(*events, status=JobStatus.COMPLETED)]


def test_an_interrupted_run_costs_no_attempt() -> None:
    events = (
        job_event("started", ago_s=60, attempt=1),
        job_event("interrupted", ago_s=40, attempt=1),
        job_event("started", ago_s=30, attempt=1),
    )

    assert [(phase.kind, phase.attempt) for phase in found(*events)] == [("running", 1), ("waiting", 1), ("running", 1)]


def test_progress_and_log_change_nothing() -> None:
    events = (job_event("started", ago_s=60), job_event("progress", ago_s=50), job_event("log", ago_s=40))

    assert shapes(*events) == [("running", "", 60)]


def test_without_events_a_scheduled_job_waits_for_its_time() -> None:
    job = Job("shop.f", job_id="job-1", enqueued_at_ns=due(60), run_at_ns=NOW_NS + 60 * SECOND)
    (wait,) = phases(JobDetail(job_id="job-1", status=JobStatus.SCHEDULED, job=job), NOW_NS)

    assert (wait.wait, wait.open, wait.milliseconds) == ("time", True, 60_000)


def test_without_events_a_job_cancelled_before_it_ran_did_not_run() -> None:
    result = JobResult(job_id="job-1", status=JobStatus.CANCELLED, start_time_ns=due(5), finish_time_ns=due(5))
    job = Job("shop.f", job_id="job-1", enqueued_at_ns=due(60))
    detail = JobDetail(job_id="job-1", status=JobStatus.CANCELLED, job=job, result=result)

    assert [phase.kind for phase in phases(detail, NOW_NS)] == ["waiting"]


def test_of_a_thousand_attempts_the_first_and_the_latest_are_drawn_and_those_between_counted() -> None:
    events = []
    for attempt in range(1, 1001):
        at = 5000 - attempt * 4
        events.append(job_event("started", ago_s=at + 2, attempt=attempt))
        events.append(job_event("failed", ago_s=at, attempt=attempt, final=False))
    lines = bars(*events, status=JobStatus.SCHEDULED)

    assert len(lines) < 40
    assert lines[0].startswith("  ✗ running ")
    assert lines[10].startswith("  ⋮ 985 runs")
    assert any(line.startswith("  ↻ wait 1,001 ") for line in lines)


_EVENTS = st.lists(
    st.builds(
        lambda kind, ago, due, final, numbers: job_event(
            kind,
            ago_s=ago,
            final=final,
            attempt=numbers[0],
            retry_count=numbers[1],
            wait_ms=numbers[2],
            duration_ms=numbers[2],
            run_at_ns=due,
            done=numbers[3],
            total=numbers[4],
            text="text",
            dependency_id="other",
        ),
        st.sampled_from([kind.value for kind in JobEventType]),
        st.floats(-1000, 1000),
        st.none() | st.integers(0, 2**62),
        st.none() | st.booleans(),
        st.tuples(
            st.none() | st.integers(0, 10**9),
            st.none() | st.integers(0, 10**9),
            st.none() | st.floats(0, 1e9),
            st.none() | st.floats(),
            st.none() | st.floats(),
        ),
    ),
    max_size=12,
)


@settings(deadline=None)
@given(_EVENTS, st.sampled_from(list(JobStatus)), st.integers(40, 200))
def test_whatever_the_events_say_the_page_is_drawn(events: list[Any], status: JobStatus, width: int) -> None:
    detail = JobDetail(job_id="job-1", status=status, events=stored(events))

    assert all(phase.milliseconds >= 0 for phase in phases(detail, NOW_NS))
    assert job_page(detail, width, NOW_NS)
