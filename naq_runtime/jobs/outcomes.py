"""What is stored of the attempts that ended: an outcome each, in the first form that fits into one message."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from naq_runtime.job import Execution, JobResult, JobStatus
from naq_runtime.naming import Names
from naq_runtime.nats.publish import Outgoing
from naq_runtime.nats.streams import Streams, living_for
from naq_runtime.serializer import Serializer

__all__ = ["Outcomes"]

_NAME_LIMIT = 200
_UNNAMED = "unknown.unknown"
"""Stands for a function whose name is too long to be kept."""
_OVERHEAD = 256
"""Subject and headers count, too."""


class Outcomes:
    """Stores outcomes, where their jobs want them kept."""

    def __init__(self, streams: Streams, names: Names, serializer: Serializer) -> None:
        self._streams = streams
        self._names = names
        self._serializer = serializer

    async def store(self, ended: Sequence[tuple[Execution, bytes]]) -> None:
        """Store the outcomes of executions, each with its encoded job; to do it again does no harm.

        Raises:
            ServerError: a part of them may be stored.
        """
        await self._streams.store(
            [self._message(execution, job) for execution, job in ended if execution.job.result_ttl != 0]
        )

    def _message(self, execution: Execution, job: bytes) -> Outgoing:
        ttl = execution.job.result_ttl
        headers = None if ttl is None else living_for(ttl)
        return Outgoing(self._names.result(execution.job.job_id), self._encoded(job, execution), headers)

    def _encoded(self, job: bytes, execution: Execution) -> bytes:
        limit = self._streams.largest - _OVERHEAD
        payload = b""
        for payload in self._forms(job, execution, limit):
            if len(payload) <= limit:
                break
        return payload

    def _forms(self, job: bytes, execution: Execution, limit: int) -> Iterator[bytes]:
        """Whole; without the arguments; with an error in place of the result; and the least that can be said."""
        encode, result = self._serializer.encode_outcome, execution.result
        yield encode(job, result, execution.value)
        bare = execution.job.evolve(args=(), kwargs={})
        yield encode(self._serializer.encode_job(bare), result, execution.value)
        if result.status is JobStatus.COMPLETED:
            result = _too_large(execution, limit)
            yield encode(self._serializer.encode_job(bare), result, b"")
        least = bare.evolve(
            function=_UNNAMED if len(str(bare.function)) > _NAME_LIMIT else bare.function, depends_on=()
        )
        result = msgspec.structs.replace(result, traceback=None, error=(result.error or "")[:_NAME_LIMIT])
        yield encode(self._serializer.encode_job(least), result, b"")


def _too_large(execution: Execution, limit: int) -> JobResult:
    return msgspec.structs.replace(
        execution.result,
        status=JobStatus.FAILED,
        result=None,
        error_type="ValueError",
        error=f"the job completed, but its result of {len(execution.value):,} bytes is above the server's limit of "
        f"{limit:,}: store it elsewhere and return a reference, or set results.large = 'store'",
    )
