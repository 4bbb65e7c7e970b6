"""Since when a worker has had each of its jobs."""

from __future__ import annotations

from naq_tui.model.held import HeldJobs, Oldest
from tests.tui.builders import NOW_NS, SECOND, job_event, worker


def ago(seconds: float) -> int:
    return NOW_NS - int(seconds * SECOND)


def test_the_oldest_is_the_one_that_began_first_and_has_not_ended() -> None:
    held = HeldJobs()
    for job_id, ago_s in (("a", 30), ("b", 20), ("c", 10)):
        held.count(job_event("started", job_id, worker_id="w-1", ago_s=ago_s))
    held.count(job_event("completed", "a", worker_id="w-1"))

    assert held.oldest("w-1") == Oldest("b", ago(20), at_least=False)


def test_one_that_is_tried_again_elsewhere_is_no_longer_here() -> None:
    held = HeldJobs()
    held.count(job_event("started", "a", worker_id="w-1", ago_s=30))
    held.count(job_event("interrupted", "a", worker_id="w-1", ago_s=20))
    held.count(job_event("started", "a", worker_id="w-2", ago_s=10))

    assert held.oldest("w-1") is None
    assert held.oldest("w-2") == Oldest("a", ago(10), at_least=False)


def test_one_whose_beginning_nobody_heard_of_is_at_least_as_old_as_it_was_seen() -> None:
    held, record = HeldJobs(), worker("w-1", running_job_ids=("a",))
    held.see(record, ago(60))
    held.see(record, ago(0))

    assert held.oldest("w-1") == Oldest("a", ago(60), at_least=True)


def test_one_whose_end_was_missed_goes_when_the_worker_no_longer_tells_of_it() -> None:
    held = HeldJobs()
    held.count(job_event("started", "a", worker_id="w-1", ago_s=30))
    held.count(job_event("started", "b", worker_id="w-1", ago_s=1))
    held.see(worker("w-1", running_job_ids=(), beat_ago_s=5), NOW_NS)

    assert held.oldest("w-1") == Oldest("b", ago(1), at_least=False)


def test_a_worker_that_tells_of_a_hundred_may_have_more() -> None:
    held = HeldJobs()
    held.count(job_event("started", "first", worker_id="w-1", ago_s=30))
    told = tuple(f"job-{number}" for number in range(100))
    held.see(worker("w-1", running_job_ids=told), ago(1))

    assert held.oldest("w-1") == Oldest("first", ago(30), at_least=False)


def test_one_that_was_given_up_and_still_runs_is_held() -> None:
    held = HeldJobs()
    held.see(worker("w-1", running_job_ids=(), stuck_job_ids=("s",)), ago(5))

    assert held.oldest("w-1") == Oldest("s", ago(5), at_least=True)


def test_a_worker_that_is_gone_is_forgotten() -> None:
    held = HeldJobs()
    held.count(job_event("started", "a", worker_id="w-1"))
    held.forget("w-1")

    assert held.oldest("w-1") is None


def test_one_of_which_the_end_came_before_the_beginning_has_ended() -> None:
    held = HeldJobs()
    held.count(job_event("completed", "late", worker_id="w-1", ago_s=1))
    for kind, job_id, ago_s in (("started", "open", 20), ("completed", "done", 30), ("started", "done", 40)):
        held.count_earlier(job_event(kind, job_id, worker_id="w-1", ago_s=ago_s))
    held.count_earlier(job_event("started", "late", worker_id="w-1", ago_s=50))

    assert held.oldest("w-1") == Oldest("open", ago(20), at_least=False)


def test_one_that_was_given_up_has_run_since_it_began() -> None:
    held = HeldJobs()
    held.count(job_event("started", "s", worker_id="w-1", ago_s=30))
    held.count(job_event("timed_out", "s", worker_id="w-1", ago_s=22))
    assert held.oldest("w-1") is None

    held.see(worker("w-1", running_job_ids=(), stuck_job_ids=("s",), beat_ago_s=20), ago(20))
    held.see(worker("w-1", running_job_ids=(), stuck_job_ids=("s",), beat_ago_s=5), ago(5))
    assert held.oldest("w-1") == Oldest("s", ago(30), at_least=False)

    held.see(worker("w-1", running_job_ids=(), stuck_job_ids=(), beat_ago_s=1), ago(1))
    assert held.oldest("w-1") is None
