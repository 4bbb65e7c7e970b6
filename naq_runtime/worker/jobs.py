"""The jobs in a worker's hands: taken as slots come free, run, settled in groups, ended or handed back.

A job is held from its delivery until its outcome is stored. While it is held, the server is told so; when the
worker dies, the job is given to another.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from naq_runtime.events.models import JobEventType
from naq_runtime.job import Job, Whereabouts
from naq_runtime.jobs.rules import JobRules
from naq_runtime.nats.control import CancelRequest, Control
from naq_runtime.services.events import EventService
from naq_runtime.services.manager import ServiceManager
from naq_runtime.tasks import TaskRegistry
from naq_runtime.worker.activity import Activity
from naq_runtime.worker.aftermath import Aftermath
from naq_runtime.worker.children import Children
from naq_runtime.worker.custody import Custody, Holding
from naq_runtime.worker.dependants import Dependants
from naq_runtime.worker.ending import Stop, cancelled, finished
from naq_runtime.worker.execution import Executor
from naq_runtime.worker.handling import JobHandler
from naq_runtime.worker.intake import Intake
from naq_runtime.worker.record import Counts
from naq_runtime.worker.reporting import report_trouble
from naq_runtime.worker.returning import Returning
from naq_runtime.worker.settlement import Settlement, Unsettled

__all__ = ["WorkerJobs"]

log = logging.getLogger(__name__)

_UNSETTLED_LIMIT = 2_000
"""Above so many finished jobs that are not settled, no more are asked for; below half of it they are again."""


class WorkerJobs:
    """Takes, runs and settles the jobs of a worker; within its running loop.

    Args:
        shares: the queues, and the weight of each.
        modules: what the registry was loaded from, for processes of jobs.
        concurrency: jobs at a time.
        stop: whether, why and how fast the worker is to end.
        counts: what has become of jobs; kept up to date.
        changed: is told when the worker turns busy or idle.
    """

    def __init__(
        self,
        services: ServiceManager,
        events: EventService,
        registry: TaskRegistry,
        *,
        worker_id: str,
        shares: Mapping[str, int],
        modules: Sequence[str],
        concurrency: int,
        stop: Stop,
        counts: Counts,
        changed: Callable[[], None],
    ) -> None:
        connection, names, streams = services.connection, services.names, services.streams
        self._services = services
        self._events = events
        self._worker_id = worker_id
        self._stop = stop
        self._counts = counts
        self._clock = services.clock
        self._running: dict[str, asyncio.Task[None]] = {}
        self._activity = Activity(events, worker_id, concurrency, changed=changed)
        self._custody = Custody(services.config.jobs.ack_wait, lambda: connection.is_connected)
        self._returning = Returning(connection, streams, names)
        self.dependants = Dependants(connection, streams, names)
        self.rules = JobRules(
            streams,
            names,
            services.serializer,
            report=events.about,
            ask=Control(connection, names).end_jobs,
            may_be_needed=self.dependants.may_be_needed,
            large_as_objects=services.config.results.large == "store",
            clock=services.clock,
        )
        self._build_settlement()
        self._build_execution(registry, modules, concurrency)
        self._build_intake(shares, concurrency)

    def _build_settlement(self) -> None:
        services = self._services
        self._aftermath = Aftermath(self._events, self._custody, self._counts)
        self._settlement = Settlement(
            services.connection,
            services.streams,
            services.names,
            self.rules.ledger,
            self._returning,
            commit_size=services.config.worker.commit_size,
            settled=self._on_settled,
            superseded=self._aftermath.superseded,
            troubled=partial(report_trouble, self._events, self._worker_id),
            recovered=partial(self._events.recovered, "outcomes"),
        )

    def _build_execution(self, registry: TaskRegistry, modules: Sequence[str], concurrency: int) -> None:
        services = self._services
        self._children = Children(modules, registry.allowed, services.serializer, most=concurrency)
        self._executor = Executor(
            registry.get,
            services.serializer,
            worker_id=self._worker_id,
            threads=concurrency,
            clock=services.clock,
            cancelled=self._stop.requested.is_set,
            emit=self._on_job_event,
            processes=self._children,
            middleware=(*services.middleware, *registry.middleware),
        )
        self._handler = JobHandler(
            services,
            self._events,
            self.rules,
            self._executor,
            self._settlement,
            self._custody,
            self._returning,
            self._counts,
            worker_id=self._worker_id,
            stop_reason=lambda: self._stop.reason,
        )

    def _build_intake(self, shares: Mapping[str, int], concurrency: int) -> None:
        services = self._services
        self._intake = Intake(
            services.connection,
            services.streams,
            services.topology,
            services.names,
            shares,
            self._custody,
            self._returning,
            order=services.config.worker.queue_order,
            slots=concurrency,
            start=self._start,
            blocked=lambda: self._settlement.waiting >= _UNSETTLED_LIMIT,
        )

    def __repr__(self) -> str:
        return f"<WorkerJobs running={len(self._running)} held={self.held}>"

    @property
    def running(self) -> tuple[str, ...]:
        """The subjects of those that run."""
        return tuple(self._running)

    @property
    def held(self) -> int:
        """How many are here: those that run, wait for a slot, or have ended and are not settled."""
        return len(self._custody)

    @property
    def is_at_rest(self) -> bool:
        """Whether none is here, and all are settled."""
        return not self._custody and not self._settlement.waiting

    @property
    def stuck(self) -> int:
        """Functions that still run although nobody waits for them: threads, and what heeds no cancellation."""
        return self._executor.calls.threads_running + len(self._running)

    @property
    def stuck_job_ids(self) -> Sequence[str]:
        """Those that were given up, and whose threads still run."""
        return self._executor.calls.stuck_job_ids

    async def open(self) -> None:
        """Take jobs from now on.

        Raises:
            ServerError: the server cannot be used.
        """
        await self.dependants.open()
        await self._intake.open()
        self._services.connection.on_restored.append(self._handler.inheritance.server_restored)

    def tasks(self) -> list[asyncio.Task[None]]:
        """What goes on from now on; one that ends has an error, and the worker cannot go on."""
        return [
            asyncio.create_task(self._settlement.run(), name="settlement"),
            asyncio.create_task(self._intake.run(), name="intake"),
            asyncio.create_task(self._intake.watch(), name="limits"),
            asyncio.create_task(self._custody.run(), name="custody"),
            asyncio.create_task(self._faultless(), name="handling a job"),
        ]

    def resize(self, most: int) -> None:
        """Run so many at a time from now on; those that run go on to their ends."""
        self._executor.calls.resize(most)
        self._children.resize(most)
        self._activity.concurrency = most
        self._intake.resize(most)

    async def keep_limits(self, queue: str) -> bool:
        """See `Intake.keep_limits`."""
        return await self._intake.keep_limits(queue)

    def end(self, request: CancelRequest) -> Whereabouts:
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

    async def drain(self, grace_s: float) -> None:
        """Take no more, wait for what runs, cancel what does not end in time, settle what did."""
        await self._intake.close()
        await finished(self._running.values(), self._stop.hurried, grace_s)
        await cancelled(self._running.values())
        try:
            async with asyncio.timeout(self._services.config.nats.request_timeout * 2):
                await self._settlement.drained()
        except TimeoutError:
            log.warning(
                "%d outcomes could not be stored; their jobs will run again",
                self._settlement.waiting,
                extra={"action": "outcomes_lost"},
            )

    async def close(self) -> None:
        """Hand back what is left."""
        listeners, listener = self._services.connection.on_restored, self._handler.inheritance.server_restored
        if listener in listeners:
            listeners.remove(listener)
        await self._intake.close()
        await cancelled(self._running.values())
        for holding in self._custody:
            await self._handler.hand_back(holding)
        self._activity.stop()
        self._executor.close()
        await self.dependants.close()
        await self._children.close()

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

    async def _faultless(self) -> None:
        """Wait for a fault, for ever if need be, and raise it."""
        await self._handler.fault

    def _on_settled(self, batch: Sequence[Unsettled]) -> None:
        self._aftermath.settled(batch)
        if self._settlement.waiting < _UNSETTLED_LIMIT // 2:
            self._intake.unblocked()

    def _on_job_event(self, job: Job, event_type: JobEventType, fields: dict[str, Any]) -> None:
        self._events.about(event_type, job, {"worker_id": self._worker_id, "attempt": job.attempt, **fields})
