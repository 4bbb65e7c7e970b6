"""What the server says of itself, its streams and its consumers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from naq_runtime.clock import nanoseconds_of
from naq_runtime.config import redacted_url
from naq_runtime.errors import JetStreamError, SerializationError, StreamMissing
from naq_runtime.naming import Names
from naq_runtime.nats.bucket import LeaseBucket
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.direct import STREAM_NOT_FOUND, page_from
from naq_runtime.nats.queues import limits_of
from naq_runtime.snapshot import QueueState, ServerState, StreamState
from naq_runtime.worker.record import WorkerRecord, WorkerState, decode_worker

__all__ = ["living_workers", "oldest_waiting", "paged", "queue_state", "queue_states", "server_state", "stream_states"]


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


async def oldest_waiting(connection: Connection, names: Names) -> dict[str, int]:
    """By queue, when the oldest of its jobs was stored that no worker has had, by the server's clock; not of those
    without such jobs.
    """
    prefix, stream = names.queue_consumer(""), names.jobs_stream
    ahead = {
        info["name"].removeprefix(prefix): info["delivered"]["stream_seq"] + 1
        for info in await paged(connection, f"CONSUMER.LIST.{stream}", "consumers")
        if info["name"].startswith(prefix) and info.get("num_pending", 0)
    }
    pages = await asyncio.gather(
        *(page_from(connection, stream, first, 1, names.job(queue, "*")) for queue, first in ahead.items())
    )
    found = zip(ahead, (page.messages for page in pages), strict=True)
    return {queue: nanoseconds_of(messages[0].stored_at) for queue, messages in found if messages}


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


def queue_state(name: str, consumer: Mapping[str, Any], workers: Sequence[WorkerRecord] | None = None) -> QueueState:
    """A queue, as the server describes its consumer.

    The server counts what was handed back with what runs, until it is delivered again. Where that may take a while, as
    the queue is held back or nobody works on it, only those run of which the workers say so.

    Args:
        workers: what they say of themselves; where that is not known, all that the server counts is taken to run.
    """
    limits = limits_of(consumer)
    delivered = running = consumer.get("num_ack_pending", 0)
    if workers is not None:
        here = [one for one in workers if name in one.queue_names and one.state is not WorkerState.STOPPED]
        if limits.paused or limits.rate is not None or not here:
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
    )


async def living_workers(connection: Connection, names: Names) -> list[WorkerRecord]:
    """Those whose leases stand, and can be read."""
    records = []
    with suppress(StreamMissing):
        for data in await LeaseBucket(connection, names, names.workers_bucket).values():
            with suppress(SerializationError):
                records.append(decode_worker(data))
    return records


async def paged(connection: Connection, subject: str, key: str) -> list[dict[str, Any]]:
    """All pages of a list of the JetStream API; empty when what it lists of is not there."""
    rows: list[dict[str, Any]] = []
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
