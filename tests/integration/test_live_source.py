"""The dashboard's source over a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from naq_runtime import Job, NAQConfig, Queue
from naq_runtime.errors import NotFound, ServerUnreachable
from naq_tui.live import LiveSource
from naq_tui.source import Batch, ConnectionState
from tests.support import sample_tasks as tasks
from tests.support.restarting import restartable
from tests.support.server import config_for
from tests.support.workers import running_worker


class Reader:
    """Reads batches until something has been seen."""

    def __init__(self, batches: AsyncIterator[Batch]) -> None:
        self._batches = batches
        self.sequences: list[int] = []
        self.missed = 0
        self.states: list[ConnectionState] = []

    async def until_sequences(self, count: int) -> None:
        while len(self.sequences) < count:
            await self._next()

    async def until_state(self, state: ConnectionState) -> Batch:
        while (batch := await self._next()).link.state is not state:
            pass
        return batch

    async def until_snapshot(self) -> Batch:
        while (batch := await self._next()).snapshot is None:
            pass
        return batch

    async def _next(self) -> Batch:
        async with asyncio.timeout(20):
            batch = await anext(self._batches)
        self.sequences += [stored.sequence for stored in batch.events]
        self.missed += batch.missed
        if not self.states or self.states[-1] is not batch.link.state:
            self.states.append(batch.link.state)
        return batch


async def test_it_begins_with_what_was_and_goes_on_with_what_comes(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, LiveSource(config) as source, aclosing(source.__aiter__()) as batches:
        await queue.enqueue_many(Job(tasks.add, (n,)) for n in range(50))
        reader = Reader(batches)
        await reader.until_state(ConnectionState.LIVE)

        await queue.enqueue_many(Job(tasks.add, (n,)) for n in range(50))
        await reader.until_sequences(100)

    assert sorted(reader.sequences) == list(range(1, 101))
    assert reader.missed == 0
    assert reader.states == [ConnectionState.CONNECTING, ConnectionState.CATCHING_UP, ConnectionState.LIVE]


async def test_it_says_what_stands(config: NAQConfig) -> None:
    async with (
        Queue("mail", config=config) as queue,
        running_worker(config, "mail", name="postman"),
        LiveSource(config) as source,
        aclosing(source.__aiter__()) as batches,
    ):
        await (await queue.enqueue(tasks.add, 1)).result(timeout=10)
        snapshot = (await Reader(batches).until_snapshot()).snapshot

    assert snapshot is not None
    assert [queue.name for queue in snapshot.queues] == ["mail"]
    assert [worker.worker_id for worker in snapshot.workers] == ["postman"]
    assert snapshot.server.version.startswith("2.")


async def test_after_an_outage_nothing_is_missing_and_nothing_comes_twice(tmp_path: Path) -> None:
    async with restartable(tmp_path) as server:
        config = config_for(server.url)
        async with (
            Queue(config=config) as queue,
            LiveSource(config) as source,
            aclosing(source.__aiter__()) as batches,
        ):
            reader = Reader(batches)
            await reader.until_state(ConnectionState.LIVE)
            await queue.enqueue(tasks.add, 1)
            await reader.until_sequences(1)

            await server.kill()
            lost = await reader.until_state(ConnectionState.RECONNECTING)
            await server.start()
            await reader.until_state(ConnectionState.LIVE)
            await queue.enqueue_many(Job(tasks.add, (n,)) for n in range(30))
            await reader.until_sequences(31)

    assert lost.link.detail
    assert sorted(reader.sequences) == sorted(set(reader.sequences))
    assert reader.missed == 0


async def test_without_a_server_it_goes_on_trying_and_says_why(tmp_path: Path) -> None:
    async with restartable(tmp_path) as server:
        config = config_for(server.url)
        await server.kill()
        async with LiveSource(config) as source, aclosing(source.__aiter__()) as batches:
            reader = Reader(batches)
            waiting = await reader.until_state(ConnectionState.RECONNECTING)
            await server.start()
            await reader.until_state(ConnectionState.LIVE)

    assert "connection refused" in waiting.link.detail


async def test_when_it_should_not_be_patient_a_missing_server_is_an_error() -> None:
    config = config_for("nats://127.0.0.1:1")
    async with LiveSource(config, patient=False) as source, aclosing(source.__aiter__()) as batches:
        with pytest.raises(ServerUnreachable, match="connection refused"):
            await Reader(batches).until_state(ConnectionState.LIVE)


async def test_all_about_one_job(config: NAQConfig) -> None:
    async with (
        Queue(config=config) as queue,
        running_worker(config),
        LiveSource(config) as source,
        aclosing(source.__aiter__()) as batches,
    ):
        await Reader(batches).until_state(ConnectionState.LIVE)
        handle = await queue.enqueue(tasks.add, 20, right=22)
        await handle.result(timeout=10)

        detail = await source.job(handle.job_id)
        with pytest.raises(NotFound, match="nothing is known of job unheard-of"):
            await source.job("unheard-of")

    assert detail.job is not None
    assert (detail.job.args, detail.job.kwargs) == ((20,), {"right": 22})
    assert detail.result is not None
    assert detail.result.result == 42
