"""A worker's name, taken for as long as it lives: of two workers of the same name, the second does not start."""

from __future__ import annotations

from collections.abc import Callable

from naq_runtime.clock import nanoseconds_of
from naq_runtime.errors import NameTaken, NaqError, SerializationError, ServerError
from naq_runtime.nats.bucket import LeaseBucket
from naq_runtime.nats.control import Control, ControlDesk
from naq_runtime.nats.direct import StoredMessage
from naq_runtime.nats.publish import Outgoing, is_conflict
from naq_runtime.nats.streams import if_last_is, living_for
from naq_runtime.services.manager import ServiceManager
from naq_runtime.worker.record import WorkerRecord, WorkerState, decode_worker, encode_worker
from naq_runtime.worker.roll import Remembered

__all__ = ["claim_name"]

_TRIES = 3


async def claim_name(
    services: ServiceManager, desk: ControlDesk, describe: Callable[[], WorkerRecord], ttl_s: float
) -> list[Remembered]:
    """Open the desk and write the first lease, unless a worker of this name answers; who is silent is taken for dead.

    The lease is written on the condition that it is as it was read, and the desk is open before: of two that come at
    the same time, the second finds the first.

    Returns:
        The last that is known of a worker of this name which did not say that it stopped.

    Raises:
        NameTaken: it is another worker's.
        ServerError: it may or may not be taken.
    """
    connection, names = services.connection, services.names
    name = describe().worker_id
    bucket = LeaseBucket(connection, names, names.workers_bucket)
    before = await bucket.last(name)
    for _ in range(_TRIES):
        lease = await bucket.get(name)
        if lease is not None and _may_live(lease) and await Control(connection, names).is_there(name):
            break
        await desk.open()
        subject, headers = names.bucket_key(names.workers_bucket, name), living_for(ttl_s)
        headers |= if_last_is(0 if lease is None else lease.sequence)
        try:
            (answer,) = await services.streams.publish([Outgoing(subject, encode_worker(describe()), headers)])
        except ServerError:
            await desk.close()
            raise
        if not isinstance(answer, NaqError):
            return [] if before is None else _gone(before)
        await desk.close()
        if not is_conflict(answer):
            raise answer
    raise NameTaken(
        f"a worker named {name} runs already: end it ('naq worker stop {name} --wait'), or choose another --name"
    )


def _gone(before: StoredMessage) -> list[Remembered]:
    try:
        record = decode_worker(before.data)
    except SerializationError:
        return []
    return [] if record.state is WorkerState.STOPPED else [Remembered(record, nanoseconds_of(before.stored_at))]


def _may_live(lease: StoredMessage) -> bool:
    try:
        return bool(lease.data) and decode_worker(lease.data).state is not WorkerState.STOPPED
    except SerializationError:  # of a version that we do not know
        return True
