"""Schedules: make them, see them, manage them, and have those that are due make their jobs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Self

from msgspec import Struct

from naq_runtime.errors import InvalidSchedule, NaqError, SerializationError, ServerUnreachable
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
from naq_runtime.scheduler.planning import planned, replanned, resumed, unreadable
from naq_runtime.scheduler.store import ScheduleStore, Standing
from naq_runtime.scheduler.storing import TicksStore
from naq_runtime.scheduler.table import ScheduleTable
from naq_runtime.scheduler.telling import Telling
from naq_runtime.scheduler.ticking import Ticker
from naq_runtime.services.events import EventService
from naq_runtime.services.jobs import JobService
from naq_runtime.snapshot import LeaderState

if TYPE_CHECKING:
    from naq_runtime.services.manager import ServiceManager

__all__ = ["ScheduleFilter", "SchedulerService"]

_TRIES = 8
_MILLISECOND_NS = 1_000_000


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

    async def schedule_job(self, job: Job, config: ScheduleConfig | Mapping[str, Any]) -> str:
        """Have a job come when the configuration says; returns the id of the schedule.

        Args:
            job: what each tick makes; its id and time are the ticks'.
            config: see `ScheduleConfig`; a mapping of its fields will do.

        Raises:
            InvalidSchedule: it cannot be kept.
            NotImportable, SerializationError: the job cannot be enqueued as it is.
            DuplicateSchedule: there is a schedule of this id.
            ServerError: it may or may not be stored.
        """
        wanted = config if isinstance(config, ScheduleConfig) else ScheduleConfig(**config)
        prepared = self._prepared(job)
        payload = self._serializer.encode_job(prepared)
        queue = prepared.queue_name or "default"
        schedule = planned(wanted, queue, str(prepared.function), payload, self.now_ns())
        await self._services.topology.queue(queue)
        await self._store.add(schedule)
        self._telling.scheduled(schedule)
        return schedule.schedule_id

    async def get(self, schedule_id: str) -> Schedule:
        """One schedule.

        Raises:
            NotFound: there is none of this id.
        """
        return (await self._store.get(check_schedule_id(schedule_id))).schedule

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
            InvalidSchedule: its timetable cannot be read on this machine.
        """
        schedule = await self.get(schedule_id)
        return [datetime.fromtimestamp(due_ns / 1e9, UTC) for due_ns in schedule.next_runs(count, self.now_ns())]

    def job_of(self, schedule: Schedule) -> Job:
        """What each tick makes.

        Raises:
            SerializationError: it cannot be read.
        """
        return self._serializer.decode_job(schedule.payload).evolve(queue_name=schedule.queue_name)

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
        after = await self._change(
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
        before = await self.get(schedule_id)
        after = await self._change(schedule_id, lambda now: resumed(now, self.now_ns()))
        if before.state is not ScheduleState.ACTIVE:
            self._telling.managed(ScheduleEventType.RESUMED, after)
        return after

    async def cancel(self, schedule_id: str, reason: str = "") -> Schedule:
        """Have no more jobs come, for good. Those that are enqueued stay. Also of a record that nobody can read.

        Raises:
            NotFound: there is none of this id.
        """

        def cancelled(now: Schedule) -> Schedule:
            return now.evolve(state=ScheduleState.CANCELLED, reason=reason or None, next_ns=0, held_ns=0)

        try:
            after = await self._change(schedule_id, cancelled)
        except SerializationError:
            after = await self._store.overwrite(cancelled(unreadable(schedule_id)))
        self._telling.managed(ScheduleEventType.CANCELLED, after, reason)
        return after

    async def modify(
        self,
        schedule_id: str,
        *,
        args: tuple[Any, ...] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        queue_name: str | None = None,
        next_run_at: datetime | None = None,
        **changes: Any,
    ) -> Schedule:
        """Change a schedule; what is left out stays. Its count of jobs goes on.

        Args:
            args: of the job. With them or ``kwargs``, a job that cannot be read any more is made anew.
            kwargs: of the job.
            queue_name: where its jobs go from now on.
            next_run_at: when it is due next, at once when that has passed; then it goes on as its timetable says.
            changes: fields of `ScheduleConfig`; ``cron``, ``every`` and ``at`` take each other's place. ``None``
                takes away what may be missing, such as ``repeat`` or ``ends_at``.

        Raises:
            NotFound: there is none of this id.
            InvalidSchedule: it cannot be kept so.
            SerializationError: an argument has no such form.
        """
        next_ns = moment_ns("next_run_at", next_run_at)
        if next_ns:
            next_ns = max(next_ns, self.now_ns() // _MILLISECOND_NS * _MILLISECOND_NS)
        if queue_name is not None:
            await self._services.topology.queue(check_name("queue", queue_name))

        def changed(schedule: Schedule) -> Schedule:
            after = replanned(schedule, changes, self.now_ns()) if changes else schedule
            if args is not None or kwargs is not None:
                after = after.evolve(payload=self._payload(schedule, args, kwargs))
            return after.evolve(
                queue_name=queue_name or after.queue_name, next_ns=next_ns or after.next_ns, errors=0, retry_at_ns=0
            )

        after = await self._change(schedule_id, changed)
        given = {"args": args, "kwargs": kwargs, "queue_name": queue_name, "next_run_at": next_run_at}
        self._telling.modified(after, {name: value for name, value in given.items() if value is not None} | changes)
        return after

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
            after = schedule.evolve(ticks=schedule.ticks + 1, last_run_ns=now_ns, last_job_id=job_id)
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

    async def _change(self, schedule_id: str, changed: Callable[[Schedule], Schedule]) -> Schedule:
        check_schedule_id(schedule_id)
        for _ in range(_TRIES):
            standing: Standing = await self._store.get(schedule_id)
            after = changed(standing.schedule)
            if after is standing.schedule or await self._store.replace(standing, after):
                return after
        raise self._contended(schedule_id)

    def _contended(self, schedule_id: str) -> NaqError:
        return ServerUnreachable(f"schedule {schedule_id} is being changed by others all the time: try again")

    def _prepared(self, job: Job) -> Job:
        if job.needs or job.unique_key is not None:
            raise InvalidSchedule("a scheduled job cannot depend on others or have a unique key: see overlap")
        if job.run_at_ns:
            raise InvalidSchedule("a scheduled job has no time of its own: use at, or starts_at")
        return self._jobs.prepared(job)

    def _payload(self, schedule: Schedule, args: tuple[Any, ...] | None, kwargs: Mapping[str, Any] | None) -> bytes:
        """Its job with other arguments."""
        try:
            job = self.job_of(schedule)
        except SerializationError:
            job = self._prepared(Job(schedule.function_name, queue_name=schedule.queue_name))
        job = job.evolve(
            args=job.args if args is None else tuple(args), kwargs=job.kwargs if kwargs is None else dict(kwargs)
        )
        return self._serializer.encode_job(job)

    async def _cancel_jobs(self, job_ids: Collection[str]) -> None:
        wish = Cancellation.of("scheduler", "the next tick of its schedule was due")
        await self.rules.cancelling.cancel_those(job_ids, wish)
