"""What is stored of the attempts that ended: an outcome each, in the first form that fits into one message."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from naq_runtime.job import Execution, Job, JobResult, JobStatus
from naq_runtime.naming import Names
from naq_runtime.nats.publish import Outgoing
from naq_runtime.nats.streams import Streams, living_for
from naq_runtime.serializer import Serializer

__all__ = ["AS_OBJECT", "Outcomes"]

AS_OBJECT = "Naq-Object"
"""The header of an outcome that lies in the object store, under its job's id; the bytes that it has there."""

_NAME_LIMIT = 200
_UNNAMED = "unknown.unknown"
"""Stands for a function whose name is too long to be kept."""
_OVERHEAD = 256
"""Subject and headers count, too."""


class Outcomes:
    """Stores outcomes, where their jobs want them kept.

    Args:
        large_as_objects: what is too large for one message goes into the object store; otherwise its job fails.
    """

    def __init__(
        self, streams: Streams, names: Names, serializer: Serializer, *, large_as_objects: bool = False
    ) -> None:
        self._streams = streams
        self._names = names
        self._serializer = serializer
        self._large_as_objects = large_as_objects

    def judged(self, execution: Execution) -> Execution:
        """The execution as it counts: one whose result is too large to be stored has failed."""
        result, limit = execution.result, self._streams.largest - _OVERHEAD
        if 2 * len(execution.value) <= limit or self._large_as_objects or execution.job.result_ttl == 0:
            return execution
        least = self._serializer.encode_outcome(self._without_arguments(execution.job), result, execution.value)
        return execution if len(least) <= limit else Execution(execution.job, _too_large(execution, limit))

    async def store(self, ended: Sequence[tuple[Execution, bytes]]) -> None:
        """Store the outcomes of executions, each with its encoded job; to do it again does no harm.

        Raises:
            ServerError: a part of them may be stored.
        """
        messages, limit = [], self._streams.largest - _OVERHEAD
        for execution, job in ended:
            ttl = execution.job.result_ttl
            if ttl == 0:
                continue
            headers = None if ttl is None else living_for(ttl)
            subject = self._names.result(execution.job.job_id)
            whole = self._serializer.encode_outcome(job, execution.result, execution.value)
            if len(whole) <= limit:
                messages.append(Outgoing(subject, whole, headers))
            elif self._large_as_objects and len(execution.value) > limit // 2:
                messages.append(await self._as_object(subject, execution, whole, headers or {}))
            else:
                messages.append(Outgoing(subject, self._smaller(execution, limit), headers))
        await self._streams.store(messages)

    async def _as_object(self, subject: str, execution: Execution, whole: bytes, headers: dict[str, str]) -> Outgoing:
        """The message that stands for an outcome in the object store, which is there before it."""
        await self._streams.put_object(execution.job.job_id, whole, headers)
        bare = self._serializer.encode_job(_bare(execution.job))
        message = self._serializer.encode_outcome(bare, execution.result, b"")
        return Outgoing(subject, message, headers | {AS_OBJECT: str(len(whole))})

    def _smaller(self, execution: Execution, limit: int) -> bytes:
        payload = b""
        for payload in self._forms(execution):
            if len(payload) <= limit:
                break
        return payload

    def _forms(self, execution: Execution) -> Iterator[bytes]:
        """Without the arguments; and the least that can be said."""
        encode, result = self._serializer.encode_outcome, execution.result
        yield encode(self._without_arguments(execution.job), result, execution.value)
        result = msgspec.structs.replace(result, traceback=None, error=(result.error or "")[:_NAME_LIMIT])
        yield encode(self._serializer.encode_job(_bare(execution.job)), result, execution.value)

    def _without_arguments(self, job: Job) -> bytes:
        return self._serializer.encode_job(job.evolve(args=(), kwargs={}))


def _bare(job: Job) -> Job:
    """Without all that may be long."""
    function = _UNNAMED if len(str(job.function)) > _NAME_LIMIT else job.function
    return job.evolve(function=function, args=(), kwargs={}, depends_on=())


def _too_large(execution: Execution, limit: int) -> JobResult:
    return msgspec.structs.replace(
        execution.result,
        status=JobStatus.FAILED,
        result=None,
        error_type="ValueError",
        error=f"the job completed, but its result of {len(execution.value):,} bytes is above the server's limit of "
        f"{limit:,}: store it elsewhere and return a reference, or set results.large = 'store'",
    )
