"""Calling the function of a job: where it runs, with what, and what comes back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from naq_runtime.clock import ManualClock
from naq_runtime.job import Execution, Job, JobStatus
from naq_runtime.serializer import JsonSerializer
from naq_runtime.tasks import Task, TaskRegistry
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


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Holds `wait_at_gate` back until it is set."""
    workload.GATE.open = threading.Event()
    yield workload.GATE.open
    workload.GATE.open.set()


def a_job(function: str, *args: object, **kwargs: object) -> Job:
    """A job as a worker decodes it."""
    return Job(f"{HERE}.{function}", args, kwargs, queue_name="q1", job_id="j1", attempt=2)


def value_of(execution: Execution) -> bytes:
    """The encoded value of a job that completed."""
    assert execution.result.status is JobStatus.COMPLETED, execution.result.traceback
    return execution.value


class TestCompletion:
    async def test_an_async_function_is_called_with_its_arguments(self, executor: Executor) -> None:
        assert value_of(await executor.run(a_job("add", 40, right=2))) == b"42"

    async def test_a_plain_function_is_called_with_its_arguments(self, executor: Executor) -> None:
        assert value_of(await executor.run(a_job("add_plainly", 40, right=2))) == b"42"

    async def test_no_result_is_a_result(self, executor: Executor) -> None:
        assert value_of(await executor.run(a_job("return_nothing"))) == b"null"

    async def test_a_plain_function_in_an_async_wrapper_is_awaited(self, executor: Executor) -> None:
        assert value_of(await executor.run(a_job("wrapped_into_async", 40, 2))) == b"42"

    async def test_the_result_names_job_attempt_and_worker(self, executor: Executor) -> None:
        execution = await executor.run(a_job("add", 1))
        result = execution.result

        assert (result.job_id, result.attempt, result.worker_id) == ("j1", 2, "w1")
        assert (result.error_type, result.error, result.traceback) == (None, None, None)
        assert execution.job == a_job("add", 1)

    async def test_the_result_says_when_and_for_how_long(self) -> None:
        clock = ManualClock(1_000_000_000)

        async def take_two_seconds() -> None:
            clock.advance(2)

        task = Task.of(take_two_seconds, name="any.name")
        executor = Executor(lambda _: task, JsonSerializer(), worker_id="w1", threads=1, clock=clock)
        result = (await executor.run(Job("any.name"))).result
        executor.close()

        assert (result.start_time_ns, result.finish_time_ns) == (1_000_000_000, 3_000_000_000)
        assert result.duration_ms == 2_000.0

    async def test_the_duration_does_not_follow_a_wall_clock_that_is_set_back(self) -> None:
        class SetBack(ManualClock):
            def time_ns(self) -> int:
                return 9_000_000_000 - self.monotonic_ns()

        clock = SetBack()

        async def take_a_second() -> None:
            clock.advance(1)

        task = Task.of(take_a_second, name="any.name")
        executor = Executor(lambda _: task, JsonSerializer(), worker_id="w1", threads=1, clock=clock)
        result = (await executor.run(Job("any.name"))).result
        executor.close()

        assert result.duration_ms == 1_000.0


class TestThreads:
    async def test_a_plain_function_runs_off_the_loop_and_an_async_one_on_it(self, executor: Executor) -> None:
        here = str(threading.get_ident()).encode()

        assert value_of(await executor.run(a_job("thread_id"))) != here
        assert value_of(await executor.run(a_job("loop_thread_id"))) == here

    async def test_a_plain_function_sees_the_context_of_its_job(self, executor: Executor) -> None:
        workload.current_user.set("ada")
        assert value_of(await executor.run(a_job("who_am_i"))) == b'"ada"'

    async def test_the_loop_goes_on_while_plain_functions_run(self, executor: Executor, gate: threading.Event) -> None:
        held = [asyncio.create_task(executor.run(a_job("wait_at_gate"))) for _ in range(2)]
        await eventually(lambda: executor.calls.threads_running == 2)

        assert value_of(await executor.run(a_job("add", 1))) == b"2"

        gate.set()
        assert [value_of(execution) for execution in await asyncio.gather(*held)] == [b"true", b"true"]
        assert executor.calls.threads_running == 0

    async def test_no_more_plain_functions_run_at_a_time_than_there_are_threads(
        self, executor: Executor, gate: threading.Event
    ) -> None:
        held = [asyncio.create_task(executor.run(a_job("wait_at_gate"))) for _ in range(2)]
        await eventually(lambda: executor.calls.threads_running == 2)
        third = asyncio.create_task(executor.run(a_job("add_plainly", 1)))

        await executor.run(a_job("add", 1))
        assert not third.done()

        gate.set()
        await asyncio.gather(*held)
        assert value_of(await third) == b"2"

    async def test_a_cancelled_plain_function_is_counted_until_its_thread_ends(
        self, executor: Executor, gate: threading.Event
    ) -> None:
        running = asyncio.create_task(executor.run(a_job("wait_at_gate")))
        await eventually(lambda: executor.calls.threads_running == 1)

        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert executor.calls.threads_running == 1

        gate.set()
        await eventually(lambda: executor.calls.threads_running == 0)

    async def test_closing_does_not_wait_for_what_runs(self, executor: Executor, gate: threading.Event) -> None:
        running = asyncio.create_task(executor.run(a_job("wait_at_gate")))
        await eventually(lambda: executor.calls.threads_running == 1)

        executor.close()
        executor.close()

        assert executor.calls.threads_running == 1
        gate.set()
        assert value_of(await running) == b"true"


class TestCancellation:
    async def test_cancelling_the_execution_is_not_a_failure_of_the_job(self, executor: Executor) -> None:
        running = asyncio.create_task(executor.run(a_job("wait_for_ever")))
        await asyncio.sleep(0)

        running.cancel()

        with pytest.raises(asyncio.CancelledError):
            await running

    @pytest.mark.parametrize("function", ["cancel_itself", "await_what_was_cancelled"])
    async def test_a_job_that_raises_cancelled_error_by_itself_has_failed(
        self, executor: Executor, function: str
    ) -> None:
        result = (await executor.run(a_job(function))).result
        assert (result.status, result.error_type) == (JobStatus.FAILED, "CancelledError")

    async def test_a_time_limit_of_the_jobs_own_is_a_failure(self, executor: Executor) -> None:
        result = (await executor.run(a_job("run_out_of_time"))).result
        assert (result.status, result.error_type) == (JobStatus.FAILED, "TimeoutError")

    async def test_after_a_job_that_cancelled_itself_the_same_task_goes_on(self, executor: Executor) -> None:
        await executor.run(a_job("cancel_itself"))
        assert value_of(await executor.run(a_job("add", 1))) == b"2"
