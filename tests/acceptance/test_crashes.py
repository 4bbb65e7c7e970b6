"""Worker processes that die in the middle of jobs."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from naq_runtime import Job, JobService, NAQConfig, Queue
from naq_runtime.monitor import Monitor
from naq_runtime.services.manager import ServiceManager
from tests.acceptance.test_commands import worker_process
from tests.conftest import MakeConfig
from tests.support import sample_tasks as tasks
from tests.support import wayward_tasks as wayward
from tests.support.history import event_types
from tests.support.processes import started
from tests.support.waiting import eventually
from tests.support.workers import MODULE

RUN = ("naq_tui.cli.main", "run-worker")


async def test_every_job_completes_although_a_worker_is_killed_in_the_middle_of_jobs(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    config, done = make_config(jobs__ack_wait=2), tmp_path / "done"
    async with Queue(config=config) as queue:
        async with (
            worker_process(config, "-m", MODULE, "-c", "20", "--name", "doomed") as doomed,
            worker_process(config, "-m", MODULE, "-c", "20", "--name", "survivor"),
        ):
            handles = await queue.enqueue_many(Job(tasks.append, (done, str(n), 0.02)) for n in range(1_000))
            await eventually(lambda: done.exists() and len(done.read_text().split()) > 200)

            doomed.send_signal(signal.SIGKILL)

            results = await asyncio.gather(*(handle.outcome(timeout=40) for handle in handles))

    assert {result.status.value for result in results} == {"completed"}
    assert set(done.read_text().split()) == {str(n) for n in range(1_000)}
    rerun = [result.job_id for result in results if result.worker_id == "survivor"][-1]
    assert (await event_types(config, rerun))[-2:] == ["completed", "result_stored"]


async def test_a_killed_worker_leaves_the_list_when_its_lease_ends(config: NAQConfig) -> None:
    async with worker_process(config, "-m", MODULE, "--name", "ghost") as ghost, ServiceManager(config) as services:
        monitor = await services.get_service(Monitor)

        ghost.send_signal(signal.SIGKILL)
        await ghost.wait()

        async def gone() -> bool:
            return not await monitor.workers()

        await eventually(gone)


async def test_a_job_that_kills_its_workers_is_buried_and_the_next_worker_goes_on(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    config, deaths = make_config(jobs__ack_wait=1, jobs__poison_after=2), tmp_path / "deaths"
    async with Queue(config=config) as queue, ServiceManager(config) as services:
        poison = await queue.enqueue(wayward.kill_the_worker, deaths)
        for _ in range(2):
            async with started(*RUN, "-m", wayward.__name__, config=config) as worker:
                assert await worker.wait() == -signal.SIGKILL
        harmless = await queue.enqueue(wayward.hasty)

        async def told() -> bool:
            return "dead_lettered" in await event_types(config, poison.job_id)

        async with worker_process(config, "-m", wayward.__name__) as survivor:
            outcome = await poison.outcome(timeout=20)
            await harmless.outcome(timeout=20)
            await eventually(told)
            assert survivor.returncode is None

        letter = await (await services.get_service(JobService)).dead_letter(poison.job_id)
        assert services.serializer.decode_job(letter.payload).args == (str(deaths),)
    assert (outcome.error_type, len(wayward.notes(deaths))) == ("WorkerKilled", 2)
