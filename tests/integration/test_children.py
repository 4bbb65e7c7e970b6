"""Jobs in real child processes: what comes back, and what is heard of them meanwhile."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from naq_runtime.context import JobContext
from naq_runtime.errors import SerializationError
from naq_runtime.events.models import JobEventType
from naq_runtime.job import Job, JobResult, JobStatus
from naq_runtime.worker.children import Children
from naq_runtime.worker.frames import LIMIT
from naq_runtime.worker.raising import Raised
from tests.support.children import HERE, Events, ran, running_children
from tests.support.process_tasks import HugeSerializer
from tests.support.waiting import eventually


@pytest.fixture
async def children() -> AsyncIterator[Children]:
    """Up to two child processes."""
    async with running_children(HERE, most=2) as running:
        yield running


class TestResults:
    async def test_the_value_comes_back(self, children: Children) -> None:
        assert await ran(children, "add", 40, 2) == 42

    async def test_arguments_are_made_what_the_annotations_say(self, children: Children) -> None:
        assert await ran(children, "kind_of", "/tmp") == "Path"

    async def test_megabytes_go_both_ways(self, children: Children) -> None:
        text = "words " * 500_000
        assert await ran(children, "echo", text) == text

    async def test_a_job_knows_itself_and_the_results_it_depends_on(self, children: Children) -> None:
        before = JobResult(job_id="j0", status=JobStatus.COMPLETED, result=[1, {"two": 3}])

        assert await ran(children, "describe", dependencies={"j0": before}) == {
            "job_id": "j1",
            "attempt": 2,
            "worker_id": "w1",
            "dependencies": {"j0": [1, {"two": 3}]},
        }

    async def test_a_result_that_cannot_be_handed_over_is_said_before_anything_is_started(
        self, children: Children
    ) -> None:
        before = JobResult(job_id="j0", status=JobStatus.COMPLETED, result=object())

        with pytest.raises(SerializationError, match="the results that the job depends on cannot be handed over"):
            await ran(children, "describe", dependencies={"j0": before})

    async def test_a_job_above_the_limit_is_refused(self, children: Children) -> None:
        with pytest.raises(SerializationError, match="too many for one job that runs in a process"):
            await children.run(bytes(LIMIT + 1), JobContext(Job("a.b"), "w1"))

    async def test_a_result_above_the_limit_is_a_failure_of_the_job(self) -> None:
        async with running_children(HERE, serializer=HugeSerializer()) as children:
            failed = await ran(children, "add", 1)

            assert (failed.error_type, failed.error.partition(" for ")[0]) == (
                "SerializationError",
                "268,435,457 bytes are too many",
            )

    async def test_one_process_runs_one_job_after_another(self, children: Children) -> None:
        pids = {await ran(children, "process_id") for _ in range(5)}
        assert len(pids) == 1
        assert os.getpid() not in pids


class TestErrors:
    async def test_an_error_comes_back_with_its_text_and_the_jobs_own_lines(self, children: Children) -> None:
        failed = await ran(children, "fail", "boom")

        assert (failed.error_type, failed.error, failed.is_retried) == ("ValueError", "boom", False)
        assert failed.traceback.startswith('Traceback (most recent call last):\n  File "')
        assert "process_tasks.py" in failed.traceback.splitlines()[1]

    async def test_the_policy_of_the_task_is_asked_where_the_error_is(self, children: Children) -> None:
        assert (await ran(children, "fail_for_now")).is_retried

    @pytest.mark.parametrize(("what", "after"), [("retry", 2.0), ("snooze", 3.0), ("cancel", None)])
    async def test_what_a_job_asks_for_comes_back(self, children: Children, what: str, after: float | None) -> None:
        asked = await ran(children, "wish", what)
        assert (asked.wish, asked.after) == (what, after)

    @pytest.mark.parametrize(("function", "error"), [("leave", "SystemExit"), ("interrupt", "KeyboardInterrupt")])
    async def test_what_would_end_a_program_is_an_error_of_the_job(
        self, children: Children, function: str, error: str
    ) -> None:
        pid = await ran(children, "process_id")

        assert (await ran(children, function)).error_type == error
        assert await ran(children, "process_id") == pid

    async def test_a_result_without_a_form_is_an_error_of_the_job(self, children: Children) -> None:
        assert (await ran(children, "unspeakable")).error_type == "SerializationError"

    async def test_arguments_that_do_not_fit_are_an_error_of_the_job(self, children: Children) -> None:
        assert (await ran(children, "add", "one")).error_type == "ArgumentError"

    async def test_a_job_that_cannot_be_decoded_is_an_error_of_the_job(self, children: Children) -> None:
        failed = await children.run(b"no job", JobContext(Job("a.b"), "w1"))
        assert isinstance(failed, Raised)
        assert failed.error_type == "SerializationError"


class TestWhatAJobSays:
    async def test_lines_arrive_before_the_result(self, children: Children) -> None:
        events: Events = []
        await ran(children, "say", 2, events=events)
        assert events == [
            (JobEventType.LOG, {"text": "line 0", "level": "WARNING"}),
            (JobEventType.LOG, {"text": "line 1", "level": "WARNING"}),
        ]

    async def test_lines_are_bounded(self, children: Children) -> None:
        events: Events = []
        await ran(children, "say", 1_000, events=events)
        assert len(events) == 201
        assert events[-1][1]["text"] == "more than 200 lines: the rest is not recorded"

    async def test_lines_of_logging_arrive_from_the_level_of_the_task_on(self, children: Children) -> None:
        events: Events = []
        await ran(children, "log_lines", events=events)
        assert events == [(JobEventType.LOG, {"text": "tasks: 1 is heard", "level": "INFO"})]

    async def test_of_much_progress_the_first_and_the_last_arrive(self, children: Children) -> None:
        events: Events = []
        await ran(children, "report", 10_000, events=events)
        assert events[0] == (JobEventType.PROGRESS, {"done": 1, "total": 10_000, "text": "step 1"})
        assert events[-1] == (JobEventType.PROGRESS, {"done": 10_000, "total": 10_000, "text": "step 10000"})
        assert len(events) < 1_000

    async def test_the_last_progress_arrives_although_the_job_says_nothing_more(
        self, children: Children, tmp_path: Path
    ) -> None:
        events: Events = []
        running = asyncio.create_task(ran(children, "report_and_wait", str(tmp_path / "mark"), events=events))

        await eventually(lambda: [fields["done"] for _, fields in events] == [1, 2])

        await eventually((tmp_path / "mark").exists)
        (tmp_path / "mark").unlink()
        await running

    async def test_what_has_no_form_is_refused_or_made_to_fit(self, children: Children) -> None:
        events: Events = []
        await ran(children, "report_nonsense", events=events)
        assert [fields for _, fields in events] == [{"text": "half a letter: \\udcff", "level": "INFO"}]

    async def test_prints_go_to_stderr_and_input_is_empty(
        self, children: Children, capfd: pytest.CaptureFixture[str]
    ) -> None:
        assert await ran(children, "print_much") == ""
        out, err = capfd.readouterr()
        assert out == ""
        assert err.split()[-3:] == ["printed", "written", "echoed"]

    async def test_a_forked_process_has_no_part_in_it(self, children: Children) -> None:
        events: Events = []
        assert await ran(children, "fork_and_report", events=events) == 0
        assert events == []
        assert await ran(children, "add", 1) == 2

    async def test_a_job_can_have_a_pool_of_processes(self, children: Children) -> None:
        assert await ran(children, "use_a_pool") == 3
