"""Fixtures of the contract tests: a connection, streams made for one test, and following one."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from naq_runtime.config import NAQConfig
from naq_runtime.naming import new_id
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.tail import StreamTail
from tests.conftest import MakeConfig
from tests.contract.streamlog import Follow, Log

MakeStream = Callable[..., Awaitable[str]]


@pytest.fixture
async def connection(config: NAQConfig) -> AsyncIterator[Connection]:
    """A connection to the running server."""
    async with await Connection.open(config.nats, name="contract") as opened:
        yield opened


@pytest.fixture
async def patient(make_config: MakeConfig) -> AsyncIterator[Connection]:
    """One that waits for an answer for longer than a test may last: what comes at once was not waited for."""
    async with await Connection.open(make_config(nats__request_timeout=600).nats, name="patient") as opened:
        yield opened


@pytest.fixture
async def make_stream(connection: Connection) -> AsyncIterator[MakeStream]:
    """Makes a stream that takes all subjects below its own name; gone after the test."""
    made: list[str] = []

    async def make(**settings: Any) -> str:
        name = f"S{new_id(10)}"
        usual = {
            "name": name,
            "subjects": [f"{name}.>"],
            "storage": "memory",
            "num_replicas": 1,
            "allow_batched": True,
            "allow_direct": True,
        }
        await connection.api(f"STREAM.CREATE.{name}", usual | settings)
        made.append(name)
        return name

    yield make
    await asyncio.gather(*(connection.api(f"STREAM.DELETE.{name}") for name in made), return_exceptions=True)


@pytest.fixture
async def log(connection: Connection, make_stream: MakeStream) -> AsyncIterator[Log]:
    """An empty stream."""
    made = Log(connection, await make_stream())
    yield made
    await made.close()


@pytest.fixture
async def follow(log: Log) -> AsyncIterator[Follow]:
    """Starts a tail of the stream, or of one topic of it."""
    tails: list[StreamTail] = []

    async def start(
        after: int | None = None, topic: str | None = None, retired_after_s: float = math.inf
    ) -> StreamTail:
        part = topic or ">"
        tail = StreamTail(
            log.connection,
            log.stream,
            f"{log.stream}.{part}",
            f"{log.live}.{part}",
            whole=topic is None,
            retired_after_s=retired_after_s,
        )
        await tail.start(after)
        tails.append(tail)
        return tail

    yield start
    for tail in tails:
        await tail.stop()
