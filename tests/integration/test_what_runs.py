"""What is said to run is what runs, whatever workers hold besides."""

from __future__ import annotations

from pathlib import Path

from naq_runtime import Job, Monitor, Queue, ServiceManager
from naq_runtime.snapshot import QueueState
from tests.conftest import MakeConfig
from tests.support import sample_tasks as tasks
from tests.support.processes import started
from tests.support.waiting import eventually
from tests.support.workers import MODULE, running_worker

SOON_S = 5.0


async def stands(services: ServiceManager) -> QueueState:
    """The one queue that there is."""
    (state,) = (await (await services.get_service(Monitor)).snapshot()).queues
    return state


async def test_what_runs_is_told_long_before_the_next_heartbeat(make_config: MakeConfig, tmp_path: Path) -> None:
    config = make_config(worker__heartbeat_interval=60.0)
    marks = [tmp_path / f"mark-{number}" for number in range(3)]
    async with Queue(config=config) as queue, ServiceManager(config) as services, running_worker(config):

        async def is_idle() -> bool:
            return any(one.state == "idle" for one in await (await services.get_service(Monitor)).workers())

        await eventually(is_idle)
        handles = [await queue.enqueue(tasks.nap, 60.0, mark) for mark in marks]
        await eventually(lambda: all(mark.exists() for mark in marks))

        async def three_run() -> bool:
            return (await stands(services)).running == 3

        await eventually(three_run, within=SOON_S)
        for handle in handles:
            await handle.cancel()

        async def none_runs() -> bool:
            return (await stands(services)).running == 0

        await eventually(none_runs, within=SOON_S)


async def test_jobs_that_a_lost_worker_held_wait_while_others_are_idle(make_config: MakeConfig, tmp_path: Path) -> None:
    config = make_config(worker__heartbeat_interval=0.4)
    mark, run = tmp_path / "mark", ("naq_tui.cli.main", "run-worker", "default", "-m", MODULE, "-c", "4")
    async with Queue(config=config) as queue, ServiceManager(config) as services:
        async with started(*run, config=config) as process:
            await queue.enqueue(tasks.nap, 60.0, mark)
            await queue.enqueue_many(Job(tasks.nap, (60.0,)) for _ in range(3))
            await eventually(mark.exists)

            async def four_run() -> bool:
                return (await stands(services)).running == 4

            await eventually(four_run)
            process.kill()
            await process.wait()
        async with running_worker(config, name="alive"):

            async def held() -> bool:
                state = await stands(services)
                return (state.waiting, state.running, state.workers) == (4, 0, 1)

            await eventually(held)
