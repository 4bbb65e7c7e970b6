"""Faults of a worker's own parts end it loudly, and are told even while it ends."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from naq_runtime import NAQConfig, Queue, ServiceManager
from naq_runtime.tasks import TaskRegistry
from naq_runtime.worker.aftermath import Aftermath
from naq_runtime.worker.worker import Worker
from tests.conftest import MakeConfig
from tests.support import sample_tasks as tasks
from tests.support.waiting import eventually
from tests.support.workers import MODULE


@pytest.fixture(autouse=True)
def faulty(monkeypatch: pytest.MonkeyPatch) -> None:
    """What sees to settled jobs fails."""

    def settled(*_: object) -> None:
        raise KeyError("a fault of ours")

    monkeypatch.setattr(Aftermath, "settled", settled)


async def test_a_part_that_fails_ends_the_worker_with_its_error(
    config: NAQConfig, services: ServiceManager, caplog: pytest.LogCaptureFixture
) -> None:
    worker = Worker(services, ["default"], TaskRegistry.load([MODULE]))
    async with Queue(config=config) as queue:
        await queue.enqueue(tasks.add, 1, 2)
        with pytest.raises(KeyError, match="a fault of ours"):
            await worker.run()

    assert worker.stop_reason == "settlement failed"
    assert "settlement failed" not in caplog.text, "whoever runs the worker gets the error, and tells of it"


async def test_one_that_fails_while_the_worker_drains_is_logged(
    make_config: MakeConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config, mark = make_config(nats__request_timeout=0.5), tmp_path / "mark"
    async with Queue(config=config) as queue, ServiceManager(config, role="worker") as services:
        worker = Worker(services, ["default"], TaskRegistry.load([MODULE]))
        running = asyncio.create_task(worker.run())
        await queue.enqueue(tasks.nap, 1.5, mark)
        await eventually(mark.exists)

        worker.request_stop("end of test")
        await running

    (fault,) = [record for record in caplog.records if record.getMessage() == "settlement failed"]
    assert fault.exc_info is not None
    assert str(fault.exc_info[1]) == "'a fault of ours'"
