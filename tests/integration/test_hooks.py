"""What modules of tasks want to happen around their jobs."""

from __future__ import annotations

import pytest

from naq_runtime import Job, JobFailed, NAQConfig, Queue
from naq_runtime.errors import TaskError
from tests.support import hooked_tasks as tasks
from tests.support.workers import running_worker

HOOKED = ("tests.support.hooked_tasks",)


@pytest.fixture(autouse=True)
def nothing_happened() -> None:
    tasks.happened.clear()


async def test_start_and_end_frame_all_jobs_and_middleware_frames_each(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, running_worker(config, modules=HOOKED):
        assert await (await queue.enqueue(tasks.give, "a")).result(timeout=5) == "a"

    around = ["outer before give", "inner", "outer after"]
    assert tasks.happened == ["start", "plain start", *around, "end"]


async def test_middleware_may_replace_an_error_or_raise_one(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, running_worker(config, modules=HOOKED):
        replaced, refused = await queue.enqueue_many([Job(tasks.give, ("missing",)), Job(tasks.give, ("refuse",))])

        assert await replaced.result(timeout=5) == "replaced"
        with pytest.raises(JobFailed, match="refused by middleware"):
            await refused.result(timeout=5)


async def test_a_worker_whose_module_cannot_start_says_so_and_ends(config: NAQConfig) -> None:
    with pytest.raises(TaskError, match=r"on_startup connect\(\) failed: ConnectionError: no database"):
        async with running_worker(config, modules=("tests.support.unready_tasks",)) as worker:
            await worker._stop.requested.wait()
