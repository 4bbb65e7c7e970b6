"""Hooks around jobs that run in memory: once around all that run together, however they came to."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from naq_runtime import Queue, sync
from naq_runtime.errors import TaskError
from naq_runtime.testing import MemoryBroker
from tests.support import pooled_tasks as tasks

HOOKED = ("tests.support.pooled_tasks",)


@pytest.fixture(autouse=True)
def nothing_happened() -> None:
    tasks.happened.clear()


async def test_a_job_that_has_another_one_run_keeps_what_the_hooks_opened() -> None:
    async with MemoryBroker(modules=HOOKED) as broker, Queue() as queue:
        handle = await queue.enqueue(tasks.use_another)

        await broker.drain(queue="default")

        assert tasks.happened == ["open", "use", "use", "use", "use", "close"]
        assert await handle.result() == "used"


async def test_inline_too_and_what_hooks_enqueue_runs_between_them() -> None:
    async with MemoryBroker(modules=HOOKED, inline=True), Queue() as queue:
        handle = await queue.enqueue(tasks.use_another)

        assert await handle.status() == "completed"
        assert tasks.happened[0] == "open"
        assert tasks.happened.count("open") == tasks.happened.count("close") == 1
        assert tasks.happened[-1] == "close"


@pytest.mark.parametrize("task", [tasks.use_another, tasks.use_another_plainly])
def test_without_an_event_loop_too(task: Any) -> None:
    with MemoryBroker(modules=HOOKED) as broker:
        handle = sync.Queue().enqueue(task)
        broker.drain_sync()

        assert tasks.happened.count("open") == 1
        assert tasks.happened.index("close") == len(tasks.happened) - 1
        assert handle.result() == "used"


async def test_drains_that_go_on_together_have_them_once() -> None:
    async with MemoryBroker(modules=HOOKED) as broker, Queue() as queue:
        for _ in range(4):
            await queue.enqueue(tasks.use)
        await asyncio.gather(broker.drain(), broker.drain())

        assert (tasks.happened[0], tasks.happened[-1]) == ("open", "close")
        assert sorted(tasks.happened[1:-1]) == ["use"] * 5


async def test_the_next_drain_has_them_anew() -> None:
    async with MemoryBroker(modules=HOOKED) as broker:
        await broker.drain()
        await broker.drain()

    assert tasks.happened == ["open", "use", "close", "open", "use", "close"]


async def test_hooks_that_fail_fail_every_drain_and_the_end_is_not_called() -> None:
    async with MemoryBroker(modules=("tests.support.unready_tasks",)) as broker:
        for _ in range(2):
            with pytest.raises(TaskError, match="no database"):
                await broker.drain()
