"""What modules of tasks want to happen around their jobs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from naq_runtime import Job, JobFailed, NAQConfig, Queue
from naq_runtime.errors import TaskError
from tests.support import hooked_tasks as tasks
from tests.support import watched_tasks as watched
from tests.support.workers import running_worker

HOOKED = ("tests.support.hooked_tasks",)


@pytest.fixture(autouse=True)
def nothing_happened() -> None:
    tasks.happened.clear()
    watched.seen.clear()


async def test_start_and_end_frame_all_jobs_and_middleware_frames_each(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, running_worker(config, modules=HOOKED):
        assert await (await queue.enqueue(tasks.give, "a")).result(timeout=30) == "a"

    around = ["outer before give", "inner", "outer after"]
    assert tasks.happened == ["start", "plain start", *around, "end"]


async def test_middleware_may_replace_an_error_or_raise_one(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, running_worker(config, modules=HOOKED):
        replaced, refused = await queue.enqueue_many([Job(tasks.give, ("missing",)), Job(tasks.give, ("refuse",))])

        assert await replaced.result(timeout=30) == "replaced"
        with pytest.raises(JobFailed, match="refused by middleware"):
            await refused.result(timeout=30)


async def test_a_worker_whose_module_cannot_start_says_so_and_ends(config: NAQConfig) -> None:
    with pytest.raises(TaskError, match=r"on_startup connect\(\) failed: ConnectionError: no database"):
        async with running_worker(config, modules=("tests.support.unready_tasks",)) as worker:
            await worker._stop.requested.wait()


WATCHED = ("tests.support.watched_tasks",)


@pytest.mark.parametrize("give", [watched.give, watched.give_in_process])
async def test_middleware_sees_results_however_a_job_runs(config: NAQConfig, give: Callable[..., object]) -> None:
    values = [None, 1, [1, {"two": 3.5}], "wrap me"]
    async with Queue(config=config) as queue, running_worker(config, modules=WATCHED, concurrency=1):
        handles = await queue.enqueue_many(Job(give, (value,)) for value in values)
        results = [await handle.result(timeout=20) for handle in handles]

    assert results == [*values[:-1], {"wrapped": "wrap me"}]
    assert watched.seen == [("result", repr(value)) for value in values]


@pytest.mark.parametrize("refuse", [watched.refuse, watched.refuse_in_process])
async def test_middleware_sees_errors_however_a_job_runs(config: NAQConfig, refuse: Callable[..., object]) -> None:
    async with Queue(config=config) as queue, running_worker(config, modules=WATCHED, concurrency=1):
        passed_on, wrapped = await queue.enqueue_many(Job(refuse, (code,)) for code in (1, 2))
        plain, other = await passed_on.outcome(timeout=20), await wrapped.outcome(timeout=20)

    assert watched.seen == [("Refused", "code 1"), ("Refused", "code 2")]
    assert (plain.error_type, plain.error) == ("Refused", "code 1")
    assert (plain.traceback or "").splitlines()[-1].endswith("Refused: code 1")
    assert (other.error_type, other.error) == ("RuntimeError", "wrapped")
    for outcome in (plain, other):
        assert f"in {refuse.__name__}" in (outcome.traceback or "")


async def test_what_a_job_in_a_process_asks_for_goes_through_middleware(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, running_worker(config, modules=WATCHED):
        handle = await queue.enqueue(watched.come_again_in_process)
        outcome = await handle.outcome(timeout=20)

    assert (outcome.result, outcome.attempt) == ("second", 2)
    assert watched.seen == [("Retry", "asked for by the job"), ("result", "'second'")]
