"""What the server says of itself, its streams and its consumers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

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
    "living_workers",
    "paged",
    "queue_ages",
    "queue_state",
    "queue_states",
    "server_state",
    "stream_states",
]

_BEYOND = 10**9
"""No stream has so many subjects: asked for those behind, the server only counts them."""


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

    Of jobs that were handed back, and wait for another worker, the age counts once nothing of the queue runs.

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
    ages: dict[str, float] = {}
    for consumer in consumers:
        state = queue_state(consumer["name"].removeprefix(prefix), consumer, workers)
        ages[state.name] = 0.0
        after = _before_waiting(state, consumer)
        if after is None:
            continue
        page = await page_from(connection, names.jobs_stream, after + 1, 1, names.job(state.name, "*"))
        if page.messages:
            ages[state.name] = max(0, now_ns - nanoseconds_of(page.messages[0].stored_at)) / 1e9
    return ages


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
    counts = {}
    for queue in queues:
        asked = {"subjects_filter": names.dead(queue, "*"), "offset": _BEYOND}
        try:
            answer = await connection.api(f"STREAM.INFO.{names.dead_stream}", asked)
        except JetStreamError as error:
            if error.code != STREAM_NOT_FOUND:
                raise
            answer = {}
        counts[queue] = int(answer.get("total", 0))
    return counts


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
