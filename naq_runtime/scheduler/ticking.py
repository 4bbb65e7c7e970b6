"""Making the jobs of schedules that are due.

A tick's job and the record that says so are stored in one piece, on the condition that the record is as it was read.
So a tick makes one job, whoever dies at any moment, and whoever else does the same at the same time: one of them
succeeds, and the others are refused.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence

from msgspec import Struct

from naq_runtime.errors import InvalidSchedule, NaqError, SerializationError, ServerError
from naq_runtime.job import Job
from naq_runtime.jobs.store import JobStore
from naq_runtime.naming import Names
from naq_runtime.nats.publish import Outgoing, is_conflict
from naq_runtime.nats.streams import Streams, if_last_is
from naq_runtime.schedule import Schedule, ScheduleState, tick_id
from naq_runtime.scheduler.deciding import Decision, decide
from naq_runtime.scheduler.store import ScheduleStore, Standing
from naq_runtime.scheduler.table import ScheduleTable
from naq_runtime.scheduler.telling import Telling
from naq_runtime.serializer import Serializer

__all__ = ["Ticker", "Ticks"]

log = logging.getLogger(__name__)

_AT_A_TIME = 300
"""Schedules that are seen to together; the server takes 1,000 messages in one piece."""
_MESSAGES = 900
_RETRY_FIRST_NS = 1_000_000_000
_RETRY_MOST_NS = 300_000_000_000
_TRIES = 5
"""A schedule that cannot be kept so many times in a row is left alone."""


class Ticks(Struct, frozen=True):
    """What is about to be stored of one schedule."""

    before: Standing
    after: Schedule
    jobs: tuple[Job, ...] = ()
    due: tuple[int, ...] = ()
    """When each of the jobs was due."""
    decision: Decision = Decision()
    error: NaqError | None = None
    """Why it could not be kept."""


class Ticker:
    """Sees to schedules whose time has come.

    Args:
        table: the schedules; whoever calls keeps it up.
        ready: makes a queue, when it is not there yet.
        cancel: ends a job, whatever it is doing.
        late_ns: a tick that is older was missed.
        may_write: whether what was decided may be stored now.
        term: of the lead under which this is done; 0 for none.
    """

    def __init__(
        self,
        streams: Streams,
        names: Names,
        serializer: Serializer,
        table: ScheduleTable,
        store: ScheduleStore,
        telling: Telling,
        *,
        ready: Callable[[str], Awaitable[object]],
        cancel: Callable[[str], Awaitable[object]],
        now_ns: Callable[[], int],
        late_ns: int,
        may_write: Callable[[], bool] = lambda: True,
        term: Callable[[], int] = lambda: 0,
    ) -> None:
        self._streams = streams
        self._names = names
        self._serializer = serializer
        self._table = table
        self._store = store
        self._telling = telling
        self._jobs = JobStore(streams, names)
        self._ready = ready
        self._cancel = cancel
        self._now_ns = now_ns
        self._late_ns = late_ns
        self._may_write = may_write
        self._term = term
        self._queues: set[str] = set()
        self._doubtful: list[Ticks] = []
        """Sent, and neither confirmed nor refused."""

    async def run_due(self) -> list[str]:
        """Make the jobs that are due by now; their ids.

        Raises:
            ServerError: do it again, once the table has caught up.
        """
        made: list[str] = []
        self._settle_doubts()
        while self._may_write():
            found = self._table.due(self._now_ns(), _AT_A_TIME)
            found += [one for one in map(self._table.get, self._table.holding) if one is not None and one not in found]
            busy = await self._busy(found)
            ticks = [self._decided(one, one.schedule.last_job_id in busy) for one in found]
            ticks = [one for one in ticks if one.after is not one.before.schedule]
            if not ticks:
                break
            await self._make_way(ticks, busy)
            stored = await self._store_all(ticks)
            made += [job.job_id for one in stored for job in one.jobs]
        return made

    # Deciding

    async def _busy(self, found: Iterable[Standing]) -> set[str]:
        """Which of the last jobs of those that care have not ended."""
        names, careful = self._names, [one.schedule for one in found if one.schedule.overlap != "allow"]
        ids = [schedule.last_job_id for schedule in careful if schedule.last_job_id is not None]
        places = (names.job, names.later, names.waiting)
        there = await self._streams.last(names.jobs_stream, [place("*", job_id) for job_id in ids for place in places])
        return {message.subject.rpartition(".")[2] for message in there}

    def _decided(self, standing: Standing, is_busy: bool) -> Ticks:
        schedule, now_ns = standing.schedule, self._now_ns()
        try:
            decision = decide(schedule, now_ns, late_ns=self._late_ns, is_busy=is_busy)
            jobs = tuple(self._job(schedule, due_ns, now_ns) for due_ns in decision.runs)
        except (InvalidSchedule, SerializationError) as error:
            return Ticks(standing, self._failed(schedule, now_ns, error), error=error)
        if not jobs and decision.next_ns == schedule.next_ns and decision.held_ns == schedule.held_ns:
            return Ticks(standing, schedule)  # a tick is held, and has to wait on
        repeat = None if schedule.repeat is None else schedule.repeat - len(jobs)
        is_over = not decision.next_ns and not decision.held_ns
        after = schedule.evolve(
            next_ns=decision.next_ns,
            held_ns=decision.held_ns,
            repeat=repeat,
            ticks=schedule.ticks + len(jobs),
            missed_ticks=schedule.missed_ticks + decision.missed - decision.caught_up + decision.overlapped,
            last_due_ns=decision.runs[-1] if jobs else schedule.last_due_ns,
            last_run_ns=now_ns if jobs else schedule.last_run_ns,
            last_job_id=jobs[-1].job_id if jobs else schedule.last_job_id,
            errors=0,
            retry_at_ns=0,
            state=ScheduleState.FINISHED if is_over else schedule.state,
            term=self._term(),
        )
        return Ticks(standing, after, jobs, decision.runs, decision)

    def _job(self, schedule: Schedule, due_ns: int, now_ns: int) -> Job:
        return self._serializer.decode_job(schedule.payload).evolve(
            job_id=tick_id(schedule.schedule_id, due_ns),
            queue_name=schedule.queue_name,
            enqueued_at_ns=now_ns,
            run_at_ns=due_ns + schedule.delay_of(due_ns),
        )

    def _failed(self, schedule: Schedule, now_ns: int, error: NaqError) -> Schedule:
        errors = schedule.errors + 1
        wait_ns = min(_RETRY_FIRST_NS * 2**errors, _RETRY_MOST_NS)
        is_given_up = errors >= _TRIES
        return schedule.evolve(
            errors=errors,
            retry_at_ns=now_ns + wait_ns,
            state=ScheduleState.FAILED if is_given_up else schedule.state,
            reason=f"{type(error).__name__}: {error}" if is_given_up else schedule.reason,
            term=self._term(),
        )

    async def _make_way(self, ticks: Iterable[Ticks], busy: set[str]) -> None:
        """Queues for the new jobs, and the end of those that they take the place of."""
        for queue in {one.after.queue_name for one in ticks if one.jobs} - self._queues:
            await self._ready(queue)
            self._queues.add(queue)
        for one in ticks:
            last = one.before.schedule.last_job_id
            if one.jobs and one.after.overlap == "cancel" and last is not None and last in busy:
                await self._cancel(last)

    # Storing

    async def _store_all(self, ticks: Sequence[Ticks]) -> list[Ticks]:
        stored: list[Ticks] = []
        part: list[Ticks] = []
        size = 0
        for one in ticks:
            if part and size + len(one.jobs) + 1 > _MESSAGES:
                stored += await self._store_part(part)
                part, size = [], 0
            part.append(one)
            size += len(one.jobs) + 1
        return stored + await self._store_part(part)

    async def _store_part(self, part: Sequence[Ticks]) -> list[Ticks]:
        """Store some together; where one is in the way of the others, each by itself."""
        if await self._stored(part):
            return list(part)
        await self._table.catch_up()
        still = [one for one in part if self._table.get(one.before.schedule.schedule_id) == one.before]
        stored = []
        for one in still:
            if await self._stored([one]):
                stored.append(one)
            elif self._table.get(one.before.schedule.schedule_id) == one.before:
                await self._pass_over(one)
        return stored

    async def _pass_over(self, one: Ticks) -> None:
        """Somebody has put a job of his own under the id of a tick, or the record has just changed."""
        error = NaqError(f"a job of the id {one.jobs[0].job_id if one.jobs else '?'} is there already")
        await self._stored([Ticks(one.before, one.after, error=error)])

    async def _stored(self, part: Sequence[Ticks]) -> bool:
        """Store all of these, or none because something has changed.

        Raises:
            ServerError: all may be stored, or none.
        """
        if not self._may_write():
            return False
        outgoing: list[Outgoing] = []
        places: list[int] = []
        for one in part:
            places.append(len(outgoing))
            outgoing.append(self._store.outgoing(one.after, one.before.sequence))
            outgoing += [self._outgoing(job) for job in one.jobs]
        try:
            sequences = await self._streams.publish_together(outgoing)
        except ServerError as error:
            if is_conflict(error):
                return False
            self._doubtful += part
            raise
        for one, place in zip(part, places, strict=True):
            self._table.put(Standing(one.after, sequences[place]))
            self._telling.ticked(one)
        return True

    def _settle_doubts(self) -> None:
        """Tell of those that were stored after all, as their records say."""
        doubtful, self._doubtful = self._doubtful, []
        for one in doubtful:
            now = self._table.get(one.after.schedule_id)
            if now is not None and now.schedule == one.after:
                self._telling.ticked(one)

    def _outgoing(self, job: Job) -> Outgoing:
        payload = self._serializer.encode_job(job)
        return Outgoing(self._names.job(job.queue_name or "default", job.job_id), payload, if_last_is(0))
