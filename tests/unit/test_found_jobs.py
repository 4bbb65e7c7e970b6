"""Where a job stands after each thing that happens to it, and which jobs a query means."""

from __future__ import annotations

from typing import Any

import pytest

from naq_runtime.errors import FilterError
from naq_runtime.events.filters import complete
from naq_runtime.events.models import JobEvent, JobEventType
from naq_runtime.finding.found import FoundJob, after, of_events, of_outcome
from naq_runtime.finding.query import JobQuery, of_jobs
from naq_runtime.job import Job, JobResult, JobStatus

SECOND = 1_000_000_000


def event(kind: str, at_s: float, **fields: Any) -> JobEvent:
    return JobEvent(
        event_type=JobEventType(kind),
        timestamp_ns=int(at_s * SECOND),
        job_id="j-1",
        queue_name="mail",
        **fields,
    )


ENQUEUED = event("enqueued", 1, function_name="shop.mail.send")
STARTED = event("started", 3, worker_id="w-1", attempt=1, wait_ms=2000.0)
FAILED = event("failed", 4, attempt=1, duration_ms=900.0, error_type="Refused", error_message="no", final=False)
AGAIN = event("retry_scheduled", 4, run_at_ns=9 * SECOND)
DIED = event("timed_out", 11, attempt=2, duration_ms=1500.0, error_type="JobTimeout", final=True)
BURIED = event("dead_lettered", 11)


class TestAfterAnEvent:
    def test_it_is_queued_then_runs_then_has_completed(self) -> None:
        queued = of_events([ENQUEUED])
        running = of_events([ENQUEUED, STARTED])
        done = of_events([ENQUEUED, STARTED, event("completed", 4, duration_ms=900.0)])
        assert queued is not None
        assert (queued.status, queued.function_name, queued.queue_name) == (JobStatus.QUEUED, "shop.mail.send", "mail")
        assert running is not None
        assert (running.status, running.worker_id, running.wait_ms) == (JobStatus.RUNNING, "w-1", 2000)
        assert done is not None
        assert (done.status, done.duration_ms, done.ended_at_ns) == (JobStatus.COMPLETED, 900, 4 * SECOND)
        assert done.enqueued_at_ns == 1 * SECOND

    def test_a_failure_that_is_tried_again_is_scheduled_and_keeps_its_error(self) -> None:
        job = of_events([ENQUEUED, STARTED, FAILED, AGAIN])
        assert job is not None
        assert (job.status, job.run_at_ns, job.error_type) == (JobStatus.SCHEDULED, 9 * SECOND, "Refused")
        assert job.ended_at_ns == 0

    def test_the_last_failure_is_a_dead_letter_which_has_failed(self) -> None:
        job = of_events([ENQUEUED, STARTED, FAILED, AGAIN, event("started", 10, attempt=2), DIED, BURIED])
        assert job is not None
        assert (job.state, job.attempt, job.error_type) == (("failed", "dead"), 2, "JobTimeout")

    def test_what_is_put_back_begins_again_without_its_error(self) -> None:
        job = of_events([ENQUEUED, STARTED, DIED, BURIED, event("requeued", 20)])
        assert job is not None
        assert (job.state, job.attempt, job.error_type) == (("queued",), 1, None)
        assert (job.function_name, job.enqueued_at_ns) == ("shop.mail.send", 20 * SECOND)

    def test_what_completes_after_a_failure_has_no_error(self) -> None:
        job = of_events([ENQUEUED, STARTED, FAILED, AGAIN, event("started", 10, attempt=2), event("completed", 11)])
        assert job is not None
        assert (job.error_type, job.attempt) == (None, 2)

    def test_an_id_that_comes_again_is_another_job(self) -> None:
        job = of_events([ENQUEUED, STARTED, DIED, event("enqueued", 30)])
        assert job is not None
        assert (job.status, job.error_type, job.enqueued_at_ns) == (JobStatus.QUEUED, None, 30 * SECOND)

    @pytest.mark.parametrize("kind", ["log", "progress", "result_stored", "result_fetched", "dependency_satisfied"])
    def test_what_does_not_move_it_changes_nothing(self, kind: str) -> None:
        job = of_events([ENQUEUED])
        assert after(event(kind, 50), job) is job

    def test_the_other_ends(self) -> None:
        cancelled = of_events([ENQUEUED, event("cancelled", 2, reason="ordered twice")])
        interrupted = of_events([ENQUEUED, STARTED, event("interrupted", 5)])
        waiting = of_events([event("waiting_for_dependencies", 1)])
        assert cancelled is not None
        assert (cancelled.status, cancelled.error_message) == (JobStatus.CANCELLED, "ordered twice")
        assert interrupted is not None
        assert (interrupted.status, interrupted.worker_id) == (JobStatus.QUEUED, None)
        assert waiting is not None
        assert waiting.status is JobStatus.WAITING


class TestByItsOutcome:
    def test_it_tells_how_long_it_waited_and_what_it_was_called_with(self) -> None:
        job = Job("shop.send", ("ada",), {"copies": 2}, queue_name="mail", job_id="j-1", enqueued_at_ns=SECOND)
        result = JobResult(
            job_id="j-1",
            status=JobStatus.COMPLETED,
            worker_id="w-1",
            start_time_ns=3 * SECOND,
            finish_time_ns=4 * SECOND,
            duration_ms=1000.0,
        )
        found = of_outcome(job, result)
        assert (found.wait_ms, found.duration_ms, found.arguments) == (2000, 1000, '"ada", copies=2')

    def test_one_that_was_cancelled_before_it_ran_did_not_run(self) -> None:
        job = Job("shop.send", job_id="j-1", enqueued_at_ns=SECOND)
        found = of_outcome(job, JobResult(job_id="j-1", status=JobStatus.CANCELLED, finish_time_ns=2 * SECOND))
        assert (found.wait_ms, found.duration_ms, found.started_at_ns) == (None, None, 0)

    def test_long_arguments_are_cut(self) -> None:
        found = of_outcome(Job("f", ("x" * 10_000,)), JobResult(job_id="j", status=JobStatus.COMPLETED))
        assert len(found.arguments) == 2_000


JOB = FoundJob(
    job_id="3k9x2abq0e7d",
    status=JobStatus.FAILED,
    dead=True,
    queue_name="mail",
    function_name="shop.mail.send_receipt",
    arguments='"ada@example.org", order=17',
    attempt=3,
    worker_id="w-11",
    wait_ms=2_500.0,
    duration_ms=700.0,
    error_type="TimeoutError",
    error_message="no answer from the relay",
    enqueued_at_ns=100 * SECOND,
    moment_ns=1_000 * SECOND,
)
NOW_NS = 1_060 * SECOND


class TestAQuery:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            "state:failed",
            "state:dead",
            "state:completed,dead",
            "status:failed",
            "queue:mail function:send_receipt",
            "function:shop.mail.*",
            "args:ada args:17",
            "error:Timeout error:relay",
            "error_type:TimeoutError",
            "job:3k9x*",
            "id:3k9x2abq0e7d",
            "worker:w-1*",
            "attempt>2 wait>2s duration<1s run>500ms",
            "time>-2m",
            "since>-2m",
            "enqueued<-10m",
            "ada",
            "3k9x2",
            '"TimeoutError: no answer"',
            "/relay.*order/",
            "!state:queued (queue:other OR attempt=3)",
        ],
    )
    def test_it_finds_the_job(self, text: str) -> None:
        assert JobQuery(text, now_ns=NOW_NS).matches(JOB)

    @pytest.mark.parametrize(
        "text",
        [
            "state:queued",
            "queue:other",
            "args:grace",
            "error:Value",
            "id:4*",
            "attempt>3",
            "time>-30s",
            "nobody",
            "!ada",
        ],
    )
    def test_it_does_not_find_the_job(self, text: str) -> None:
        assert not JobQuery(text, now_ns=NOW_NS).matches(JOB)

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("type:failed", "unknown field 'type'"),
            ("stat:failed", "did you mean state"),
            ("state:faild", "unknown state 'faild', did you mean failed"),
            ("wait>fast", "expected a duration"),
            ("queue:", "expected a value"),
        ],
    )
    def test_a_mistake_says_what_is_wrong(self, text: str, says: str) -> None:
        with pytest.raises(FilterError, match=says):
            JobQuery(text)

    def test_it_knows_what_it_demands(self) -> None:
        query = JobQuery("state:failed,dead queue:mail queue:mail,news time>-1h duration>2s", now_ns=NOW_NS)
        assert query.demanded("state") == frozenset({"failed", "dead"})
        assert query.demanded("queue") == frozenset({"mail"})
        assert query.since_ns == NOW_NS - 3_600 * SECOND
        assert query.ids is None

    @pytest.mark.parametrize("text", ["queue:ma*", "!queue:mail", "queue:mail OR state:failed", "/mail/"])
    def test_what_may_be_otherwise_is_not_demanded(self, text: str) -> None:
        assert JobQuery(text).demanded("queue") is None

    def test_ids_bound_it(self) -> None:
        assert JobQuery("id:b,c", ids=("a", "b")).ids == ("b",)
        assert JobQuery(ids=("a", "b")).ids == ("a", "b")
        assert JobQuery("id:b").ids == ("b",)
        assert JobQuery("id:b*").ids is None

    def test_a_word_may_be_an_id(self) -> None:
        assert JobQuery('3k9x2 state:failed "no id"').words == ("3k9x2",)
        assert JobQuery("3k9x2 OR other").words == ()

    def test_what_its_id_rules_out_needs_no_look(self) -> None:
        query = JobQuery("id:3k* args:ada")
        assert query.may_be("3k9x2")
        assert not query.may_be("4k9x2")

    def test_its_fields_are_completed(self) -> None:
        assert complete("st", 2, vocabulary=of_jobs()).options == ("state:",)
        assert complete("state:d", 7, vocabulary=of_jobs()).options[0] == "dead"
        assert complete("type", 4, vocabulary=of_jobs()).options == ()
