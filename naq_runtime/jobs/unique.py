"""Unique keys: for a while, one job of a key is taken, and others are refused."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable

from naq_runtime.clock import nanoseconds_of
from naq_runtime.errors import DuplicateJob, NaqError
from naq_runtime.job import Job
from naq_runtime.jobs.store import JobStore
from naq_runtime.naming import Names
from naq_runtime.nats.direct import StoredMessage
from naq_runtime.nats.publish import Outgoing, is_conflict
from naq_runtime.nats.streams import Streams, if_last_is, living_for

__all__ = ["UniqueKeys"]

_STORED = " stored"
_ORPHANED_NS = 10_000_000_000
"""A key whose job cannot be found after so long was taken by a producer that died before it had enqueued the job."""


class UniqueKeys:
    """Takes keys for jobs. A key has the id of its job, and a mark behind that once the job is stored.

    Args:
        ready: makes the bucket of keys, when it is not there yet.
        now_ns: our time.
    """

    def __init__(
        self,
        streams: Streams,
        names: Names,
        store: JobStore,
        *,
        ready: Callable[[], Awaitable[object]],
        now_ns: Callable[[], int],
    ) -> None:
        self._streams = streams
        self._names = names
        self._store = store
        self._ready = ready
        self._now_ns = now_ns
        self._is_ready = False

    async def take(self, job: Job) -> NaqError | bool:
        """Take the key of a job: whether it is taken anew, and not by an earlier try for the same job; or why not."""
        if not self._is_ready:
            await self._ready()
            self._is_ready = True
        answer = await self._claim(job, 0)
        if not is_conflict(answer):
            return answer or True
        holder = await self._holder(job)
        if holder is not None and holder.data == job.job_id.encode():
            return False
        if holder is not None and await self._is_orphaned(holder):
            answer = await self._claim(job, holder.sequence)
        if not is_conflict(answer):
            return answer or True
        other = None if holder is None else _job_of(holder)
        return DuplicateJob(f"the unique key {job.unique_key!r} is taken by job {other}", other)

    async def confirm(self, job: Job) -> None:
        """The job is stored: the key is its own for as long as was asked for, whatever becomes of it."""
        holder = await self._holder(job)
        if holder is not None and holder.data == job.job_id.encode():
            await self._claim(job, holder.sequence, _STORED)

    async def give_back(self, job: Job) -> None:
        """The job was not enqueued after all."""
        holder = await self._holder(job)
        if holder is not None and holder.data == job.job_id.encode():
            await self._streams.delete(self._names.bucket_stream(self._names.unique_bucket), [holder.sequence])

    async def _claim(self, job: Job, instead_of: int, mark: str = "") -> NaqError | None:
        headers = if_last_is(instead_of) | living_for(job.unique_for or 0)
        record = f"{job.job_id}{mark}".encode()
        (answer,) = await self._streams.publish([Outgoing(self._subject(job), record, headers)])
        return answer if isinstance(answer, NaqError) else None

    async def _holder(self, job: Job) -> StoredMessage | None:
        stream = self._names.bucket_stream(self._names.unique_bucket)
        messages = await self._streams.last(stream, [self._subject(job)])
        return messages[-1] if messages else None

    async def _is_orphaned(self, holder: StoredMessage) -> bool:
        age_ns = self._now_ns() + self._streams.skew_ns - nanoseconds_of(holder.stored_at)
        if age_ns < _ORPHANED_NS or holder.data.decode().endswith(_STORED):
            return False
        job_id = _job_of(holder)
        return await self._store.find(job_id) is None and await self._store.outcome(job_id) is None

    def _subject(self, job: Job) -> str:
        key = hashlib.sha256((job.unique_key or "").encode()).hexdigest()[:40]
        return self._names.bucket_key(self._names.unique_bucket, key)


def _job_of(holder: StoredMessage) -> str:
    return holder.data.decode().removesuffix(_STORED)
