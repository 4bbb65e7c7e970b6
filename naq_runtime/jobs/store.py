"""Where each job that has not ended stands, and the outcomes of those that have.

A job is one message. It lies under ``jobs`` while it is queued or running, under ``later`` while it waits for its time,
and under ``waiting`` while it waits for other jobs. The server itself moves it from ``later`` when its time has come.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple

from naq_runtime.errors import (
    DuplicateJob,
    NaqError,
    NotFound,
    PayloadTooLarge,
    QueueFull,
    SerializationError,
    ServerUnreachable,
)
from naq_runtime.job import Job, JobStatus
from naq_runtime.jobs.outcomes import AS_OBJECT
from naq_runtime.naming import Names, new_id
from naq_runtime.nats.direct import StoredMessage
from naq_runtime.nats.publish import Outgoing, Stored, is_conflict, is_full
from naq_runtime.nats.streams import MESSAGE_ID, Streams, at_time, if_last_is, once
from naq_runtime.serializer import Serializer

__all__ = ["TOMBSTONE", "Entry", "Found", "JobStore", "decoded", "found"]

log = logging.getLogger(__name__)

TOMBSTONE = "Naq-Cancelled"
"""The header of what stands for a job that is being cancelled: who wants that, and why."""
_TRIES = 2
_HEADERS_SIZE = 512
_STATES = {"jobs": JobStatus.QUEUED, "later": JobStatus.SCHEDULED, "waiting": JobStatus.WAITING}


class Entry(NamedTuple):
    """A job to be stored."""

    queue: str
    job_id: str
    payload: bytes
    run_at_ns: int = 0
    """0 for at once."""


class Found(NamedTuple):
    """A job that has not ended, as it lies there."""

    status: JobStatus
    """``QUEUED`` for one that runs, too."""
    queue: str
    job_id: str
    message: StoredMessage


class JobStore:
    """Puts jobs into their stream, and reads jobs and outcomes."""

    def __init__(self, streams: Streams, names: Names) -> None:
        self._streams = streams
        self._names = names

    async def put_all(self, entries: Sequence[Entry]) -> list[NaqError | None]:
        """Store jobs; say why each was refused, ``None`` where it is stored.

        What was not confirmed is sent once more; the server knows it again by its ``Nats-Msg-Id``.
        """
        outgoing = [self._outgoing(entry) for entry in entries]
        answers: list[Stored] = [self._too_large(message) or _PENDING for message in outgoing]
        for attempt in range(_TRIES):
            places = [
                place for place, was in enumerate(answers) if was is _PENDING or isinstance(was, ServerUnreachable)
            ]
            if not places:
                break
            for place, answer in zip(
                places, await self._streams.publish([outgoing[place] for place in places]), strict=True
            ):
                ours = attempt and is_conflict(answer) and await self._is_there(entries[place], outgoing[place])
                answers[place] = 0 if ours else answer
        return [self.refusal(entry, answer) for entry, answer in zip(entries, answers, strict=True)]

    async def find(self, job_id: str) -> Found | None:
        """A job that has not ended; ``None`` when there is none of this id."""
        return (await self.find_all([job_id])).get(job_id)

    async def find_all(self, job_ids: Sequence[str]) -> dict[str, Found]:
        """Those of the jobs that have not ended, by id."""
        names = self._names
        subjects = [place("*", one) for one in job_ids for place in (names.job, names.later, names.waiting)]
        messages = await self._streams.last(names.jobs_stream, subjects)
        return {one.job_id: one for one in map(found, messages)}

    async def waiting(self, job_id: str) -> StoredMessage | None:
        """A job that waits for others; ``None`` when there is none of this id, or somebody cancels it."""
        messages = await self._streams.last(self._names.jobs_stream, [self._names.waiting("*", job_id)])
        return messages[-1] if messages and TOMBSTONE not in messages[-1].headers else None

    async def outcome(self, job_id: str, *, whole: bool = False) -> bytes | None:
        """What was stored of a job that ended, encoded; ``None`` when there is nothing. See `outcomes`."""
        return (await self.outcomes([job_id], whole=whole)).get(job_id)

    async def outcomes(self, job_ids: Sequence[str], *, whole: bool = False) -> dict[str, bytes]:
        """What was stored of those that have ended, encoded.

        Args:
            whole: with their results, also where those are too large for one message; what lacks such a result by now
                is left out.
        """
        subjects = [self._names.result(job_id) for job_id in job_ids]
        messages = await self._streams.last(self._names.results_stream, subjects)
        found: dict[str, bytes] = {}
        for message in messages:
            job_id = message.subject.rpartition(".")[2]
            try:
                is_object = whole and AS_OBJECT in message.headers
                found[job_id] = await self._streams.get_object(job_id) if is_object else message.data
            except NotFound as error:
                log.warning("result of job %s: %s", job_id, error, extra={"action": "result_gone"})
        return found

    def announced(self, job_id: str) -> AbstractAsyncContextManager[asyncio.Event]:
        """An event that is set when a worker says that the job has ended, or may have said so."""
        return self._streams.heard(self._names.done(job_id))

    def _outgoing(self, entry: Entry) -> Outgoing:
        """On the condition that there is no job of this id, and known again when it is sent twice."""
        queue, job_id, payload, run_at_ns = entry
        headers = once(f"{job_id}-{new_id(8)}") | if_last_is(0, self._names.anywhere(queue, job_id))
        subject = self._names.job(queue, job_id)
        if not run_at_ns:
            return Outgoing(subject, payload, headers)
        return Outgoing(
            self._names.later(queue, job_id), payload, headers | at_time(run_at_ns + self._streams.skew_ns, subject)
        )

    def _too_large(self, message: Outgoing) -> NaqError | None:
        limit = self._streams.largest - _HEADERS_SIZE
        if len(message.payload) <= limit:
            return None
        return PayloadTooLarge(
            f"the job is {len(message.payload):,} bytes, the server takes {limit:,} at most: "
            "pass a reference to the data instead of the data, or raise max_payload"
        )

    async def _is_there(self, entry: Entry, message: Outgoing) -> bool:
        """Whether what is in the way of a message is the message itself, sent before."""
        standing = await self.find(entry.job_id)
        headers = message.headers or {}
        return standing is not None and standing.message.headers.get(MESSAGE_ID) == headers[MESSAGE_ID]

    def refusal(self, entry: Entry, answer: Stored) -> NaqError | None:
        """Why a job was not stored, in the words of a producer."""
        if not isinstance(answer, NaqError):
            return None
        if is_conflict(answer):
            return DuplicateJob(
                f"job {entry.job_id} of queue {entry.queue} has not ended yet: it is queued, running or waiting",
                entry.job_id,
            )
        if is_full(answer):
            return QueueFull(
                f"the stream {self._names.jobs_stream} takes no more jobs: {getattr(answer, 'description', answer)}. "
                "Start workers, raise the limits of the account, or free disk space"
            )
        return answer


_PENDING = NaqError("not sent yet")


def found(message: StoredMessage) -> Found:
    """What a message of the stream of jobs says by its subject."""
    _, state, queue, job_id = message.subject.split(".")
    return Found(_STATES[state], queue, job_id, message)


def decoded(serializer: Serializer, message: StoredMessage) -> Job | None:
    """The job of a message of the stream of jobs; ``None`` when it is none that could be read."""
    try:
        return serializer.decode_job(message.data)
    except SerializationError as error:
        log.warning("%s is no job: %s", message.subject, error, extra={"action": "job_not_decoded"})
        return None
