"""Storing ticks: the jobs of many schedules and the records that say so, in one piece.

Each record is stored on the condition that it is as it was read. So a tick makes one job, whoever dies at any moment,
and whoever else does the same at the same time: one of them succeeds, and the others are refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from naq_runtime.clock import nanoseconds_of
from naq_runtime.errors import DuplicateJob, ServerError
from naq_runtime.job import Job
from naq_runtime.naming import Names
from naq_runtime.nats.publish import Outgoing, is_conflict, is_too_large
from naq_runtime.nats.streams import Streams
from naq_runtime.schedule import Schedule, ScheduleState, encode_schedule
from naq_runtime.scheduler.deciding import Decision
from naq_runtime.scheduler.store import ScheduleStore, Standing
from naq_runtime.scheduler.table import ScheduleTable
from naq_runtime.scheduler.telling import Telling

__all__ = ["LARGEST_PIECE", "Ticks", "TicksStore", "failed"]

_MESSAGES = 1_000
"""The server takes so many in one piece, and each piece costs it two synced writes, whatever its size."""
LARGEST_PIECE = 8 * 1024 * 1024
"""Bytes, about: more would be too much for the connection at a time."""
_UNDER_WAY = 4
"""Pieces that are sent together. The server keeps one while the next is sent, and has no room for many."""
_RETRY_FIRST_NS = 1_000_000_000
_TRIES = 5
"""A schedule that cannot be kept so many times in a row is left alone."""
_LONGEST_REASON = 500


class Ticks(Struct, frozen=True):
    """What is about to be stored of one schedule."""

    before: Standing
    after: Schedule
    jobs: tuple[Job, ...] = ()
    due: tuple[int, ...] = ()
    """When each of the jobs was due."""
    messages: tuple[Outgoing, ...] = ()
    """Each of the jobs as it is stored."""
    decision: Decision = Decision()
    error: Exception | None = None
    """Why it could not be kept."""

    @property
    def size(self) -> int:
        """Bytes, about, as they are stored."""
        return 2 * len(self.after.payload) + sum(len(message.payload) for message in self.messages)


class TicksStore:
    """Stores ticks, and tells of those that are stored.

    Args:
        table: the schedules as they are known; kept up with what is stored.
        may_write: whether what was decided may be stored now.
        now_ns: the time by the clock of the server.
    """

    def __init__(
        self,
        streams: Streams,
        names: Names,
        table: ScheduleTable,
        store: ScheduleStore,
        telling: Telling,
        *,
        may_write: Callable[[], bool],
        now_ns: Callable[[], int],
    ) -> None:
        self._streams = streams
        self._names = names
        self._table = table
        self._store = store
        self._telling = telling
        self._may_write = may_write
        self._now_ns = now_ns
        self._under_way = asyncio.Semaphore(_UNDER_WAY)
        self._doubtful: list[Ticks] = []
        """Sent, and neither confirmed nor refused."""

    async def store(self, ticks: Sequence[Ticks]) -> list[Ticks]:
        """Store what still holds of these; returns what was stored.

        The parts are under way together: the server stores one while the next is sent.

        Raises:
            ServerError: some are stored, and others may be; see `settle_doubts`.
        """
        parts = list(_in_parts(ticks))
        answers = await asyncio.gather(*map(self._is_stored, parts), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        stored: list[Ticks] = []
        for part, was_stored in zip(parts, answers, strict=True):
            stored += part if was_stored else await self._store_what_holds(part)
        return stored

    async def settle_doubts(self) -> None:
        """Tell of those that were stored although nothing was heard of it, as their records say.

        Raises:
            ServerError: do it again.
        """
        if not self._doubtful:
            return
        ids = [one.after.schedule_id for one in self._doubtful]
        there = {message.subject: message for message in await self._store.read(ids)}
        doubtful, self._doubtful = self._doubtful, []
        for one in doubtful:
            record = there.get(self._names.schedule(one.after.schedule_id))
            if record is not None and record.data == encode_schedule(one.after):
                self._telling.ticked(one, nanoseconds_of(record.stored_at))

    async def _store_what_holds(self, part: Sequence[Ticks]) -> list[Ticks]:
        """One was in the way of the others: store those that still hold together, or else by halves."""
        still = await self._still(part)
        if len(still) < len(part) and await self._is_stored(still):
            return still
        if len(still) < 2:
            return await self._store_alone(still[0]) if still else []
        stored: list[Ticks] = []
        for half in (still[: len(still) // 2], still[len(still) // 2 :]):
            stored += half if await self._is_stored(half) else await self._store_what_holds(half)
        return stored

    async def _store_alone(self, one: Ticks) -> list[Ticks]:
        refusal = await self._refusal([one])
        if refusal is None:
            return [one]
        if not await self._still([one]):
            return []
        if is_too_large(refusal):
            return await self._store_failure(one, refusal)
        taken = await self._taken(one)
        rest = _without(one, taken)
        if not taken or not await self._is_stored([rest]):
            return []
        self._telling.failed(one.after, DuplicateJob(f"job {', '.join(sorted(taken))} of a tick was there already"))
        return [rest]

    async def _store_failure(self, one: Ticks, error: ServerError) -> list[Ticks]:
        """Write down that its jobs cannot be stored; where there is no room for that either, let it be.

        Such a one is known again when all records are read anew, and told of again.
        """
        failure = failed(one.before, error, self._now_ns(), one.after.term)
        refusal = await self._refusal([failure])
        if is_too_large(refusal):
            self._table.drop(one.after.schedule_id)
            self._telling.failed(failure.after, error, "given up")
        return [] if refusal else [failure]

    async def _still(self, part: Sequence[Ticks]) -> list[Ticks]:
        """Those whose records are as they were read, by another look at each."""
        if not self._may_write():
            return []
        await self._table.look_at([one.after.schedule_id for one in part])
        return [one for one in part if self._table.get(one.after.schedule_id) == one.before]

    async def _taken(self, one: Ticks) -> set[str]:
        """The ids of its jobs under which somebody has put others."""
        there = await self._streams.last(self._names.jobs_stream, [message.subject for message in one.messages])
        return {message.subject.rpartition(".")[2] for message in there}

    async def _is_stored(self, part: Sequence[Ticks]) -> bool:
        return await self._refusal(part) is None

    async def _refusal(self, part: Sequence[Ticks]) -> ServerError | None:
        """Store all of these, or none, and say why: something has changed, or is too large.

        Raises:
            ServerError: all may be stored, or none.
        """
        outgoing: list[Outgoing] = []
        places: list[int] = []
        for one in part:
            places.append(len(outgoing))
            outgoing.append(self._store.outgoing(one.after, one.before.sequence))
            outgoing += one.messages
        async with self._under_way:
            if not self._may_write():
                return ServerError("the lead is lost")
            try:
                sequences = await self._streams.publish_together(outgoing)
            except ServerError as error:
                if is_conflict(error) or is_too_large(error):
                    return error
                self._doubtful += part
                raise
        stored_ns = self._now_ns()
        for one, place in zip(part, places, strict=True):
            self._table.put(Standing(one.after, sequences[place]))
            self._telling.ticked(one, stored_ns)
        return None


def failed(standing: Standing, error: Exception, now_ns: int, term: int) -> Ticks:
    """What is to be stored of a schedule that could not be kept: it is tried again later, or left alone."""
    schedule, errors = standing.schedule, standing.schedule.errors + 1
    is_given_up = errors >= _TRIES
    after = schedule.evolve(
        errors=errors,
        retry_at_ns=now_ns + _RETRY_FIRST_NS * 2**errors,
        state=ScheduleState.FAILED if is_given_up else schedule.state,
        reason=f"{type(error).__name__}: {error}"[:_LONGEST_REASON] if is_given_up else schedule.reason,
        term=term,
    )
    return Ticks(standing, after, error=error)


def _in_parts(ticks: Sequence[Ticks]) -> Iterator[list[Ticks]]:
    """As many as go into one piece."""
    part: list[Ticks] = []
    count = size = 0
    for one in ticks:
        messages = len(one.messages) + 1
        if part and (count + messages > _MESSAGES or size + one.size > LARGEST_PIECE):
            yield part
            part, count, size = [], 0, 0
        part.append(one)
        count, size = count + messages, size + one.size
    if part:
        yield part


def _without(one: Ticks, job_ids: set[str]) -> Ticks:
    """The same but for these jobs."""
    kept = [
        (job, due_ns, message)
        for job, due_ns, message in zip(one.jobs, one.due, one.messages, strict=True)
        if job.job_id not in job_ids
    ]
    jobs, due, messages = zip(*kept, strict=True) if kept else ((), (), ())
    return Ticks(one.before, one.after, jobs, due, messages, one.decision)
