"""Dead letters: jobs that failed for good, whole, with what is known of their end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from fnmatch import fnmatchcase
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from naq_runtime.errors import NaqError, NotFound, SerializationError
from naq_runtime.events.models import JobEventType
from naq_runtime.job import Execution, Job
from naq_runtime.jobs.store import Entry, JobStore
from naq_runtime.naming import Names
from naq_runtime.nats.direct import StoredMessage
from naq_runtime.nats.publish import Outgoing
from naq_runtime.nats.streams import Streams, in_header
from naq_runtime.serializer import Serializer

__all__ = ["DeadFilter", "DeadLetter", "DeadLetters"]

_HEADER = "Naq-Failure"
_HEADERS_SIZE = 512
_HEADER_LIMIT = 60_000
"""The server takes 64 KiB of headers; what is no ASCII counts up to twelve times."""
_LIMITS = ((10_000, 8_000), (1_000, 1_000), (0, 200), (0, 40))
"""Characters of traceback and error that are tried, one pair after the other, until they fit."""
_NAME_LIMIT = 200


class _Failure(Struct, omit_defaults=True):
    """What the header of a dead letter says."""

    function: str
    error_type: str
    error: str
    attempt: int
    died_at_ns: int
    worker_id: str | None = None
    duration_ms: float = 0.0
    traceback: str = ""


class DeadLetter(Struct, frozen=True, kw_only=True):
    """A job that failed for good."""

    job_id: str
    queue_name: str
    function_name: str
    error_type: str
    error: str
    traceback: str
    attempts: int
    worker_id: str | None
    """Where it ran last."""
    died_at_ns: int
    duration_ms: float
    """Of its last attempt."""
    payload: bytes
    """The job as it lay in its queue."""
    sequence: int
    """Of the letter among the dead letters."""


class DeadFilter(Struct, frozen=True, kw_only=True):
    """Which dead letters are meant; all that is given must hold. Names may have the wildcards of the shell."""

    queue_name: str | None = None
    function_name: str | None = None
    error_type: str | None = None
    before_ns: int | None = None
    """Died before this moment."""
    older_than_s: float | None = None
    """Died so long ago, by the clock of the server."""

    def at(self, now_ns: int) -> DeadFilter:
        """The same with a moment in place of an age, when the clock of the server shows this."""
        if self.older_than_s is None:
            return self
        before_ns = now_ns - int(self.older_than_s * 1e9)
        earliest = before_ns if self.before_ns is None else min(before_ns, self.before_ns)
        return replace(self, before_ns=earliest, older_than_s=None)

    def matches(self, letter: DeadLetter) -> bool:
        """Whether the letter is meant, by all but its age; see `at`."""
        pairs = (
            (self.queue_name, letter.queue_name),
            (self.function_name, letter.function_name),
            (self.error_type, letter.error_type),
        )
        if any(wanted is not None and not fnmatchcase(name, wanted) for wanted, name in pairs):
            return False
        return self.before_ns is None or letter.died_at_ns < self.before_ns


class DeadLetters:
    """Keeps dead letters, and puts them back.

    Args:
        report: takes an event of a job.
        now_ns: the time by which jobs are stamped.
    """

    def __init__(
        self,
        streams: Streams,
        names: Names,
        serializer: Serializer,
        store: JobStore,
        *,
        report: Callable[[JobEventType, Job, dict[str, Any]], None],
        now_ns: Callable[[], int],
    ) -> None:
        self._streams = streams
        self._names = names
        self._serializer = serializer
        self._store = store
        self._report = report
        self._now_ns = now_ns

    async def bury(self, failed: Sequence[tuple[Execution, bytes]]) -> None:
        """Keep jobs that failed, each with its encoded form; to do it again does no harm.

        Raises:
            ServerError: a part of them may be kept.
        """
        for answer in await self._streams.publish([self._letter(*one) for one in failed]):
            if isinstance(answer, NaqError):
                raise answer

    async def get(self, job_id: str) -> DeadLetter:
        """One letter.

        Raises:
            NotFound: there is none of this id.
        """
        messages = await self._streams.last(self._names.dead_stream, [self._names.dead("*", job_id)])
        if not messages:
            raise NotFound(f"there is no dead letter of job {job_id}")
        return _read(messages[-1])

    async def find_all(self, job_ids: Sequence[str]) -> dict[str, DeadLetter]:
        """The letters of those of the jobs that have one, by id."""
        subjects = [self._names.dead("*", job_id) for job_id in job_ids]
        letters = map(_read, await self._streams.last(self._names.dead_stream, subjects))
        return {letter.job_id: letter for letter in letters}

    async def list(self, wanted: DeadFilter | None = None) -> AsyncIterator[DeadLetter]:
        """The letters that are meant, oldest first."""
        if wanted is not None and wanted.older_than_s is not None:
            await self._streams.bounds(self._names.dead_stream)  # any such answer says what time it is
            wanted = wanted.at(self._now_ns() + self._streams.skew_ns)
        async for page in self._streams.scan(self._names.dead_stream, self._names.dead("*", "*")):
            for message in page:
                letter = _read(message)
                if wanted is None or wanted.matches(letter):
                    yield letter

    async def retry(self, letter: DeadLetter, *, by: str | None = None) -> None:
        """Put a job back into its queue, as its first attempt, and forget the letter.

        It does not wait for what it depended on once more; the results of that are there as long as they are kept.

        Raises:
            NotFound: the letter is not there any more.
            SerializationError: it never was a job that could be read.
            DuplicateJob: a job of its id is there again.
        """
        try:
            job = self._serializer.decode_job(letter.payload)
        except SerializationError as error:
            raise SerializationError(f"dead letter {letter.job_id} cannot be run: {error}") from error
        if (await self.get(letter.job_id)).sequence != letter.sequence:
            raise NotFound(f"dead letter {letter.job_id} is not there any more: its job has failed again since")
        again = job.evolve(attempt=1, enqueued_at_ns=self._now_ns(), run_at_ns=0)
        entry = Entry(letter.queue_name, letter.job_id, self._serializer.encode_job(again))
        (refusal,) = await self._store.put_all([entry])
        if refusal is not None:
            raise refusal
        self._report(JobEventType.REQUEUED, again, {"by": by, "timestamp_ns": again.enqueued_at_ns})
        await self.delete([letter])

    async def delete(self, letters: Sequence[DeadLetter]) -> int:
        """Forget letters; how many were still there."""
        return sum(await self._streams.delete(self._names.dead_stream, [letter.sequence for letter in letters]))

    def _letter(self, execution: Execution, payload: bytes) -> Outgoing:
        job, result = execution.job, execution.result
        failure = _Failure(
            function=str(job.function)[:_NAME_LIMIT],
            error_type=(result.error_type or "Error")[:_NAME_LIMIT],
            error=result.error or "",
            attempt=result.attempt,
            died_at_ns=result.finish_time_ns,
            worker_id=result.worker_id,
            duration_ms=result.duration_ms,
            traceback=result.traceback or "",
        )
        room = min(self._streams.largest - len(payload) - _HEADERS_SIZE, _HEADER_LIMIT)
        header = _fitting(failure, room)  # the job counts for more than its traceback
        subject = self._names.dead(job.queue_name or "default", job.job_id)
        return Outgoing(subject, payload, None if header is None else {_HEADER: header})


def _fitting(failure: _Failure, room: int) -> str | None:
    """As much as there is room for; ``None`` for nothing at all."""
    for traceback, error in _LIMITS:
        short = msgspec.structs.replace(failure, traceback=failure.traceback[-traceback:] if traceback else "")
        short.error = failure.error[:error]
        header = in_header(short)
        if len(header) <= room:
            return header
    return None


def _read(message: StoredMessage) -> DeadLetter:
    queue, job_id = message.subject.split(".")[-2:]
    try:
        failure = msgspec.json.decode(message.headers.get(_HEADER, ""), type=_Failure)
    except msgspec.MsgspecError:
        failure = _Failure("unknown.unknown", "Unknown", "nothing is known of its end", 1, 0)
    return DeadLetter(
        job_id=job_id,
        queue_name=queue,
        function_name=failure.function,
        error_type=failure.error_type,
        error=failure.error,
        traceback=failure.traceback,
        attempts=failure.attempt,
        worker_id=failure.worker_id,
        died_at_ns=failure.died_at_ns,
        duration_ms=failure.duration_ms,
        payload=message.data,
        sequence=message.sequence,
    )
