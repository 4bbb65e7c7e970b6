"""Attempts that somebody else ends, and what their own clean-up may make of that."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from naq_runtime.job import Execution, Job, JobStatus
from naq_runtime.serializer import JsonSerializer
from naq_runtime.tasks import TaskRegistry
from naq_runtime.worker.execution import Executor
from tests.support.waiting import eventually
from tests.unit import workload

HERE = "tests.unit.workload"


@pytest.fixture
def executor() -> Iterator[Executor]:
    """Runs what the workload marks."""
    running = Executor(TaskRegistry.load([HERE]).get, JsonSerializer(), worker_id="w1", threads=2)
    yield running
    running.close()


async def interrupted(executor: Executor, how: str) -> Execution:
    """The end of a job whose worker does not wait for it any longer."""
    workload.NOTES.clear()
    running = asyncio.create_task(executor.run(Job(f"{HERE}.clean_up_badly", (how,))))
    await eventually(lambda: workload.NOTES == ["begun"])
    running.cancel()
    return await running


class TestInterruptions:
    @pytest.mark.parametrize("how", ["error", "other error", "group", "again", "retry"])
    async def test_what_the_clean_up_raises_is_no_failure_of_the_job(self, executor: Executor, how: str) -> None:
        with pytest.raises(asyncio.CancelledError):
            await interrupted(executor, how)

    async def test_a_result_in_time_is_one(self, executor: Executor) -> None:
        assert (await interrupted(executor, "return")).value == b'"in time"'

    async def test_a_job_that_knows_better_is_heard(self, executor: Executor) -> None:
        assert (await interrupted(executor, "cancel")).result.status is JobStatus.CANCELLED
        snoozed = (await interrupted(executor, "snooze")).again
        assert snoozed is not None
        assert snoozed.attempt == 1

    async def test_what_comes_after_it_is_not_cancelled(self, executor: Executor) -> None:
        async def run_and_go_on() -> str:
            try:
                await executor.run(Job(f"{HERE}.clean_up_badly", ("again",)))
            except asyncio.CancelledError:
                await asyncio.sleep(0)
            return "went on"

        workload.NOTES.clear()
        running = asyncio.create_task(run_and_go_on())
        await eventually(lambda: workload.NOTES == ["begun"])
        running.cancel()

        assert await running == "went on"

    async def test_an_error_in_a_task_that_was_cancelled_before_is_a_failure(self, executor: Executor) -> None:
        async def run_while_being_cancelled() -> Execution:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return await executor.run(Job(f"{HERE}.fail", ("no",)))
            raise AssertionError

        running = asyncio.create_task(run_while_being_cancelled())
        await asyncio.sleep(0)
        running.cancel()

        assert (await running).result.error_type == "ValueError"


class TestTimeouts:
    @pytest.mark.parametrize("how", ["raise", "return", "slowly", "finally", "error", "snooze", "cancel"])
    async def test_nothing_that_the_job_makes_of_it_counts(self, executor: Executor, how: str) -> None:
        execution = await executor.run(Job(f"{HERE}.be_late", (how,)))

        assert (execution.result.status, execution.result.error_type) == (JobStatus.FAILED, "TimedOut")
        assert (execution.timed_out, execution.value, execution.again) == (True, b"", None)

    @pytest.mark.parametrize(
        ("how", "error"), [("raise", "CancelledError"), ("finally", "KeyError: 'clean-up'"), ("error", "RuntimeError")]
    )
    async def test_where_it_was_and_what_it_made_of_it_is_told(self, executor: Executor, how: str, error: str) -> None:
        lines = ((await executor.run(Job(f"{HERE}.be_late", (how,)))).result.traceback or "").splitlines()

        assert "in be_late" in next(line for line in lines if "workload.py" in line)
        assert [line for line in lines if error in line]
        assert lines[-1] == "naq_runtime.errors.TimedOut: the job took longer than the 0.02 s that it may"

    async def test_a_result_in_time_is_one(self, executor: Executor) -> None:
        assert (await executor.run(Job(f"{HERE}.add", (1,), timeout=5))).value == b"2"


class TestCoroutinesOfPlainFunctions:
    """Async functions under plain decorators: called in a thread, awaited on the loop."""

    @pytest.fixture(autouse=True)
    def noted(self) -> list[str]:
        """What the job has noted."""
        workload.GATE.open = threading.Event()
        workload.NOTES.clear()
        return workload.NOTES

    async def test_on_the_loop_it_is_cancelled(self, executor: Executor, noted: list[str]) -> None:
        running = asyncio.create_task(executor.run(Job(f"{HERE}.prepared_by_a_thread", job_id="j1")))
        await eventually(lambda: "begun" in noted)

        assert executor.cancel("j1", "enough")

        result = (await running).result
        assert (result.status, result.error) == (JobStatus.CANCELLED, "enough")
        assert running.cancelling() == 0

    async def test_cancelled_in_its_thread_it_never_gets_onto_the_loop(
        self, executor: Executor, noted: list[str]
    ) -> None:
        running = asyncio.create_task(executor.run(Job(f"{HERE}.prepared_by_a_thread", (True,), job_id="j1")))
        await eventually(lambda: noted == ["prepared"])

        assert executor.cancel("j1", "enough")
        workload.GATE.open.set()

        result = (await running).result
        assert (result.status, result.error) == (JobStatus.CANCELLED, "enough")
        assert noted == ["prepared"]

    async def test_it_has_timed_out_at_its_limit(self, executor: Executor) -> None:
        result = (await executor.run(Job(f"{HERE}.prepared_by_a_thread", timeout=0.1))).result

        assert result.error_type == "TimedOut"


class TestWishes:
    """Of classes that forget what `Retry`, `Snooze` and `Cancel` want to know."""

    @pytest.mark.parametrize(
        ("wish", "attempt", "after_s"), [("retry", 2, 5), ("snooze", 1, 1), ("soon", 1, 1), ("never", 1, 1)]
    )
    async def test_it_runs_again(self, executor: Executor, wish: str, attempt: int, after_s: int) -> None:
        execution = await executor.run(Job(f"{HERE}.wish", (wish,)))

        assert execution.again is not None
        assert execution.again.attempt == attempt
        assert execution.again.run_at_ns - execution.result.finish_time_ns == after_s * 1_000_000_000

    async def test_it_is_cancelled(self, executor: Executor) -> None:
        execution = await executor.run(Job(f"{HERE}.wish", ("cancel",)))

        assert (execution.result.status, execution.again) == (JobStatus.CANCELLED, None)
