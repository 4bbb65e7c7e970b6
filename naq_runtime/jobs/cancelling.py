"""Ending jobs before they have ended by themselves.

A job is first replaced, in its place, by a tombstone: from then on nobody can begin it or let it go. One that runs is
then ended by its worker, which logs the event. Of any other the outcome is stored, and the tombstone removed; who
removes it logs the event. Whoever dies in between leaves the tombstone, which a worker finds in the queue like any job
(from other places the server moves it there), and finishes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec
from msgspec import Struct

from naq_runtime.errors import NaqError, NotFound, SerializationError
from naq_runtime.events.models import JobEventType
from naq_runtime.job import Execution, Job, JobResult, JobStatus, Whereabouts
from naq_runtime.jobs.dependencies import Dependencies
from naq_runtime.jobs.outcomes import Outcomes
from naq_runtime.jobs.store import TOMBSTONE, Found, JobStore, found
from naq_runtime.naming import Names
from naq_runtime.nats.direct import StoredMessage
from naq_runtime.nats.publish import Outgoing, is_conflict
from naq_runtime.nats.streams import Streams, at_time, if_last_is, in_header
from naq_runtime.serializer import Serializer

__all__ = ["AskWorkers", "Cancellation", "Cancelling", "in_words", "read_tombstone"]

_TRIES = 5
_SETTLING_S = 0.05
_FINISHED_NS = 2_000_000_000
"""A tombstone outside of a queue is moved into it when it is not removed within this time."""
_WORDS = 1_000
"""Characters of a reason."""
_AT_A_TIME = 500
"""Jobs whose ends are written down together."""


class Cancellation(Struct, frozen=True):
    """Who wants a job to end, and why."""

    by: str = ""
    reason: str = ""
    state: str = "queued"
    """Where it stood: ``queued``, ``scheduled`` or ``waiting``."""
    sequence: int = 0
    """Of the message in whose place the tombstone is."""

    @classmethod
    def of(cls, by: str, reason: str) -> Cancellation:
        """One whose words can stand in a header, and in a message to all workers."""
        by, reason = (text.encode("utf-8", "replace").decode()[:_WORDS] for text in (by, reason))
        return cls(by, reason)


class _Stone(NamedTuple):
    """A tombstone, and the job that it stands for."""

    message: StoredMessage
    wish: Cancellation
    job: Job


class AskWorkers(Protocol):
    """Asks all workers whether they run some jobs, and if they do, to end them."""

    def __call__(self, job_ids: Collection[str], *, by: str, reason: str) -> Awaitable[Whereabouts]:
        """What they say."""
        ...


def in_words(reason: str, by: str) -> str:
    """Why a job that runs is made to end, as its outcome says it."""
    return ", ".join(part for part in (reason, f"by {by}" if by else "") if part) or "cancelled"


def read_tombstone(header: str) -> Cancellation:
    """What a tombstone says of itself."""
    try:
        return msgspec.json.decode(header, type=Cancellation)
    except msgspec.MsgspecError:
        return Cancellation()


class Cancelling:
    """Cancels jobs, wherever they stand.

    Args:
        ask: asks the workers.
        report: takes an event of a job.
        now_ns: the time by which outcomes are stamped.
    """

    def __init__(
        self,
        streams: Streams,
        names: Names,
        serializer: Serializer,
        store: JobStore,
        outcomes: Outcomes,
        dependencies: Dependencies,
        *,
        ask: AskWorkers,
        report: Callable[[JobEventType, Job, dict[str, Any]], None],
        now_ns: Callable[[], int],
    ) -> None:
        self._streams = streams
        self._names = names
        self._serializer = serializer
        self._store = store
        self._outcomes = outcomes
        self._dependencies = dependencies
        self._ask = ask
        self._report = report
        self._now_ns = now_ns

    async def cancel(self, job_id: str, wish: Cancellation) -> bool:
        """Cancel a job: ``True`` when it is cancelled, or its worker is ending it; ``False`` when it had ended.

        Raises:
            NotFound: nothing is known of it.
            ServerError: it may or may not be cancelled; do it again.
        """
        was_there = False
        for _ in range(_TRIES):
            standing = await self._store.find(job_id)
            if standing is None:
                return await self._was_cancelled(job_id, was_there)
            was_there = True
            if TOMBSTONE in standing.message.headers:  # whoever put it there may be dead
                cancelled = await self._end([standing], wish)
            else:
                cancelled = await self.cancel_all([standing], wish)
            if cancelled:
                return True
        return False

    async def cancel_those(self, job_ids: Collection[str], wish: Cancellation) -> None:
        """Cancel these jobs, wherever they stand; nothing becomes of those that have ended.

        Raises:
            ServerError: some may be cancelled; do it again.
        """
        for _ in range(_TRIES):
            standing = (await self._store.find_all(list(job_ids))).values()
            if not standing:
                return
            stones = [one for one in standing if TOMBSTONE in one.message.headers]  # whoever put it there may be dead
            stones += await self._replace([one for one in standing if TOMBSTONE not in one.message.headers], wish)
            if stones and await self._end(stones, wish) == len(standing):
                return

    async def cancel_all(self, standing: Sequence[Found], wish: Cancellation) -> int:
        """Cancel jobs; how many of them that were, or are being ended by their workers.

        Raises:
            ServerError: some may be cancelled; do it again.
        """
        stones = await self._replace(standing, wish)
        return await self._end(stones, wish) if stones else 0

    async def _end(self, stones: Sequence[Found], wish: Cancellation) -> int:
        """End jobs that are replaced by tombstones; how many of them that were, or are being ended by their workers."""
        asked = await self._ask([stone.job_id for stone in stones], by=wish.by, reason=wish.reason)
        theirs = {*asked.running, *asked.settling}
        mine = [stone.message for stone in stones if stone.job_id not in theirs]
        cancelled = len(asked.running)
        for start in range(0, len(mine), _AT_A_TIME):
            cancelled += await self._finish(mine[start : start + _AT_A_TIME], asked.ended)
        if asked.settling:
            await asyncio.sleep(_SETTLING_S)  # whoever looks again then sees how they ended
        return cancelled

    async def finish(self, message: StoredMessage, ended: Collection[int] = ()) -> None:
        """End a job whose tombstone this is, unless it has ended otherwise; may be done again.

        Args:
            ended: see `Whereabouts.ended`.

        Raises:
            ServerError: do it again.
        """
        await self._finish([message], ended)

    async def _finish(self, messages: Sequence[StoredMessage], known_ended: Collection[int]) -> int:
        """Each step for all of them, before the next: what is left when we die in between can be done again.

        Returns how many of them were ended here.
        """
        stones = [self._stone(message) for message in messages]
        await self._clear(stones)
        stones = await self._still_there(stones)
        ended = await self._ended_otherwise([stone.job for stone in stones])
        theirs = {stone.job.job_id for stone in stones if stone.wish.sequence in known_ended}.difference(ended)
        ours = [stone for stone in stones if stone.job.job_id not in ended and stone.job.job_id not in theirs]
        await self._outcomes.store([self._outcome(stone) for stone in ours])
        await self._dependencies.settle(ended | {stone.job.job_id: JobStatus.CANCELLED for stone in ours})
        removed = await self._streams.delete(self._names.jobs_stream, [stone.message.sequence for stone in stones])
        ended_here = [stone for stone, ok in zip(stones, removed, strict=True) if ok and stone in ours]
        for stone in ended_here:
            wish = stone.wish
            said = {"state": wish.state, "reason": wish.reason or None, "by": wish.by or None}
            self._report(JobEventType.CANCELLED, stone.job, said)
            if stone.job.result_ttl != 0:
                self._report(JobEventType.RESULT_STORED, stone.job, {})
            await self._streams.announce(self._names.done(stone.job.job_id))
        return len(ended_here)

    async def _replace(self, standing: Sequence[Found], wish: Cancellation) -> list[Found]:
        """Put a tombstone in the place of each job that is still as it was found; those that were put."""
        outgoing = []
        for one in standing:
            replaced = one.message.sequence
            stone = in_header(msgspec.structs.replace(wish, state=one.status.value, sequence=replaced))
            headers = if_last_is(replaced) | {TOMBSTONE: stone}
            if one.status is not JobStatus.QUEUED:
                soon_ns = self._now_ns() + self._streams.skew_ns + _FINISHED_NS
                headers |= at_time(soon_ns, self._names.job(one.queue, one.job_id))
            outgoing.append(Outgoing(one.message.subject, one.message.data, headers))
        answers = await self._streams.publish(outgoing)
        stones = []
        for message, answer in zip(outgoing, answers, strict=True):
            if is_conflict(answer):
                continue
            if isinstance(answer, NaqError):
                raise answer
            stored = StoredMessage(message.subject, answer, message.payload, "", message.headers or {})
            stones.append(found(stored))
        return stones

    async def _clear(self, stones: Sequence[_Stone]) -> None:
        """Remove what else there is of the jobs: notes on their deliveries, and retries.

        A worker may have put the next attempt where it waits just before the tombstone took the place of this one. One
        that comes back before it is removed takes the tombstone's place, and is no more of a matter here.
        """
        names = self._names
        subjects = [names.later(stone.job.queue_name or "default", stone.job.job_id) for stone in stones]
        subjects += [names.handed(stone.wish.sequence) for stone in stones]
        known = {stone.message.sequence for stone in stones}
        left = [message.sequence for message in await self._streams.last(names.jobs_stream, subjects)]
        await self._streams.delete(names.jobs_stream, [sequence for sequence in left if sequence not in known])

    async def _still_there(self, stones: Sequence[_Stone]) -> list[_Stone]:
        """Without those in whose place a retry has come back before it could be removed: their jobs go on."""
        subjects = [stone.message.subject for stone in stones]
        there = {message.sequence for message in await self._streams.last(self._names.jobs_stream, subjects)}
        return [stone for stone in stones if stone.message.sequence in there]

    async def _ended_otherwise(self, jobs: Sequence[Job]) -> dict[str, JobStatus]:
        """How those of these very jobs ended that some worker has ended."""
        stored = await self._store.outcomes([job.job_id for job in jobs])
        ended = {}
        for job in jobs:
            try:
                outcome = self._serializer.decode_outcome(stored[job.job_id]) if job.job_id in stored else None
            except SerializationError:
                continue
            if outcome is None or outcome.job.enqueued_at_ns != job.enqueued_at_ns:
                continue
            if outcome.result.worker_id or outcome.result.status is not JobStatus.CANCELLED:
                ended[job.job_id] = outcome.result.status
        return ended

    def _outcome(self, stone: _Stone) -> tuple[Execution, bytes]:
        job, now_ns = stone.job, self._now_ns()
        result = JobResult(
            job_id=job.job_id,
            status=JobStatus.CANCELLED,
            error_type="Cancelled",
            error=stone.wish.reason,
            attempt=job.attempt,
            start_time_ns=now_ns,
            finish_time_ns=now_ns,
        )
        return Execution(job, result), stone.message.data

    async def _was_cancelled(self, job_id: str, was_there: bool) -> bool:
        """Whether a job that is not there any more was cancelled by somebody while we were at it."""
        data = await self._store.outcome(job_id)
        if data is None and not was_there:
            raise NotFound(f"nothing is known of job {job_id}: it never was, or its outcome has expired")
        if not was_there:
            return False
        return data is None or self._serializer.decode_outcome(data).result.status is JobStatus.CANCELLED

    def _stone(self, message: StoredMessage) -> _Stone:
        return _Stone(message, read_tombstone(message.headers[TOMBSTONE]), self._job_of(message))

    def _job_of(self, message: StoredMessage) -> Job:
        try:
            return self._serializer.decode_job(message.data)
        except SerializationError:
            queue, job_id = message.subject.split(".")[-2:]
            return Job(function="unknown.unknown", queue_name=queue, job_id=job_id)
