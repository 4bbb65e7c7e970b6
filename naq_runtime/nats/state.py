"""What the server says of itself, its streams and its consumers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from naq_runtime.clock import nanoseconds_of
from naq_runtime.config import redacted_url
from naq_runtime.errors import JetStreamError, SerializationError, StreamMissing
from naq_runtime.naming import Names
from naq_runtime.nats.bucket import LeaseBucket
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.direct import STREAM_NOT_FOUND, messages_from, page_from
from naq_runtime.nats.queues import limits_of
from naq_runtime.snapshot import QueueState, ServerState, StreamState
from naq_runtime.worker.record import WorkerRecord, WorkerState, decode_worker

__all__ = [
    "dead_counts",
    "each_of",
    "living_workers",
    "paged",
    "queue_ages",
    "queue_state",
    "queue_states",
    "server_state",
    "stream_states",
    "subject_count",
]

T = TypeVar("T")
R = TypeVar("R")

_BEYOND = 10**9
"""No stream has so many subjects: asked for those behind, the server only counts them."""
_AT_A_TIME = 16
"""Questions to the server that are under way, where there is one for each queue."""


async def server_state(connection: Connection) -> ServerState:
    """The server of this connection, with the time of one round trip."""
    return ServerState(
        name=connection.server_name,
        version=connection.server_version,
        url=redacted_url(connection.config.url),
        cluster=connection.cluster,
        rtt_ms=round(await connection.rtt_ms(), 2),
    )


async def queue_states(connection: Connection, names: Names) -> tuple[QueueState, ...]:
    """Every queue that has a consumer, by name; none while the stream is not there."""
    prefix = names.queue_consumer("")
    workers = await living_workers(connection, names)
    states = [
        queue_state(consumer["name"].removeprefix(prefix), consumer, workers)
        for consumer in await paged(connection, f"CONSUMER.LIST.{names.jobs_stream}", "consumers")
        if consumer["name"].startswith(prefix)
    ]
    return tuple(sorted(states, key=lambda state: state.name))


async def queue_ages(connection: Connection, names: Names, now_ns: int) -> dict[str, float]:
    """For how many seconds the oldest job of each queue has waited that no worker was given; 0 where none waits.

    The server does not tell what was handed back, or lies with a worker that is lost, from what runs; so the age of
    such jobs counts once nothing of their queue runs.

    Args:
        now_ns: by the clock of the server.
    """
    prefix = names.queue_consumer("")
    consumers = [
        consumer
        for consumer in await paged(connection, f"CONSUMER.LIST.{names.jobs_stream}", "consumers")
        if consumer["name"].startswith(prefix)
    ]
    workers = await living_workers(connection, names)

    async def age(consumer: Mapping[str, Any]) -> tuple[str, float]:
        state = queue_state(consumer["name"].removeprefix(prefix), consumer, workers)
        after = _before_waiting(state, consumer)
        if after is None:
            return state.name, 0.0
        page = await page_from(connection, names.jobs_stream, after + 1, 1, names.job(state.name, "*"))
        stored_ns = nanoseconds_of(page.messages[0].stored_at) if page.messages else now_ns
        return state.name, max(0, now_ns - stored_ns) / 1e9

    return dict(await each_of(consumers, age))


async def held_jobs(connection: Connection, names: Names) -> list[str]:
    """The ids of the jobs that were delivered and not acknowledged: those that run, and those that are about to.

    All others between what a consumer has seen acknowledged and what it has delivered have left the stream.
    """
    found = []
    for queue, consumer in (await _consumers(connection, names)).items():
        if not consumer.get("num_ack_pending", 0):
            continue
        first, last = consumer["ack_floor"]["stream_seq"] + 1, consumer["delivered"]["stream_seq"]
        subject = names.job(queue, "*")
        async for page in messages_from(connection, names.jobs_stream, first, until=last, subject=subject):
            found += [message.subject.rpartition(".")[2] for message in page]
    return found


async def delivered_up_to(connection: Connection, names: Names) -> dict[str, int]:
    """The sequence behind which no job of a queue has ever been with a worker, by queue."""
    consumers = await _consumers(connection, names)
    return {queue: int(consumer["delivered"]["stream_seq"]) for queue, consumer in consumers.items()}


async def _consumers(connection: Connection, names: Names) -> dict[str, dict[str, Any]]:
    """Those of the queues, as the server describes them, by queue."""
    prefix = names.queue_consumer("")
    rows = await paged(connection, f"CONSUMER.LIST.{names.jobs_stream}", "consumers")
    return {row["name"].removeprefix(prefix): row for row in rows if row["name"].startswith(prefix)}


def _before_waiting(state: QueueState, consumer: Mapping[str, Any]) -> int | None:
    """The sequence behind which the first job stands that waits; ``None`` when none does."""
    if state.waiting and not state.running and consumer.get("num_ack_pending", 0):
        return int(consumer["ack_floor"]["stream_seq"])
    return int(consumer["delivered"]["stream_seq"]) if consumer.get("num_pending", 0) else None


async def dead_counts(connection: Connection, names: Names, queues: Sequence[str]) -> dict[str, int]:
    """How many dead letters of each of these queues there are."""
    counted = await each_of(queues, lambda queue: subject_count(connection, names.dead_stream, names.dead(queue, "*")))
    return dict(zip(queues, counted, strict=True))


async def subject_count(connection: Connection, stream: str, subject: str) -> int:
    """How many subjects of a stream match; 0 while it is not there."""
    try:
        answer = await connection.api(f"STREAM.INFO.{stream}", {"subjects_filter": subject, "offset": _BEYOND})
    except JetStreamError as error:
        if error.code != STREAM_NOT_FOUND:
            raise
        return 0
    return int(answer.get("total", 0))


async def each_of(items: Iterable[T], ask: Callable[[T], Awaitable[R]]) -> list[R]:
    """What is answered for each item, in order; a few are asked for at a time."""
    room = asyncio.Semaphore(_AT_A_TIME)

    async def one(item: T) -> R:
        async with room:
            return await ask(item)

    return await asyncio.gather(*map(one, items))


async def stream_states(connection: Connection, names: Names) -> tuple[StreamState, ...]:
    """The streams of this namespace that are there, by name."""
    ours = (
        names.jobs_stream,
        names.results_stream,
        names.events_stream,
        names.bucket_stream(names.workers_bucket),
    )
    states = []
    for name in ours:
        try:
            state = (await connection.api(f"STREAM.INFO.{name}"))["state"]
        except JetStreamError as error:
            if error.code == STREAM_NOT_FOUND:
                continue
            raise
        states.append(
            StreamState(
                name=name,
                messages=state["messages"],
                bytes=state["bytes"],
                first_sequence=state["first_seq"],
                last_sequence=state["last_seq"],
            )
        )
    return tuple(states)


def queue_state(name: str, consumer: Mapping[str, Any], workers: Sequence[WorkerRecord]) -> QueueState:
    """A queue, as the server describes its consumer, and the workers what they do.

    The server counts as delivered what runs, and also what workers have fetched ahead, what they have handed back until
    it is delivered again, and what one held that is lost: all of that waits. Workers say within a second what runs, and
    the server knows at once that it has ended.

    Args:
        workers: what those say of themselves that live.
    """
    limits = limits_of(consumer)
    delivered = consumer.get("num_ack_pending", 0)
    here = [one for one in workers if name in one.queue_names and one.state is not WorkerState.STOPPED]
    running = min(delivered, sum(one.running_by_queue.get(name, 0) for one in here))
    return QueueState(
        name=name,
        waiting=consumer.get("num_pending", 0) + delivered - running,
        running=running,
        redelivered=consumer.get("num_redelivered", 0),
        pulls=consumer.get("num_waiting", 0),
        paused=limits.paused,
        concurrency_limit=limits.concurrency,
        rate_limit=str(limits.rate or ""),
        workers=len(here),
    )


async def living_workers(connection: Connection, names: Names) -> list[WorkerRecord]:
    """Those whose leases stand, and can be read."""
    records = []
    with suppress(StreamMissing):
        for data in await LeaseBucket(connection, names, names.workers_bucket).values():
            with suppress(SerializationError):
                records.append(decode_worker(data))
    return records


async def paged(connection: Connection, subject: str, key: str) -> list[Any]:
    """All pages of a list of the JetStream API; empty when what it lists of is not there."""
    rows: list[Any] = []
    while True:
        try:
            answer = await connection.api(subject, {"offset": len(rows)})
        except JetStreamError as error:
            if error.code == STREAM_NOT_FOUND:
                return rows
            raise
        page = answer.get(key) or []
        rows += page
        if not page or len(rows) >= answer.get("total", 0):
            return rows
