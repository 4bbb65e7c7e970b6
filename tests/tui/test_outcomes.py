"""How the dashboard counts what became of jobs: failures, retries, time outs, cancellations."""

from __future__ import annotations

import pytest

from naq_runtime.events.models import Event
from naq_tui.model.tally import Figures
from naq_tui.state import Dashboard
from tests.tui.builders import NOW_NS, SECOND, batch, job_event, queue, snapshot, worker


def dashboard_of(*events: Event) -> Dashboard:
    dashboard = Dashboard()
    dashboard.apply(batch(*events, snapshot=snapshot([queue()], [worker("w-1")])), NOW_NS)
    return dashboard


def figures_of(*events: Event) -> Figures:
    """Of the only queue."""
    (view,) = dashboard_of(*events).queues(NOW_NS)
    return view.figures


@pytest.mark.parametrize("kind", ["failed", "timed_out"])
def test_an_attempt_that_was_the_last_is_a_failure(kind: str) -> None:
    figures = figures_of(job_event("completed", ago_s=5), job_event(kind, ago_s=5, final=True))

    assert (figures.failed, figures.retried) == (1, 0)
    assert figures.failed_share == pytest.approx(0.5)


@pytest.mark.parametrize("kind", ["failed", "timed_out"])
def test_an_attempt_that_is_followed_by_another_is_a_retry_and_no_failure(kind: str) -> None:
    figures = figures_of(job_event("completed", ago_s=5), job_event(kind, ago_s=5, final=False))

    assert (figures.failed, figures.retried) == (0, 1)
    assert figures.failed_share == 0
    assert figures.retried_rate > 0
    assert figures.failed_rate == 0


def test_a_retry_does_not_end_its_job() -> None:
    figures = figures_of(job_event("failed", ago_s=5, final=False))

    assert figures.done_rate == 0


def test_attempts_that_fail_are_runs_like_any_other() -> None:
    figures = figures_of(job_event("timed_out", final=False, duration_ms=3000.0))

    assert figures.run is not None
    assert figures.run.p50 == pytest.approx(3000, rel=0.03)


def test_a_cancelled_job_is_neither_done_nor_failed() -> None:
    figures = figures_of(job_event("completed", ago_s=5), job_event("cancelled", ago_s=5, state="queued"))

    assert figures.cancelled == 1
    assert figures.cancelled_rate > 0
    assert (figures.failed, figures.failed_share) == (0, 0)
    assert figures.done_rate == pytest.approx(figures.cancelled_rate)


@pytest.mark.parametrize("kind", ["enqueued", "scheduled", "requeued"])
def test_whatever_puts_a_job_into_its_queue_comes_in(kind: str) -> None:
    assert figures_of(job_event(kind, ago_s=5)).enqueued_rate > 0


def test_a_job_that_waits_for_others_comes_in_when_it_is_enqueued() -> None:
    events = [job_event("waiting_for_dependencies", ago_s=6), job_event("dependency_satisfied", ago_s=5)]

    assert figures_of(*events).enqueued_rate == 0


@pytest.mark.parametrize("kind", ["progress", "log", "retry_scheduled", "dead_lettered", "result_stored"])
def test_what_only_tells_about_a_job_counts_nowhere(kind: str) -> None:
    figures = figures_of(job_event(kind, ago_s=5))

    assert (figures.enqueued_rate, figures.done_rate, figures.retried, figures.cancelled) == (0, 0, 0, 0)


@pytest.mark.parametrize("kind", ["completed", "failed", "timed_out", "cancelled"])
def test_a_worker_has_room_again_however_a_run_ends(kind: str) -> None:
    ends = [job_event(kind, f"job-{second}", ago_s=second + 0.5, worker_id="w-1") for second in range(10)]
    (view,) = dashboard_of(*ends).workers(NOW_NS)

    assert view.rate == 1


def test_a_job_that_was_cancelled_while_it_waited_was_no_worker_s() -> None:
    elsewhere = job_event("cancelled", ago_s=5, worker_id="w-1", state="waiting")
    (view,) = dashboard_of(elsewhere).workers(NOW_NS)

    assert view.rate == 0


def test_the_throughput_shows_retries_neither_as_done_nor_as_failed() -> None:
    dashboard = dashboard_of(job_event("failed", ago_s=5.5, final=False), job_event("timed_out", ago_s=4.5, final=True))
    throughput = dashboard.throughput(NOW_NS, 10)

    assert sum(throughput.completed) == 0
    assert throughput.failed == [0, 0, 0, 0, 0, 1, 0, 0, 0, 0]


def test_a_queue_that_is_paused_is_painted_again() -> None:
    dashboard = dashboard_of()
    before = dashboard.versions.queues

    dashboard.apply(batch(snapshot=snapshot([queue(paused=True)], [worker("w-1")])), NOW_NS + SECOND // 10)

    assert dashboard.versions.queues > before
