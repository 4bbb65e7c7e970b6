"""The stream of jobs and the stream of their outcomes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from naq_runtime.errors import (
    DuplicateJob,
    NaqError,
    PayloadTooLarge,
    QueueFull,
    ServerUnreachable,
)
from naq_runtime.naming import Names, new_id
from naq_runtime.nats.connection import Connection, Msg, subscribed
from naq_runtime.nats.direct import StoredMessage, last_by_subject
from naq_runtime.nats.publish import AckedPublish, Outgoing, is_full, is_repeat

__all__ = ["JobStore"]

_TRIES = 2


class JobStore:
    """Puts jobs into their stream, and reads jobs and outcomes."""

    def __init__(self, connection: Connection, names: Names) -> None:
        self._connection = connection
        self._names = names
        self._publisher = AckedPublish(connection)

    async def close(self) -> None:
        """Give back what it holds."""
        await self._publisher.close()

    async def put_all(self, jobs: Sequence[tuple[str, str, bytes]]) -> list[NaqError | None]:
        """Store jobs given as ``(queue, job id, payload)``; say why each was refused, ``None`` where it is stored.

        What was not confirmed is sent once more; the server knows it again by its ``Nats-Msg-Id``.
        """
        await self._publisher.open()
        outgoing = [
            Outgoing(self._names.job(queue, job_id), payload, {"Nats-Msg-Id": f"{job_id}-{new_id(8)}"})
            for queue, job_id, payload in jobs
        ]
        errors = self._too_large(outgoing)
        for _ in range(_TRIES):
            open_places = [
                place for place, error in enumerate(errors) if error is _PENDING or isinstance(error, ServerUnreachable)
            ]
            if not open_places:
                break
            answers = await self._publisher.publish_all([outgoing[place] for place in open_places])
            for place, answer in zip(open_places, answers, strict=True):
                errors[place] = self._refusal(jobs[place], answer)
        return errors

    async def payload(self, job_id: str) -> bytes | None:
        """A job that is queued or running, encoded; ``None`` when there is none of this id."""
        return _only(await last_by_subject(self._connection, self._names.jobs_stream, [self._names.job("*", job_id)]))

    async def outcome(self, job_id: str) -> bytes | None:
        """What was stored of a job that ended, encoded; ``None`` when there is nothing."""
        return _only(await last_by_subject(self._connection, self._names.results_stream, [self._names.result(job_id)]))

    @asynccontextmanager
    async def announced(self, job_id: str) -> AsyncIterator[asyncio.Event]:
        """An event that is set when a worker says that the job has ended, and after a reconnect."""
        woken = asyncio.Event()

        async def wake(_: Msg) -> None:
            woken.set()

        async def restored() -> None:
            woken.set()

        self._connection.on_restored.append(restored)
        try:
            async with subscribed(self._connection, self._names.done(job_id), wake):
                await self._connection.flush()
                yield woken
        finally:
            self._connection.on_restored.remove(restored)

    def _too_large(self, outgoing: Sequence[Outgoing]) -> list[NaqError | None]:
        """A refusal for each message above the limit, ``_PENDING`` for the others."""
        limit = self._connection.max_payload - 512  # the headers count too
        return [
            PayloadTooLarge(
                f"the job is {len(message.payload):,} bytes, the server takes {limit:,} at most: "
                "pass a reference to the data instead of the data, or raise max_payload"
            )
            if len(message.payload) > limit
            else _PENDING
            for message in outgoing
        ]

    def _refusal(self, job: tuple[str, str, bytes], error: NaqError | None) -> NaqError | None:
        queue, job_id, _ = job
        if is_repeat(error):
            return DuplicateJob(f"job {job_id} is already queued or running in queue {queue}")
        if is_full(error):
            return QueueFull(
                f"the stream {self._names.jobs_stream} takes no more jobs: {getattr(error, 'description', error)}. "
                "Start workers, raise its limits, or free disk space"
            )
        return error


_PENDING = NaqError("not sent yet")


def _only(messages: Sequence[StoredMessage]) -> bytes | None:
    return messages[-1].data if messages else None
