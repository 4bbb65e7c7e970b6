"""Who works, who has stopped, who is lost: by real processes that are killed."""

from __future__ import annotations

import asyncio
import json
import signal
from functools import partial
from pathlib import Path

import msgspec
import pytest

import naq_runtime.nats.roll
import naq_runtime.worker.roll
from naq_runtime import EventService, NAQConfig, Queue, ServiceManager
from naq_runtime.nats.bucket import LeaseBucket
from naq_runtime.testing import MemoryBroker
from naq_runtime.worker.record import WorkerState, encode_worker
from naq_runtime.worker.roll import WorkerStatus
from tests.conftest import MakeConfig
from tests.support import sample_tasks as tasks
from tests.support.processes import naq, started
from tests.support.restarting import restartable
from tests.support.server import config_for
from tests.support.waiting import eventually
from tests.support.workers import MODULE, running_worker
from tests.unit.test_roll import record

RUN = ("naq_tui.cli.main", "run-worker", "default", "-m", MODULE, "--name")
BEAT_S = 0.4
LEASE_S = 1.2


@pytest.fixture
def config(make_config: MakeConfig) -> NAQConfig:
    """Leases that end soon."""
    return make_config(worker__heartbeat_interval=BEAT_S)


async def status_of(config: NAQConfig, *, inactive: bool = True) -> dict[str, WorkerStatus]:
    """All workers by name, as somebody sees them who has just come."""
    async with ServiceManager(config, role="test") as services:
        events = await services.get_service(EventService)
        return {one.worker_id: one for one in await events.get_worker_status(include_inactive=inactive)}


async def has_no_lease(config: NAQConfig, name: str) -> bool:
    """Whether the lease of a worker is gone."""
    async with ServiceManager(config, role="test") as services:
        message = await LeaseBucket(services.connection, config.names, config.names.workers_bucket).get(name)
    return message is None or not message.data


async def until(config: NAQConfig, name: str, *states: str, within: float = 30) -> WorkerStatus:
    """Wait until a worker is in one of these states."""

    async def there() -> list[WorkerStatus]:
        return [one for one in (await status_of(config)).values() if one.worker_id == name and one.state in states]

    (found,) = await eventually(there, within=within)
    return found


async def test_one_that_runs_is_told_with_its_jobs_and_its_load(config: NAQConfig, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    async with Queue(config=config) as queue, running_worker(config, name="anna", concurrency=3):
        handle = await queue.enqueue(tasks.nap, 60.0, mark)
        await eventually(mark.exists)

        busy = await until(config, "anna", "busy")
        await handle.cancel()

    assert (busy.record.running_job_ids, busy.record.concurrency_limit) == ((handle.job_id,), 3)
    assert busy.record.rss_bytes > 0
    assert busy.is_active


async def test_one_that_was_killed_is_lost_when_its_lease_ends_with_the_job_that_it_held(
    config: NAQConfig, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    async with Queue(config=config) as queue, started(*RUN, "anna", config=config) as process:
        handle = await queue.enqueue(tasks.nap, 60.0, mark)
        await eventually(mark.exists)

        async def has_said_so() -> bool:
            anna = (await status_of(config, inactive=False)).get("anna")
            return anna is not None and anna.record.running_job_ids == (handle.job_id,)

        await eventually(has_said_so)
        process.kill()
        await process.wait()

        lost = await until(config, "anna", "lost")
        shown = await naq("events", "workers", "--show-inactive", config=config)
        hidden = await naq("events", "workers", config=config)
        document = json.loads((await naq("events", "workers", "--since", "1h", "-f", "json", config=config)).out)
        raw = await naq("events", "workers", "--show-inactive", "--format", "raw", config=config)

    assert lost.held_job_ids == (handle.job_id,)
    assert f"held {handle.job_id}" in shown.out
    assert shown.out.splitlines()[1].split()[:2] == ["anna", "lost"]
    assert shown.out.splitlines()[0].split()[-2:] == ["Stuck", "End"]
    assert "anna" not in hidden.out
    assert (document[0]["active"], document[0]["active_jobs"], document[0]["running_job_ids"]) == (False, 0, [])
    assert (document[0]["state"], document[0]["held_job_ids"]) == ("lost", [handle.job_id])
    assert raw.out.split()[:2] == ["anna", "lost"]


async def test_a_job_that_waits_for_a_lost_one_names_it(config: NAQConfig) -> None:
    async with Queue("default", config=config) as queue:
        async with started(*RUN, "anna", config=config) as process:
            await until(config, "anna", "idle", "busy")
            process.kill()
            await process.wait()
        await until(config, "anna", "lost")
        handle = await queue.enqueue(tasks.add, 1)
        shown = await naq("job", "show", handle.job_id, config=config)

    assert "no worker works on the queue default  anna was lost, last heard" in shown.out


async def test_one_that_stopped_says_why_and_is_not_lost(config: NAQConfig) -> None:
    async with started(*RUN, "anna", config=config) as process:
        await until(config, "anna", "idle")
        process.send_signal(signal.SIGTERM)
        await process.wait()

    await eventually(partial(has_no_lease, config, "anna"), within=15)
    gone = await until(config, "anna", "stopped")
    assert gone.record.reason == "SIGTERM"
    assert await status_of(config, inactive=False) == {}


async def test_one_that_was_killed_and_started_again_under_its_name_runs(config: NAQConfig) -> None:
    async with started(*RUN, "anna", config=config) as process:
        first = await until(config, "anna", "idle")
        process.kill()
        await process.wait()
    async with started(*RUN, "anna", config=config):

        async def again() -> bool:
            found = (await status_of(config)).get("anna")
            return found is not None and found.state == "idle" and found.record.pid != first.record.pid

        await eventually(again)
        assert list(await status_of(config)) == ["anna"]


async def test_after_an_outage_of_the_server_nobody_is_lost_who_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (naq_runtime.nats.roll, naq_runtime.worker.roll):
        monkeypatch.setattr(module, "RETURN_S", 10.0)  # what a machine with much to do may need
    async with restartable(tmp_path) as server:
        config = config_for(server.url, worker__heartbeat_interval=BEAT_S)
        async with started(*RUN, "slow", config=config) as slow, running_worker(config, name="anna"):
            for name in ("slow", "anna"):
                await until(config, name, "idle")
            slow.send_signal(signal.SIGSTOP)  # so that it comes back after the look has begun
            await server.kill()
            await asyncio.sleep(LEASE_S + 1)  # all leases end meanwhile: that is what is tested
            await server.start()

            await eventually(partial(has_no_lease, config, "slow"))

            looking = asyncio.create_task(status_of(config))
            await asyncio.sleep(0.5)
            slow.send_signal(signal.SIGCONT)
            seen = await looking

    assert {name: one.state for name, one in seen.items()} == {"anna": "idle", "slow": "idle"}


async def test_a_thousand_and_more_are_told_of_at_once(config: NAQConfig, services: ServiceManager) -> None:
    await services.topology.workers()
    bucket = LeaseBucket(services.connection, config.names, config.names.workers_bucket)
    living = [record(f"w-{number:04d}", WorkerState.IDLE) for number in range(1_200)]
    gone = [record(f"x-{number:04d}", WorkerState.STOPPED, reason="SIGTERM") for number in range(1_200)]
    for one in living:
        await bucket.put(one.worker_id, encode_worker(one), 60)
    for one in (*living, *gone):
        await bucket.remember(one.worker_id, encode_worker(msgspec.structs.replace(one, pid=2)))
    await services.connection.flush()

    async def all_there() -> bool:
        return len(await status_of(config)) == 2_400

    await eventually(all_there)
    assert len(await status_of(config, inactive=False)) == 1_200


async def test_in_memory_there_are_none() -> None:
    async with MemoryBroker() as broker, ServiceManager(broker.config) as services:
        events = await services.get_service(EventService)
        assert await events.get_worker_status(include_inactive=True) == ()
