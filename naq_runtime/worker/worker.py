"""A worker: pulls jobs as slots come free, runs them, and settles them in groups.

A job is held from its delivery until its outcome is stored. While it is held, the server is told so; when the
worker dies, the job is given to another.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from naq_runtime.errors import ServerUnreachable
from naq_runtime.events.models import JobEventType
from naq_runtime.job import Job, Whereabouts
from naq_runtime.jobs.overdue import Overdue
from naq_runtime.jobs.rules import JobRules
from naq_runtime.naming import check_name
from naq_runtime.nats.control import CancelRequest, Control
from naq_runtime.services.events import EventService
from naq_runtime.services.manager import ServiceManager
from naq_runtime.tasks import TaskRegistry
from naq_runtime.worker.activity import Activity
from naq_runtime.worker.adjusting import adjustable
from naq_runtime.worker.aftermath import Aftermath
from naq_runtime.worker.amends import Amends
from naq_runtime.worker.burst import burst_over
from naq_runtime.worker.children import Children
from naq_runtime.worker.custody import Custody, Holding
from naq_runtime.worker.dependants import Dependants
from naq_runtime.worker.ending import Stop, cancelled, finished
from naq_runtime.worker.execution import Executor
from naq_runtime.worker.framing import Frame
from naq_runtime.worker.handling import JobHandler
from naq_runtime.worker.intake import Intake
from naq_runtime.worker.portrait import Portrait, default_worker_name
from naq_runtime.worker.presence import Doing, Presence
from naq_runtime.worker.record import Counts, WorkerState
from naq_runtime.worker.reporting import report_trouble
from naq_runtime.worker.returning import Returning
from naq_runtime.worker.settlement import Settlement, Unsettled
from naq_runtime.worker.sharing import parse_shares, sharing_of
from naq_runtime.worker.sweeper import Sweeper

__all__ = ["Worker"]

log = logging.getLogger(__name__)

_UNSETTLED_LIMIT = 2_000
"""Above so many finished jobs that are not settled, no more are asked for; below half of it they are again."""


class Worker:
    """Runs the jobs of some queues, until it is asked to stop.

    Args:
        services: connection, event log and settings.
        queues: whose jobs to run; in order, where ``worker.queue_order`` is strict, and with weights (``mail=3``),
            where it is weighted.
        registry: the functions it may run.
        modules: what the registry was loaded from, for its record.
        name: unique among the workers.
        concurrency: jobs at a time; the configured number when left out.
        burst: stop by itself once no job is queued any more.

    Raises:
        InvalidName: a queue's or the worker's name cannot be used.
        ConfigError: a weight cannot be used, or is not.
    """

    def __init__(
        self,
        services: ServiceManager,
        queues: Sequence[str],
        registry: TaskRegistry,
        *,
        modules: Sequence[str] = (),
        name: str | None = None,
        concurrency: int | None = None,
        burst: bool = False,
    ) -> None:
        self.worker_id = check_name("worker", name or default_worker_name())
        self._shares = parse_shares(queues)
        sharing_of(services.config.worker.queue_order, self._shares)
        self.queues = tuple(self._shares)
        self.concurrency = concurrency or services.config.worker.concurrency
        self.counts = Counts()
        self._services = services
        self._config = services.config
        self._clock = services.clock
        self._registry = registry
        self._modules = tuple(modules)
        self._burst = burst
        self._stop = Stop()
        self._frame = Frame(registry, self._stop, services.config.worker.shutdown_grace)
        self._is_open = False
        self.adjustable: Mapping[str, Callable[[Any], None]] = {}
        """What applies a new value of a setting, by its key; nothing before it runs."""
        self.on_open: list[Callable[[], None]] = []
        """Called when it begins to take jobs, after the hooks of its start."""
        self.was_sent_home = False
        """Whether it was asked to stop by name, and not by a signal."""
        self._running: dict[str, asyncio.Task[None]] = {}

    def _build(self, events: EventService) -> None:
        """Make the parts, and join them."""
        connection, names, streams = self._services.connection, self._services.names, self._services.streams
        self._events = events
        self._activity = Activity(events, self.worker_id, self.concurrency)
        self._custody = Custody(self._config.jobs.ack_wait, lambda: connection.is_connected)
        self._dependants = Dependants(connection, streams, names)
        self._returning = Returning(connection, streams, names)
        self._rules = JobRules(
            streams,
            names,
            self._services.serializer,
            report=events.about,
            ask=Control(connection, names).end_jobs,
            may_be_needed=self._dependants.may_be_needed,
            large_as_objects=self._config.results.large == "store",
            clock=self._clock,
        )
        self._build_intake()
        self._build_execution()
        self._build_presence()

    def _build_intake(self) -> None:
        """What takes jobs, and what settles them."""
        services = self._services
        self._intake = Intake(
            services.connection,
            services.streams,
            services.topology,
            services.names,
            self._shares,
            self._custody,
            self._returning,
            order=self._config.worker.queue_order,
            slots=self.concurrency,
            start=self._start,
            blocked=lambda: self._settlement.waiting >= _UNSETTLED_LIMIT,
        )
        self._aftermath = Aftermath(self._events, self._custody, self.counts)
        self._settlement = Settlement(
            services.connection,
            services.streams,
            services.names,
            self._rules.ledger,
            self._returning,
            commit_size=self._config.worker.commit_size,
            settled=self._on_settled,
            superseded=self._aftermath.superseded,
            troubled=partial(report_trouble, self._events, self.worker_id),
            recovered=partial(self._events.recovered, "outcomes"),
        )

    def _build_execution(self) -> None:
        """What runs jobs."""
        registry, serializer = self._registry, self._services.serializer
        self._children = Children(self._modules, registry.allowed, serializer, most=self.concurrency)
        self._executor = Executor(
            registry.get,
            serializer,
            worker_id=self.worker_id,
            threads=self.concurrency,
            clock=self._clock,
            cancelled=self._stop.requested.is_set,
            emit=self._on_job_event,
            processes=self._children,
            middleware=(*self._services.middleware, *registry.middleware),
        )
        self._handler = JobHandler(
            self._services,
            self._events,
            self._rules,
            self._executor,
            self._settlement,
            self._custody,
            self._returning,
            self.counts,
            worker_id=self.worker_id,
            stop_reason=lambda: self._stop.reason,
        )

    def _build_presence(self) -> None:
        """What others see of it and ask of it, and what it sees to besides its jobs."""
        services = self._services
        self._amends = Amends(services, self._events, after_s=2 * self._config.jobs.sweep_interval)
        self._sweeper = Sweeper(
            self._rules.dependencies,
            self._dependants,
            Overdue(services.streams, services.names, self._clock.time_ns),
            self._amends,
            interval_s=self._config.jobs.sweep_interval,
        )
        portrait = Portrait(
            self._events,
            self.counts,
            self._clock,
            worker_id=self.worker_id,
            queues=self.queues,
            concurrency=self.concurrency,
            modules=self._modules,
            heartbeat_interval=self._config.worker.heartbeat_interval,
        )
        self._presence = Presence(
            services,
            self._events,
            portrait,
            worker_id=self.worker_id,
            doing=self._doing,
            end_jobs=self._end_jobs,
            stop=self._asked_to_stop,
            keep_limits=self._intake.keep_limits,
        )
        parts = (self._intake, self._executor.calls, self._children, self._activity, self._presence)
        self.adjustable = adjustable(*parts, self._sweeper, self._frame)

    def __repr__(self) -> str:
        return f"<Worker {self.worker_id} running={len(self._running)}/{self.concurrency}>"

    @property
    def active(self) -> int:
        """How many jobs run now."""
        return len(self._running)

    @property
    def is_stopping(self) -> bool:
        """Whether it has been asked to stop."""
        return self._stop.requested.is_set()

    @property
    def stop_reason(self) -> str | None:
        """Why it was asked to stop, or stopped."""
        return self._stop.reason

    @property
    def stuck(self) -> int:
        """Functions that still run although nobody waits for them: threads of jobs, and what heeds no cancellation."""
        return self._executor.calls.threads_running + len(self._running) + self._frame.stuck

    def request_stop(self, reason: str = "requested", *, at_once: bool = False) -> None:
        """Fetch no more, let running jobs end within the grace, hand back the rest. May be called twice.

        Args:
            reason: for the events; the first stands.
            at_once: give no grace.
        """
        self._stop.request(reason, at_once=at_once)

    async def run(self) -> None:
        """Work until `request_stop`.

        Raises:
            NameTaken: a worker of this name runs already.
            TaskError: a hook of the start failed.
            ServerError: the server cannot be used, or ended the connection for good.
        """
        services, topology = self._services, self._services.topology
        self._build(await services.get_service(EventService))
        for ready in (topology.jobs, topology.results, topology.workers, topology.dead):
            await ready()
        await self._presence.begin()
        self._amends.owed += self._presence.predecessors
        try:
            if await self._frame.start_up():
                await self._open()
                await self._supervise()
        finally:
            await self._shut_down()
            await self._presence.end(self._stop.reason)

    async def _open(self) -> None:
        """Take jobs from now on."""
        await self._dependants.open()
        await self._intake.open()
        self._services.connection.on_restored.append(self._handler.inheritance.server_restored)
        self._is_open = True
        for listener in self.on_open:
            listener()

    # One job

    def _start(self, holding: Holding) -> None:
        subject = holding.delivery.subject
        self._running[subject] = asyncio.create_task(self._process(holding), name=subject)
        self._activity.changed(len(self._running))

    async def _process(self, holding: Holding) -> None:
        subject, begun_ns = holding.delivery.subject, self._clock.monotonic_ns()
        try:
            await self._handler.handle(holding)
        finally:
            self._running.pop(subject, None)
            self._activity.changed(len(self._running))
            self._intake.slot_freed((self._clock.monotonic_ns() - begun_ns) / 1e9)

    def _on_settled(self, batch: Sequence[Unsettled]) -> None:
        self._aftermath.settled(batch)
        if self._settlement.waiting < _UNSETTLED_LIMIT // 2:
            self._intake.unblocked()

    def _on_job_event(self, job: Job, event_type: JobEventType, fields: dict[str, Any]) -> None:
        self._events.about(event_type, job, {"worker_id": self.worker_id, "attempt": job.attempt, **fields})

    def _end_jobs(self, request: CancelRequest) -> Whereabouts:
        """End those of the jobs that are here; which they are."""
        wanted = set(request.job_ids)
        here = [holding for holding in self._custody if holding.job_id in wanted]
        if request.only_asking:
            of_queue = [holding for holding in self._custody if request.queue == holding.queue]
            return Whereabouts([holding.job_id for holding in (*here, *of_queue)])
        over = [holding for holding in here if holding.has_ended and not holding.runs_again]
        going_on = [holding for holding in here if holding not in over]
        ending = [one.job_id for one in going_on if self._handler.end_job(one, request.reason, request.by)]
        self._handler.remember_asked(wanted.difference(ending))
        self._intake.reconsider()
        return Whereabouts(ending, [holding.job_id for holding in over], self._aftermath.unkept(wanted))

    def _asked_to_stop(self, reason: str) -> None:
        self.was_sent_home = self.was_sent_home or not self.is_stopping
        self.request_stop(reason or "asked to stop", at_once=self.is_stopping)

    # The worker itself

    async def _supervise(self) -> None:
        """Return when asked to stop; raise what a side task, or the end of the connection, makes of it."""
        connection, beating = self._services.connection, self._presence.beating
        side = [
            asyncio.create_task(self._settlement.run(), name="settlement"),
            asyncio.create_task(self._intake.run(), name="intake"),
            asyncio.create_task(self._intake.watch(), name="limits"),
            asyncio.create_task(self._custody.run(), name="custody"),
            asyncio.create_task(self._sweeper.run(), name="sweep"),
            asyncio.create_task(self._faultless(), name="handling a job"),
            asyncio.create_task(self._watch_burst(), name="burst"),
        ]
        stop = asyncio.create_task(self._stop.requested.wait(), name="stop")
        closed = asyncio.create_task(connection.closed.wait(), name="closed")
        try:
            done, _ = await asyncio.wait({*side, beating, stop, closed}, return_when=asyncio.FIRST_COMPLETED)
            for task in done & {*side, beating}:
                self._stop.reason = f"{'heartbeat' if task is beating else task.get_name()} failed"
                await task
            if closed in done:
                raise ServerUnreachable(
                    f"the server ended the connection: {connection.last_error or 'no reason given'}"
                )
            await self._drain()
        finally:
            for task in (*side, stop, closed):
                task.cancel()
            await asyncio.gather(*side, stop, closed, return_exceptions=True)

    async def _faultless(self) -> None:
        """Wait for a fault, for ever if need be, and raise it."""
        await self._handler.fault

    async def _watch_burst(self) -> None:
        """In a burst, ask for the stop once nothing is queued any more; then, or without one, wait for ever."""
        if self._burst:
            services = self._services
            busy = lambda: bool(len(self._custody) or self._settlement.waiting)  # noqa: E731  # said once, here
            await burst_over(services.connection, services.names, self.queues, busy)
            self.request_stop("burst over")
        await asyncio.Event().wait()

    async def _drain(self) -> None:
        """Take no more, wait for what runs, hand back what does not end in time, settle what did."""
        await self._presence.changed()
        await self._intake.close()
        await finished(self._running.values(), self._stop.hurried, self._frame.grace_s)
        await cancelled(self._running.values())
        try:
            async with asyncio.timeout(self._config.nats.request_timeout * 2):
                await self._settlement.drained()
        except TimeoutError:
            log.warning(
                "%d outcomes could not be stored; their jobs will run again",
                self._settlement.waiting,
                extra={"action": "outcomes_lost"},
            )

    async def _shut_down(self) -> None:
        """End what it does; until then others see it, and can ask it to be quick."""
        self.request_stop("stopped")
        await self._intake.close()
        await cancelled(self._running.values())
        for holding in self._custody:
            await self._handler.hand_back(holding)
        self._activity.stop()
        self._executor.close()
        await self._dependants.close()
        await self._children.close()
        await self._frame.shut_down()

    def _doing(self) -> Doing:
        return Doing(self._state, tuple(self._running), self._executor.calls.stuck_job_ids)

    @property
    def _state(self) -> WorkerState:
        if self.is_stopping:
            return WorkerState.STOPPING
        if not self._is_open:
            return WorkerState.STARTING
        return WorkerState.BUSY if self._running else WorkerState.IDLE
