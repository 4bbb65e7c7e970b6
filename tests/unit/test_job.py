"""A job and its result, as values."""

from __future__ import annotations

import math
from typing import Any

import pytest

from naq_runtime.errors import InvalidName, JobFailed, TimedOut
from naq_runtime.job import Job, JobResult, JobStatus
from naq_runtime.retry import Cancel, Retry, Snooze
from naq_runtime.tasks import task
from naq_runtime.worker.raising import judge, raised
from tests.unit.workload import add


def test_a_job_without_more_than_a_function_has_an_id_of_its_own() -> None:
    one, other = Job(add), Job(add)

    assert one.job_id != other.job_id
    assert (one.args, one.kwargs, one.queue_name, one.attempt) == ((), {}, None, 1)


@pytest.mark.parametrize("job_id", ["", "a.b", "a b", ">", "x" * 65])
def test_a_job_of_an_id_that_cannot_be_on_the_wire_is_refused(job_id: str) -> None:
    with pytest.raises(InvalidName, match="job id"):
        Job(add, job_id=job_id)


@pytest.mark.parametrize("queue", ["", "mail.urgent", "*"])
def test_a_job_of_a_queue_that_cannot_be_on_the_wire_is_refused(queue: str) -> None:
    with pytest.raises(InvalidName, match="queue"):
        Job(add, queue_name=queue)


@pytest.mark.parametrize("args", ["text", [1, 2], {"a": 1}, 5])
def test_arguments_that_are_no_tuple_are_refused_with_what_to_write(args: object) -> None:
    with pytest.raises(TypeError, match=r"for one text write args=\(text,\)"):
        Job(add, args)  # type: ignore[arg-type]  # what users do all the same


@pytest.mark.parametrize("seconds", [-1.0, math.nan, math.inf, 1e10, 1e300])
def test_a_time_to_live_that_no_server_can_count_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="result_ttl"):
        Job(add, result_ttl=seconds)


def test_evolving_makes_a_copy_and_leaves_the_job_as_it_was() -> None:
    job = Job(add, (1,), {"right": 2}, job_id="j1")

    changed = job.evolve(queue_name="mail", attempt=2)

    assert (changed.queue_name, changed.attempt, changed.job_id, changed.args) == ("mail", 2, "j1", (1,))
    assert (job.queue_name, job.attempt) == (None, 1)


def test_evolving_checks_names_too() -> None:
    with pytest.raises(InvalidName):
        Job(add).evolve(queue_name="no way")


def test_a_job_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Job(add).attempt = 2  # type: ignore[misc]  # that is the point


def test_a_completed_result_unwraps_to_its_value() -> None:
    assert JobResult(job_id="j1", status=JobStatus.COMPLETED, result={"pages": 3}).unwrap() == {"pages": 3}


def test_a_failed_result_unwraps_to_the_remote_error() -> None:
    result = JobResult(
        job_id="j1", status=JobStatus.FAILED, error_type="KeyError", error="'page'", traceback="Traceback …"
    )

    with pytest.raises(JobFailed, match="job j1 failed: KeyError: 'page'") as failure:
        result.unwrap()

    assert failure.value.traceback == "Traceback …"


def test_a_failed_result_that_knows_nothing_more_still_unwraps_to_an_error() -> None:
    with pytest.raises(JobFailed, match="job j1 failed: Error: "):
        JobResult(job_id="j1", status=JobStatus.FAILED).unwrap()


def test_times_are_seconds_too() -> None:
    result = JobResult(
        job_id="j1", status=JobStatus.COMPLETED, start_time_ns=1_500_000_000, finish_time_ns=2_750_000_000
    )
    assert (result.start_time, result.finish_time) == (1.5, 2.75)


def test_headers_are_texts_by_name() -> None:
    assert Job("shop.f").headers is None
    assert Job("shop.f", headers={"traceparent": "00-1"}).headers == {"traceparent": "00-1"}
    with pytest.raises(TypeError, match="headers are texts by name"):
        Job("shop.f", headers={"traceparent": 1})  # type: ignore[dict-item]


@pytest.mark.parametrize("attempt", [1, 2])
@pytest.mark.parametrize("settings", [{"retries": 0}, {"retries": 1}, {"retries": 1, "retry_on": [KeyError]}])
@pytest.mark.parametrize(
    "error",
    [KeyError("k"), ValueError("v"), Retry(), Retry(5), Snooze(5), Cancel(), KeyboardInterrupt(), TimedOut("late")],
    ids=lambda error: type(error).__name__,
)
def test_a_job_says_of_an_error_what_its_worker_makes_of_it(
    error: BaseException, settings: dict[str, Any], attempt: int
) -> None:
    function = task(**settings)(_fail)
    job = Job(function, attempt=attempt)
    verdict = judge(raised(error, job.retry_policy), job, job.retry_policy)

    assert job.should_retry(error) is (verdict.again_after is not None)


def test_the_delay_of_the_next_attempt_is_that_of_the_policy() -> None:
    job = Job(add, retries=3, retry_delay=(1.0, 10.0), attempt=2)

    assert job.get_next_retry_delay(chance=lambda: 0.0) == 10.0


def _fail() -> None:
    raise AssertionError
