"""Whatever a job raises becomes a failed result, of bounded size."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from naq_runtime.job import Job, JobResult, JobStatus
from naq_runtime.serializer import JsonSerializer
from naq_runtime.tasks import TaskRegistry
from naq_runtime.worker.execution import Executor, undecodable
from tests.unit.workload import RAISABLE

HERE = "tests.unit.workload"


@pytest.fixture
def executor() -> Iterator[Executor]:
    """Runs what the workload marks."""
    running = Executor(TaskRegistry.load([HERE]).get, JsonSerializer(), worker_id="w1", threads=2)
    yield running
    running.close()


async def failure_of(executor: Executor, function: str, *args: object, **kwargs: object) -> JobResult:
    """How a job fails."""
    execution = await executor.run(Job(f"{HERE}.{function}", args, kwargs))
    assert execution.result.status is JobStatus.FAILED
    assert execution.value == b""
    assert execution.result.result is None
    return execution.result


class TestErrors:
    @pytest.mark.parametrize("function", ["fail", "fail_plainly"])
    async def test_an_error_is_kept_with_type_text_and_traceback(self, executor: Executor, function: str) -> None:
        result = await failure_of(executor, function, "no such page")

        assert (result.error_type, result.error) == ("ValueError", "no such page")
        assert result.traceback is not None
        assert result.traceback.endswith("ValueError: no such page\n")

    @pytest.mark.parametrize("function", ["fail", "fail_plainly"])
    async def test_the_traceback_begins_with_the_function_of_the_job(self, executor: Executor, function: str) -> None:
        lines = ((await failure_of(executor, function, "x")).traceback or "").splitlines()

        assert lines[0] == "Traceback (most recent call last):"
        assert lines[1].endswith(f"in {function}")
        assert "workload.py" in lines[1]
        assert not [line for line in lines if "naq_runtime" in line or "concurrent" in line]

    async def test_causes_are_part_of_the_traceback(self, executor: Executor) -> None:
        traceback = (await failure_of(executor, "fail_deeply", 2)).traceback or ""

        assert "ValueError: number 1" in traceback
        assert traceback.count("direct cause") == 3

    @pytest.mark.parametrize(
        ("function", "error_type", "error"),
        [
            ("exit_process", "SystemExit", "3"),
            ("exit_process_plainly", "SystemExit", "3"),
            ("interrupt", "KeyboardInterrupt", ""),
            ("doom", "Doom", "the end"),
            ("doom_plainly", "Doom", "the end"),
        ],
    )
    async def test_an_error_that_would_end_a_process_ends_the_job(
        self, executor: Executor, function: str, error_type: str, error: str
    ) -> None:
        try:
            result = await failure_of(executor, function)
        except BaseException as escaped:
            pytest.fail(f"{type(escaped).__name__} came through to the worker")
        assert (result.error_type, result.error) == (error_type, error)

    async def test_stop_iteration_from_a_thread_is_a_failure_that_names_it(self, executor: Executor) -> None:
        result = await failure_of(executor, "stop_iteration")

        assert result.error_type == "RuntimeError"
        assert "StopIteration('over')" in (result.error or "")

    @pytest.mark.parametrize("kind", list(RAISABLE))
    async def test_what_a_thread_raises_is_kept_with_its_place(self, executor: Executor, kind: str) -> None:
        result = await failure_of(executor, "raise_plainly", kind)

        assert (result.error_type, result.error) == (kind, kind)
        assert "in raise_plainly" in (result.traceback or "").splitlines()[1]

    async def test_a_function_that_the_worker_does_not_have_is_a_failure(self, executor: Executor) -> None:
        result = await failure_of(executor, "not_there")

        assert result.error_type == "UnknownTask"
        assert f"this worker has no task '{HERE}.not_there'" in (result.error or "")

    async def test_arguments_that_do_not_fit_are_a_failure(self, executor: Executor) -> None:
        assert (await failure_of(executor, "add")).error_type == "ArgumentError"
        result = await failure_of(executor, "add", "forty", right=2)
        assert (result.error_type, result.error) == ("ArgumentError", "argument 1: Expected `int`, got `str`")

    @pytest.mark.parametrize("error_type", ["KeyError", "SystemExit"])
    async def test_an_argument_that_its_own_type_refuses_is_a_failure(
        self, executor: Executor, error_type: str
    ) -> None:
        assert (await failure_of(executor, "take", {"refusal": error_type})).error_type == error_type

    async def test_a_result_without_json_form_is_a_failure(self, executor: Executor) -> None:
        result = await failure_of(executor, "return_what_has_no_json")

        assert result.error_type == "SerializationError"
        assert result.error == "the result cannot be stored: a value of type object has no JSON form"


class TestBounds:
    async def test_a_long_text_is_clipped_in_the_middle(self, executor: Executor) -> None:
        text = "begin" + "x" * 1_000_000 + "end"

        result = await failure_of(executor, "fail", text)

        assert result.error is not None
        assert len(result.error) < 2_100
        assert result.error.startswith("beginxxx")
        assert result.error.endswith("xxxend")
        assert "998008 characters left out" in result.error

    async def test_a_text_at_the_limit_is_kept_whole(self, executor: Executor) -> None:
        assert (await failure_of(executor, "fail", "x" * 2_000)).error == "x" * 2_000

    async def test_a_long_traceback_is_clipped_in_the_middle(self, executor: Executor) -> None:
        traceback = (await failure_of(executor, "fail_deeply", 200)).traceback or ""

        assert 7_900 < len(traceback) < 8_100
        assert traceback.startswith("ValueError: first\n")
        assert traceback.endswith("ValueError: at the bottom\n")
        assert "characters left out" in traceback

    async def test_a_long_text_does_not_make_the_traceback_long(self, executor: Executor) -> None:
        assert len((await failure_of(executor, "fail", "x" * 100_000)).traceback or "") < 8_100

    async def test_the_name_of_a_type_is_clipped(self, executor: Executor) -> None:
        result = await failure_of(executor, "fail_at_length")

        assert (result.error_type, result.error) == ("N" * 200, "short")
        assert len(result.traceback or "") < 8_100


class TestTexts:
    @pytest.mark.parametrize("broken", ["RuntimeError", "SystemExit", "KeyboardInterrupt"])
    async def test_an_error_whose_text_cannot_be_had_is_a_failure_all_the_same(
        self, executor: Executor, broken: str
    ) -> None:
        try:
            result = await failure_of(executor, "fail_unprintably", broken)
        except BaseException as escaped:
            pytest.fail(f"{type(escaped).__name__} came through to the worker")

        assert result.error_type == "Unprintable"
        assert result.error == f"(its text cannot be had: {broken})"
        assert "fail_unprintably" in (result.traceback or "")

    @pytest.mark.parametrize("text", ["\ud800 lone", "\x1b[31mred", "[b]markup[/b]", "nul\x00", "日本語"])
    async def test_any_text_can_be_stored(self, executor: Executor, text: str) -> None:
        serializer = JsonSerializer()
        job = Job(f"{HERE}.fail", (), {"text": "given"})
        # A lone surrogate cannot come in by JSON, but a function can make one.
        execution = await executor.run(job.evolve(args=(text,), kwargs={}))

        data = serializer.encode_outcome(serializer.encode_job(job), execution.result, execution.value)

        stored = serializer.decode_outcome(data).result
        assert stored.error == text.encode("utf-8", "backslashreplace").decode()


class TestMessagesThatAreNoJobs:
    def test_the_failure_has_queue_and_id_of_the_subject(self) -> None:
        execution = undecodable("naq.jobs.mail.j7", ValueError("not JSON"), "w1", 5)

        assert (execution.job.queue_name, execution.job.job_id) == ("mail", "j7")
        assert (execution.result.status, execution.result.error) == (JobStatus.FAILED, "not JSON")
        assert (execution.result.worker_id, execution.result.start_time_ns) == ("w1", 5)
        assert execution.job.enqueued_at_ns == 5

    @pytest.mark.parametrize("token", ["x" * 65, "naïve", "$id", "a=b"])
    def test_a_subject_that_no_producer_of_ours_would_use_is_a_failure_too(self, token: str) -> None:
        assert undecodable(f"naq.jobs.mail.{token}", ValueError("x"), "w1", 5).result.status is JobStatus.FAILED
        assert undecodable(f"naq.jobs.{token}.j7", ValueError("x"), "w1", 5).result.status is JobStatus.FAILED
