"""Schedules: make them, see them, manage them, and have those that are due make their jobs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Self

from msgspec import Struct

from naq_runtime.errors import (
    DuplicateSchedule,
    InvalidSchedule,
    NaqError,
    NotFound,
    SerializationError,
    ServerUnreachable,
)
from naq_runtime.events.models import ScheduleEventType
from naq_runtime.job import Job
from naq_runtime.jobs.cancelling import Cancellation
from naq_runtime.jobs.rules import JobRules
from naq_runtime.naming import check_name, new_id
from naq_runtime.nats.publish import Outgoing, is_conflict
from naq_runtime.nats.streams import if_last_is
from naq_runtime.schedule import (
    Schedule,
    ScheduleConfig,
    ScheduleState,
    check_schedule_id,
    decode_schedule,
    moment_ns,
)
from naq_runtime.scheduler.leadership import Leadership, read_leader
from naq_runtime.scheduler.planning import (
    cancelled,
    config_from,
    differences,
    not_before,
    planned,
    redeclared,
    replanned,
    resumed,
    revived,
    unreadable,
)
from naq_runtime.scheduler.store import ScheduleStore, Standing
from naq_runtime.scheduler.storing import TicksStore
from naq_runtime.scheduler.table import ScheduleTable
from naq_runtime.scheduler.telling import Telling
from naq_runtime.scheduler.templates import WISHES, Templates
from naq_runtime.scheduler.ticking import Ticker
from naq_runtime.services.events import EventService
from naq_runtime.services.jobs import JobService
from naq_runtime.snapshot import LeaderState

if TYPE_CHECKING:
    from naq_runtime.services.manager import ServiceManager

__all__ = ["ScheduleFilter", "SchedulerService"]

_TRIES = 8


class ScheduleFilter(Struct, frozen=True, kw_only=True):
    """Which schedules are meant: all that is given must hold. Names may have the shell's wildcards."""

    schedule_id: str | None = None
    queue_name: str | None = None
    function_name: str | None = None
    state: ScheduleState | None = None

    def matches(self, schedule: Schedule) -> bool:
        """Whether it is meant."""
        given = (
            (self.schedule_id, schedule.schedule_id),
            (self.queue_name, schedule.queue_name),
            (self.function_name, schedule.function_name),
        )
        if any(wanted is not None and not fnmatchcase(name, wanted) for wanted, name in given):
            return False
        return self.state is None or self.state is schedule.state


class SchedulerService:
    """What can be done with schedules, with or without a scheduler running."""

    def __init__(self, services: ServiceManager, events: EventService, jobs: JobService) -> None:
        self._services = services
        self._jobs = jobs
        self._streams = services.streams
        self._names = services.names
        self._serializer = services.serializer
        self._clock = services.clock
        self._telling = Telling(events, f"{services.role} {events.instance}")
        self._templates = Templates(services.serializer, jobs.prepared)
        self._store = ScheduleStore(services.streams, services.names)
        self._leadership: Leadership | None = None
        self.rules: JobRules = jobs.rules
        self.table = ScheduleTable(self._store)
        self._ticks = TicksStore(
            services.streams,
            services.names,
            self.table,
            self._store,
            self._telling,
            may_write=self._may_write,
            now_ns=self.now_ns,
        )
        self._ticker = Ticker(
            services.streams,
            services.names,
            services.serializer,
            self.table,
            self._ticks,
            ready=services.topology.queue,
            cancel=self._cancel_jobs,
            now_ns=self.now_ns,
            late_ns=int(services.config.scheduler.late_after * 1e9),
            may_write=self._may_write,
            term=lambda: 0 if self._leadership is None else self._leadership.term,
        )

    @classmethod
    async def create(cls, services: ServiceManager) -> Self:
        """Ready the stream of jobs."""
        return cls(services, await services.get_service(EventService), await services.get_service(JobService))

    async def stop(self) -> None:
        """Nothing to give back."""

    # Making and seeing them

    async def schedule_job(self, job: Job, config: ScheduleConfig | Mapping[str, Any], *, replace: bool = False) -> str:
        """Have a job come when the configuration says; returns the id of the schedule.

        Args:
            job: what each tick makes; its id and time are the ticks'.
            config: see `ScheduleConfig`; a mapping of its fields will do.
            replace: change the schedule of this id, if there is one, to what is said here. How it stands, its counts,
                and when it is due next stay, as long as they can.

        Raises:
            InvalidSchedule: it cannot be kept.
            NotImportable, SerializationError: the job cannot be enqueued as it is.
            DuplicateSchedule: there is a schedule of this id, and it is not to be replaced.
            SerializationError: what is to be replaced is no schedule that can be read; `cancel` it.
            ServerError: it may or may not be stored.
        """
        wanted, prepared = config_from(config), self._templates.prepared(job)
        if replace and wanted.schedule_id is None:
            raise InvalidSchedule("what is to be replaced must be named: give it a schedule_id (--id)")
        queue = prepared.queue_name or "default"
        schedule = planned(wanted, queue, str(prepared.function), self._templates.encode(prepared), self.now_ns())
        await self._services.topology.queue(queue)
        if replace and await self._redeclare(wanted, schedule):
            return schedule.schedule_id
        try:
            await self._store.add(schedule)
        except DuplicateSchedule:
            if not replace or not await self._redeclare(wanted, schedule):  # somebody said the same at this moment
                raise
        else:
            self._telling.scheduled(schedule)
        return schedule.schedule_id

    async def _redeclare(self, wanted: ScheduleConfig, fresh: Schedule) -> bool:
        """Change what is there to what is said now, if it is not as it should be; ``False`` when nothing is there."""
        try:
            await self._modify(fresh.schedule_id, lambda now: redeclared(now, wanted, fresh, self.now_ns()))
        except NotFound:
            return False
        return True

    async def get(self, schedule_id: str) -> Schedule:
        """One schedule, also one that has finished, for a minute.

        Raises:
            NotFound: there is none of this id.
        """
        try:
            return (await self._store.get(check_schedule_id(schedule_id))).schedule
        except NotFound:
            for message in await self._store.read([schedule_id]):
                if (schedule := decode_schedule(message.data)).state is ScheduleState.FINISHED:
                    return schedule
            raise

    async def list(self, wanted: ScheduleFilter | None = None) -> AsyncIterator[Schedule]:
        """The schedules that are meant, in the order in which they were changed last."""
        async for page in self._store.scan():
            for message in page:
                try:
                    schedule = decode_schedule(message.data)
                except SerializationError:
                    continue
                if not schedule.state.is_over and (wanted is None or wanted.matches(schedule)):
                    yield schedule

    async def next_runs(self, schedule_id: str, count: int = 5) -> Sequence[datetime]:
        """The coming ticks of a schedule, in UTC; fewer when there are no more.

        Raises:
            NotFound: there is none of this id.
            InvalidSchedule: its timetable cannot be read on this machine, or the count is not 1 to 10,000.
        """
        schedule = await self.get(schedule_id)
        return [datetime.fromtimestamp(due_ns / 1e9, UTC) for due_ns in schedule.next_runs(count, self.now_ns())]

    def job_of(self, schedule: Schedule) -> Job:
        """What each tick makes.

        Raises:
            SerializationError: it cannot be read.
        """
        return self._templates.job_of(schedule)

    async def leader(self) -> LeaderState | None:
        """Who leads the schedulers; ``None`` when nobody does, or who did is silent for longer than the lease."""
        leader, _ = await read_leader(self._streams, self._names, self._clock.time_ns)
        return leader if leader is not None and leader.leads else None

    def now_ns(self) -> int:
        """The time by the clock of the server: the one that all schedulers share."""
        return self._clock.time_ns() + self._streams.skew_ns

    # Managing them

    async def pause(self, schedule_id: str, reason: str = "") -> Schedule:
        """Have no more jobs come, until `resume`.

        Raises:
            NotFound: there is none of this id.
        """
        _, after = await self._change(
            schedule_id, lambda now: now.evolve(state=ScheduleState.PAUSED, reason=reason or None, held_ns=0)
        )
        self._telling.managed(ScheduleEventType.PAUSED, after, reason)
        return after

    async def resume(self, schedule_id: str) -> Schedule:
        """Let a schedule go on that is paused or has failed; what was due meanwhile is passed over.

        Raises:
            NotFound: there is none of this id.
            InvalidSchedule: nothing is due any more.
        """
        before, after = await self._change(schedule_id, lambda now: resumed(now, self.now_ns()))
        if before.state is not ScheduleState.ACTIVE:
            self._telling.managed(ScheduleEventType.RESUMED, after)
        return after

    async def cancel(self, schedule_id: str, reason: str = "") -> Schedule:
        """Have no more jobs come, for good. Those that are enqueued stay. Also of a record that nobody can read.

        Raises:
            NotFound: there is none of this id.
        """
        try:
            _, after = await self._change(schedule_id, lambda now: cancelled(now, reason))
        except SerializationError:
            after = await self._store.overwrite(cancelled(unreadable(schedule_id), reason))
        self._telling.managed(ScheduleEventType.CANCELLED, after, reason)
        return after

    async def modify(
        self,
        schedule_id: str,
        *,
        job: Job | None = None,
        function: Callable[..., Any] | str | None = None,
        args: tuple[Any, ...] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        queue_name: str | None = None,
        next_run_at: datetime | None = None,
        **changes: Any,
    ) -> Schedule:
        """Change a schedule; what is left out stays. Its count of jobs goes on; one that has failed is active again.

        Args:
            job: what each tick makes from now on.
            function: of the job. Where only some of the job is said, and it cannot be read any more, it is made anew.
            args: of the job.
            kwargs: of the job.
            queue_name: where its jobs go from now on.
            next_run_at: when it is due next, at once when that has passed; then it goes on as its timetable says.
            changes: fields of `ScheduleConfig`; ``cron``, ``every`` and ``at`` take each other's place. Also
                ``retries``, ``retry_delay``, ``timeout`` and ``result_ttl`` of the job. ``None`` takes away what may
                be missing, such as ``repeat``, ``ends_at`` or ``timeout``.

        Raises:
            NotFound: there is none of this id.
            InvalidSchedule: it cannot be kept so.
            NotImportable, SerializationError: the job cannot be enqueued as it is.
            ValueError: a number of the job is out of range.
        """
        given = {"function": function, "args": args, "kwargs": kwargs}
        wishes = {name: value for name, value in given.items() if value is not None}
        wishes |= {name: changes.pop(name) for name in WISHES if name in changes}
        queue_name = queue_name or (None if job is None else job.queue_name)
        next_ns = moment_ns("next_run_at", next_run_at)
        if next_ns:
            next_ns = not_before(self.now_ns(), next_ns)
        if queue_name is not None:
            await self._services.topology.queue(check_name("queue", queue_name))

        def changed(schedule: Schedule) -> Schedule:
            after = replanned(schedule, changes, self.now_ns()) if changes else schedule
            after = self._templates.rewritten(after, job, wishes)
            return revived(after.evolve(queue_name=queue_name or after.queue_name, next_ns=next_ns or after.next_ns))

        return await self._modify(schedule_id, changed, next_run_at)

    async def trigger_now(self, schedule_id: str) -> str:
        """Have a job come at once, besides those that are due; returns the job's id.

        Raises:
            NotFound: there is none of this id.
            SerializationError: its job cannot be read.
        """
        job_id = f"{check_schedule_id(schedule_id)}-now-{new_id(8)}"
        for _ in range(_TRIES):
            standing = await self._store.get(schedule_id)
            schedule, now_ns = standing.schedule, self.now_ns()
            await self._services.topology.queue(schedule.queue_name)
            job = self.job_of(schedule).evolve(
                job_id=job_id, queue_name=schedule.queue_name, enqueued_at_ns=now_ns, run_at_ns=0
            )
            after = schedule.evolve(ticks=schedule.ticks + 1, asked_ns=now_ns, asked_job_id=job_id)
            payload = self._serializer.encode_job(job)
            message = Outgoing(self._names.job(schedule.queue_name, job_id), payload, if_last_is(0))
            try:
                await self._streams.publish_together([self._store.outgoing(after, standing.sequence), message])
            except NaqError as error:
                if is_conflict(error):
                    continue
                raise
            await self._store.changed()
            self._telling.triggered_now(after, job)
            return job_id
        raise self._contended(schedule_id)

    # Keeping them

    async def trigger_due_jobs(self) -> Sequence[str]:
        """Make the jobs that are due by now, once; their ids. Whoever else does the same is in nobody's way.

        Raises:
            ServerError: some may be made; do it again.
        """
        await self.catch_up()
        return await self.run_due()

    async def catch_up(self, *, anew: bool = False) -> None:
        """Read which schedules have changed since the last time; see `ScheduleTable.catch_up`."""
        await self.table.catch_up(anew=anew)
        await self._ticks.settle_doubts()

    async def run_due(self) -> Sequence[str]:
        """Make the jobs that are due by what was read last; see `Ticker.run_due`."""
        if self._may_write():
            while self.table.unreadable:
                self._telling.unreadable(*self.table.unreadable.popitem())
        return await self._ticker.run_due()

    def act_for(self, leadership: Leadership) -> None:
        """Make jobs only while this is held."""
        self._leadership = leadership

    def _may_write(self) -> bool:
        return self._leadership is None or self._leadership.leads

    async def _modify(
        self, schedule_id: str, changed: Callable[[Schedule], Schedule], next_run_at: datetime | None = None
    ) -> Schedule:
        """Change a schedule, and tell what is not as it was."""
        before, after = await self._change(schedule_id, changed)
        if after != before:
            said = differences(before, after) | self._templates.differences(before, after)
            said |= {name: f"{value:.15g}" for name, value in said.items() if isinstance(value, float)}
            self._telling.modified(after, said if next_run_at is None else said | {"next_run_at": next_run_at})
        return after

    async def _change(self, schedule_id: str, changed: Callable[[Schedule], Schedule]) -> tuple[Schedule, Schedule]:
        """Store a schedule that is changed; as it was, and as it is."""
        check_schedule_id(schedule_id)
        for _ in range(_TRIES):
            standing: Standing = await self._store.get(schedule_id)
            after = changed(standing.schedule)
            if after == standing.schedule or await self._store.replace(standing, after):
                return standing.schedule, after
        raise self._contended(schedule_id)

    def _contended(self, schedule_id: str) -> NaqError:
        return ServerUnreachable(f"schedule {schedule_id} is being changed by others all the time: try again")

    async def _cancel_jobs(self, job_ids: Collection[str]) -> None:
        wish = Cancellation.of("scheduler", "the next tick of its schedule was due")
        await self.rules.cancelling.cancel_those(job_ids, wish)
