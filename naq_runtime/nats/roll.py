"""Reading who of the workers is there, from their leases and from what is remembered of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from naq_runtime.clock import nanoseconds_of
from naq_runtime.errors import SerializationError, StreamMissing
from naq_runtime.naming import Names
from naq_runtime.nats.bucket import LeaseBucket
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.direct import StoredMessage, first_at
from naq_runtime.worker.record import WorkerRecord, decode_worker
from naq_runtime.worker.roll import RETURN_S, Remembered, WorkerStatus, roll_call

__all__ = ["worker_status"]

_SAFE_BEATS = 2
"""A lease lasts for three beats; an outage that is shorter than two of them ends none."""


async def worker_status(connection: Connection, names: Names, *, include_inactive: bool) -> tuple[WorkerStatus, ...]:
    """The workers that run, by name; those that have stopped or are lost, too, for a day.

    Where somebody may be lost, and nothing tells that the server has not been away until just now, it takes as long as
    workers take to come back, and looks again.

    Raises:
        ServerError: the server cannot be asked now.
    """
    bucket = LeaseBucket(connection, names, names.workers_bucket)
    leases = [record for message in await bucket.leases() if (record := _record_of(message))]
    if not include_inactive:
        return tuple(one for one in roll_call(leases, (), steady_s=0).workers if one.is_active)
    steady_s = connection.steady_s
    roll = roll_call(leases, await _remembered(bucket), steady_s=steady_s)
    if roll.unsure and await _was_there(connection, names, roll.unsure):
        steady_s = RETURN_S
    elif roll.unsure:
        await asyncio.sleep(max(0.0, RETURN_S - steady_s))
        steady_s = connection.steady_s
        leases = [record for message in await bucket.leases() if (record := _record_of(message))]
    if roll.unsure:
        roll = roll_call(leases, await _remembered(bucket), steady_s=steady_s)
    return roll.workers


async def _remembered(bucket: LeaseBucket) -> list[Remembered]:
    return [
        Remembered(record, nanoseconds_of(message.stored_at))
        for message in await bucket.remembered()
        if (record := _record_of(message))
    ]


def _record_of(message: StoredMessage) -> WorkerRecord | None:
    with suppress(SerializationError):  # of a version that this one cannot read
        return decode_worker(message.data) if message.data else None
    return None


async def _was_there(connection: Connection, names: Names, silent: Sequence[WorkerRecord]) -> bool:
    """Whether an outage cannot have ended the leases of those who are silent.

    It cannot when somebody, whoever it was, has stored something so late that a later outage was too short for that,
    and so early that they would be back.
    """
    safe_s = _SAFE_BEATS * min(record.heartbeat_interval for record in silent)
    now_ns = connection.server_clock.now_ns()
    first_ns, last_ns = now_ns - int(safe_s * 1e9), now_ns - int(RETURN_S * 1e9)
    if first_ns > last_ns:
        return False
    for stream in (names.events_stream, names.bucket_stream(names.workers_bucket)):
        message = None
        with suppress(StreamMissing):
            message = await first_at(connection, stream, first_ns)
        if message is not None and nanoseconds_of(message.stored_at) <= last_ns:
            return True
    return False
