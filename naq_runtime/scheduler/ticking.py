"""Seeing to schedules that are due: what is to be done with each, and what must be there before it is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence

from naq_runtime.errors import InvalidName, JetStreamError, NaqError, TopologyMismatch
from naq_runtime.job import Job
from naq_runtime.naming import Names, check_name
from naq_runtime.nats.publish import Outgoing, is_out_of_consumers
from naq_runtime.nats.streams import Streams, if_last_is
from naq_runtime.schedule import Schedule, ScheduleState, tick_id
from naq_runtime.scheduler.deciding import decide
from naq_runtime.scheduler.store import Standing
from naq_runtime.scheduler.storing import LARGEST_PIECE, Ticks, TicksStore, failed
from naq_runtime.scheduler.table import ScheduleTable
from naq_runtime.serializer import Serializer

__all__ = ["Ticker"]

log = logging.getLogger(__name__)

_AT_A_TIME = 1_000
"""Schedules that are seen to together."""
_BLOCKED_S = 0.02
"""So long at most nothing else happens while it is decided what to do."""
_MESSAGES = 10_000
_BYTES = 64 * 1024 * 1024
"""Of the jobs that are made before any is stored; one schedule more may be seen to when there are so many."""
_TRIES = 5
"""So many times in a row nothing may be stored of what is due before it is left for later."""


class Ticker:
    """Sees to schedules whose time has come.

    Args:
        table: the schedules; whoever calls keeps it up.
        store: takes what was decided.
        ready: makes a queue, when it is not there yet.
        cancel: ends jobs, whatever they are doing.
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
        store: TicksStore,
        *,
        ready: Callable[[str], Awaitable[object]],
        cancel: Callable[[Collection[str]], Awaitable[object]],
        now_ns: Callable[[], int],
        late_ns: int,
        may_write: Callable[[], bool],
        term: Callable[[], int],
    ) -> None:
        self._streams = streams
        self._names = names
        self._serializer = serializer
        self._table = table
        self._store = store
        self._ready = ready
        self._cancel = cancel
        self._now_ns = now_ns
        self._late_ns = late_ns
        self._may_write = may_write
        self._term = term

    async def run_due(self) -> list[str]:
        """Make the jobs that are due by now; their ids.

        Raises:
            ServerError: do it again, once the table has caught up.
        """
        made: list[str] = []
        holding = self._table.held(self._now_ns())
        for start in range(0, len(holding), _AT_A_TIME):
            made += _ids(await self._see_to(holding[start : start + _AT_A_TIME]))
        in_vain = 0
        while self._may_write() and in_vain < _TRIES:
            found = self._table.due(self._now_ns(), _AT_A_TIME)
            if not found:
                break
            stored = await self._see_to(found)
            made += _ids(stored)
            in_vain = 0 if stored else in_vain + 1
        return made

    async def _see_to(self, found: Sequence[Standing]) -> list[Ticks]:
        """Store what is to be done with some of them; what was stored."""
        busy = await self._busy(found)
        ticks = await self._with_queues(await self._decided(found, busy))
        replaced = {one.after.schedule_id: last for one in ticks if (last := _replaced(one)) in busy}
        stored = await self._store.store([one for one in ticks if one.after.schedule_id not in replaced])
        if replaced and self._may_write():
            await self._cancel(replaced.values())
            stored += await self._store.store([one for one in ticks if one.after.schedule_id in replaced])
        return stored

    async def _busy(self, found: Sequence[Standing]) -> set[str]:
        """Which of the last jobs of those that care have not ended."""
        names, careful = self._names, [one.schedule for one in found if one.schedule.overlap != "allow"]
        ids = [schedule.last_job_id for schedule in careful if schedule.last_job_id is not None]
        places = (names.job, names.later, names.waiting)
        there = await self._streams.last(names.jobs_stream, [place("*", job_id) for job_id in ids for place in places])
        return {message.subject.rpartition(".")[2] for message in there}

    # Deciding

    async def _decided(self, found: Sequence[Standing], busy: Collection[str]) -> list[Ticks]:
        """What is to be done with those of which anything is, up to as many as are stored in one go; the others are
        due again right behind them. The rest of the program goes on meanwhile.
        """
        loop, ticks = asyncio.get_running_loop(), []
        since_s, count, size = loop.time(), 0, 0
        for standing in found:
            one = self._decide(standing, standing.schedule.last_job_id in busy)
            if one.after is not standing.schedule:
                ticks.append(one)
                count, size = count + 1 + len(one.jobs), size + one.size
                if count > _MESSAGES or size > _BYTES:
                    break
            if loop.time() - since_s > _BLOCKED_S:
                await asyncio.sleep(0)
                since_s = loop.time()
        return ticks

    def _decide(self, standing: Standing, is_busy: bool) -> Ticks:
        schedule, now_ns = standing.schedule, self._now_ns()
        try:
            check_name("queue", schedule.queue_name)
            most = max(1, LARGEST_PIECE // max(1, len(schedule.payload)))
            decision = decide(schedule, now_ns, late_ns=self._late_ns, is_busy=is_busy, most=most)
            jobs = self._jobs(schedule, decision.runs, now_ns)
            messages = tuple(map(self._outgoing, jobs))
        except Exception as error:  # supervision: records and serializers are anybody's, and one must not stop all
            return self._failed(standing, error)
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
        return Ticks(standing, after, jobs, decision.runs, messages, decision)

    def _jobs(self, schedule: Schedule, runs: Sequence[int], now_ns: int) -> tuple[Job, ...]:
        """One for each tick; that a job is read once only makes many of them twice as fast."""
        job = self._serializer.decode_job(schedule.payload) if runs else None
        return tuple(
            job.evolve(
                job_id=tick_id(schedule.schedule_id, due_ns),
                queue_name=schedule.queue_name,
                enqueued_at_ns=now_ns,
                run_at_ns=due_ns + schedule.delay_of(due_ns),
            )
            for due_ns in runs
            if job is not None
        )

    def _outgoing(self, job: Job) -> Outgoing:
        payload = self._serializer.encode_job(job)
        return Outgoing(self._names.job(job.queue_name or "default", job.job_id), payload, if_last_is(0))

    def _failed(self, standing: Standing, error: Exception) -> Ticks:
        if not isinstance(error, NaqError):
            said = {"action": "schedule_failed"}
            log.error("schedule %s failed", standing.schedule.schedule_id, exc_info=error, extra=said)
        return failed(standing, error, self._now_ns(), self._term())

    # Making way

    async def _with_queues(self, ticks: Sequence[Ticks]) -> list[Ticks]:
        """See that there are queues for the new jobs; where one cannot be, its schedules fail."""
        unready: dict[str, NaqError] = {}
        for queue in sorted({one.after.queue_name for one in ticks if one.jobs}):
            try:
                await self._ready(queue)
            except (InvalidName, TopologyMismatch) as error:
                unready[queue] = error
            except JetStreamError as error:
                if not is_out_of_consumers(error):
                    raise
                unready[queue] = error
        failed = {one.after.schedule_id for one in ticks if one.jobs and one.after.queue_name in unready}
        return [
            self._failed(one.before, unready[one.after.queue_name]) if one.after.schedule_id in failed else one
            for one in ticks
        ]


def _replaced(one: Ticks) -> str:
    """The job that has to end before the tick has its own; empty for none."""
    return one.before.schedule.last_job_id or "" if one.jobs and one.after.overlap == "cancel" else ""


def _ids(ticks: Sequence[Ticks]) -> Iterator[str]:
    return (job.job_id for one in ticks for job in one.jobs)
