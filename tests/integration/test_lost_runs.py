"""What is told of a job that a worker had begun and did not end."""

from __future__ import annotations

from pathlib import Path

from naq_runtime import Monitor, NAQConfig, Queue, ServiceManager
from naq_runtime.events.models import JobEvent
from tests.conftest import MakeConfig
from tests.support import sample_tasks as tasks
from tests.support.history import all_events, history
from tests.support.processes import naq, started
from tests.support.waiting import eventually
from tests.support.workers import MODULE, running_worker

RUN = ("naq_tui.cli.main", "run-worker", "default", "-m", MODULE, "--name", "anna")


async def waits_told(config: NAQConfig, job_id: str) -> list[bool]:
    """Of each of its starts, whether it says how long the job had waited."""
    events = [event for event in await history(config, job_id) if event.event_type == "started"]
    return [isinstance(event, JobEvent) and event.wait_ms is not None for event in events]


async def test_the_loss_of_a_worker_is_told_among_the_events_of_its_job_and_is_no_wait(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    config = make_config(worker__heartbeat_interval=0.4, jobs__ack_wait=3.0)
    async with Queue(config=config) as queue:
        async with started(*RUN, config=config) as process:
            handle = await queue.enqueue(tasks.nap, 4.0, tmp_path / "mark")
            await eventually(lambda: waits_told(config, handle.job_id))
            process.kill()
            await process.wait()
        async with running_worker(config, name="anna"):
            await eventually(lambda: all_events(config, category="worker", event_type="lost"))
            assert await handle.result(timeout=30) == "rested"

        async with ServiceManager(config) as services:
            detail = await (await services.get_service(Monitor)).job(handle.job_id)
        shown = await naq("job", "show", handle.job_id, config=config)

    kinds = [str(stored.event.event_type) for stored in detail.events][:5]
    assert kinds == ["enqueued", "started", "lost", "started", "completed"]
    assert await waits_told(config, handle.job_id) == [True, False]
    assert [line.split()[3:6] for line in shown.out.splitlines() if "? lost" in line] == [["?", "lost", "anna"]]


async def test_a_run_that_was_interrupted_is_no_wait_of_the_next(config: NAQConfig, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    async with Queue(config=config) as queue:
        async with running_worker(config) as worker:
            handle = await queue.enqueue(tasks.nap, 2.0, mark)
            await eventually(mark.exists)
            worker.request_stop(at_once=True)
        async with running_worker(config):
            assert await handle.result(timeout=30) == "rested"

    assert await waits_told(config, handle.job_id) == [True, False]
