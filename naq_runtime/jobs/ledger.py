"""The end of an attempt, written down: an outcome, a retry, a dead letter, and word to those who wait for the job.

Everything is stored before the job may leave its queue, and may be stored again: a process that dies in between leaves
work, and no loss.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from naq_runtime.errors import NaqError
from naq_runtime.job import Execution, Job, JobStatus
from naq_runtime.jobs.dead import DeadLetters
from naq_runtime.jobs.dependencies import Dependencies
from naq_runtime.jobs.outcomes import Outcomes
from naq_runtime.jobs.store import TOMBSTONE
from naq_runtime.naming import Names
from naq_runtime.nats.publish import Outgoing, is_conflict
from naq_runtime.nats.streams import Streams, at_time, if_last_is
from naq_runtime.serializer import Serializer

__all__ = ["Finished", "Ledger"]

_AT_ONCE_NS = 50_000_000
"""A retry that is due within this time goes straight back into its queue."""


class Finished(Struct, frozen=True):
    """An attempt that came to an end, and is not written down yet."""

    execution: Execution
    payload: bytes
    """The job, encoded."""
    sequence: int
    """Of the message in the stream of jobs."""
    broken: bytes | None = None
    """What lay in the queue, when it was no job."""


class Ledger:
    """Writes down how attempts ended.

    Args:
        may_be_needed: whether other jobs may wait for this one.
    """

    def __init__(
        self,
        streams: Streams,
        names: Names,
        serializer: Serializer,
        outcomes: Outcomes,
        dead: DeadLetters,
        dependencies: Dependencies,
        *,
        may_be_needed: Callable[[Job], bool],
        now_ns: Callable[[], int],
    ) -> None:
        self._streams = streams
        self._names = names
        self._serializer = serializer
        self._outcomes = outcomes
        self._dead = dead
        self._dependencies = dependencies
        self._may_be_needed = may_be_needed
        self._now_ns = now_ns

    def judged(self, execution: Execution) -> Execution:
        """The execution as it counts; see `Outcomes.judged`."""
        return self._outcomes.judged(execution)

    async def write(self, batch: Sequence[Finished]) -> None:
        """Return once all is stored, and the jobs may leave their queues.

        Raises:
            ServerError: a part of it may be stored; write the same again.
        """
        ended = [one for one in batch if one.execution.again is None]
        failed = [one for one in ended if one.execution.result.status is JobStatus.FAILED]
        if failed:
            await self._dead.bury([(one.execution, one.broken or one.payload) for one in failed])
        if ended:
            await self._outcomes.store([(one.execution, one.payload) for one in ended])
        if len(ended) < len(batch):
            await self._postpone([one for one in batch if one.execution.again is not None])
        needed = [one.execution for one in ended if self._may_be_needed(one.execution.job)]
        if needed:
            await self._dependencies.settle({one.job.job_id: one.result.status for one in needed})
        cancelled = [one.execution.job for one in ended if one.execution.result.status is JobStatus.CANCELLED]
        if cancelled:
            await self._remove_tombstones(cancelled)

    async def _remove_tombstones(self, cancelled: Sequence[Job]) -> None:
        """Whoever wanted the jobs to end has put them there; left alone, each would go through a worker."""
        subjects = [self._names.job(job.queue_name or "default", job.job_id) for job in cancelled]
        there = await self._streams.last(self._names.jobs_stream, subjects)
        stones = [message.sequence for message in there if TOMBSTONE in message.headers]
        await self._streams.delete(self._names.jobs_stream, stones)

    async def _postpone(self, batch: Sequence[Finished]) -> None:
        """Put jobs back, or where they wait for their time; each only while it is still ours."""
        for answer in await self._streams.publish([self._retry(one) for one in batch]):
            if isinstance(answer, NaqError) and not is_conflict(answer):
                raise answer

    def _retry(self, one: Finished) -> Outgoing:
        again = one.execution.again
        assert again is not None
        queue, names = again.queue_name or "default", self._names
        untouched = self._serializer.decode_job(one.payload)  # its function may have changed the arguments that it got
        untouched = untouched.evolve(attempt=again.attempt, run_at_ns=again.run_at_ns)
        subject, payload = names.job(queue, again.job_id), self._serializer.encode_job(untouched)
        if again.run_at_ns - self._now_ns() < _AT_ONCE_NS:
            return Outgoing(subject, payload, if_last_is(one.sequence))
        headers = if_last_is(one.sequence, subject) | at_time(again.run_at_ns + self._streams.skew_ns, subject)
        return Outgoing(names.later(queue, again.job_id), payload, headers)
