"""A worker: from its start, through the jobs of its queues, to its end."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from naq_runtime.errors import ServerUnreachable
from naq_runtime.jobs.overdue import Overdue
from naq_runtime.naming import check_name
from naq_runtime.services.events import EventService
from naq_runtime.services.manager import ServiceManager
from naq_runtime.tasks import TaskRegistry
from naq_runtime.worker.adjusting import adjustable
from naq_runtime.worker.amends import Amends
from naq_runtime.worker.burst import burst_over
from naq_runtime.worker.ending import Stop
from naq_runtime.worker.framing import Frame
from naq_runtime.worker.jobs import WorkerJobs
from naq_runtime.worker.portrait import Portrait, default_worker_name
from naq_runtime.worker.presence import Doing, Presence
from naq_runtime.worker.record import Counts, WorkerState
from naq_runtime.worker.settings_kept import KeptSettings
from naq_runtime.worker.sharing import parse_shares, sharing_of
from naq_runtime.worker.sweeper import Sweeper

__all__ = ["Worker"]

log = logging.getLogger(__name__)


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
        self._is_named = name is not None
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
        self._jobs: WorkerJobs | None = None
        """Once it runs."""
        self._kept: KeptSettings | None = None
        """Once it runs, of one that somebody has named: others of the name may follow."""

    def _build(self, events: EventService) -> None:
        """Make the parts, and join them."""
        services = self._services
        self._jobs = jobs = WorkerJobs(
            services,
            events,
            self._registry,
            worker_id=self.worker_id,
            shares=self._shares,
            modules=self._modules,
            concurrency=self.concurrency,
            stop=self._stop,
            counts=self.counts,
            changed=self._changed,
        )
        self._amends = Amends(services, events, after_s=2 * self._config.jobs.sweep_interval)
        self._sweeper = Sweeper(
            jobs.rules.dependencies,
            jobs.dependants,
            Overdue(services.streams, services.names, services.clock.time_ns),
            self._amends,
            interval_s=self._config.jobs.sweep_interval,
        )
        self._presence = self._present(events, jobs)
        self._kept = KeptSettings(services, events, self.worker_id) if self._is_named else None
        self.adjustable = adjustable(jobs, self._presence, self._sweeper, self._frame)

    def _present(self, events: EventService, jobs: WorkerJobs) -> Presence:
        """What others see of it and ask of it."""
        portrait = Portrait(
            events,
            self.counts,
            self._services.clock,
            worker_id=self.worker_id,
            queues=self.queues,
            concurrency=self.concurrency,
            modules=self._modules,
            heartbeat_interval=self._config.worker.heartbeat_interval,
        )
        return Presence(
            self._services,
            events,
            portrait,
            worker_id=self.worker_id,
            doing=lambda: Doing(self._state, jobs.running, jobs.stuck_job_ids),
            end_jobs=jobs.end,
            stop=self._asked_to_stop,
            keep_limits=jobs.keep_limits,
        )

    def __repr__(self) -> str:
        return f"<Worker {self.worker_id} running={self.active}/{self.concurrency}>"

    @property
    def active(self) -> int:
        """How many jobs run now."""
        return 0 if self._jobs is None else len(self._jobs.running)

    @property
    def held(self) -> int:
        """How many jobs are here: those that run, wait for a slot, or have ended and are not settled."""
        return 0 if self._jobs is None else self._jobs.held

    @property
    def is_stopping(self) -> bool:
        """Whether it has been asked to stop."""
        return self._stop.requested.is_set()

    @property
    def stop_reason(self) -> str | None:
        """Why it was asked to stop, or stopped."""
        return self._stop.reason

    @property
    def grace_s(self) -> float:
        """How long running jobs may take to end once it was asked to stop."""
        return self._frame.grace_s

    @property
    def stuck(self) -> int:
        """Functions that still run although nobody waits for them: threads of jobs, and what heeds no cancellation."""
        return self._frame.stuck + (0 if self._jobs is None else self._jobs.stuck)

    def request_stop(self, reason: str = "requested", *, at_once: bool = False) -> None:
        """Fetch no more, let running jobs end within the grace, hand back the rest. May be called twice.

        Args:
            reason: for the events; the first stands.
            at_once: give no grace.
        """
        self._stop.request(reason, at_once=at_once)
        self._changed()

    def settings_changed(self, settings: Mapping[str, Any]) -> None:
        """It goes by these now, by key: whoever comes next under its name is compared with them."""
        if self._kept is not None:
            self._kept.changed(settings)

    async def run(self) -> None:
        """Work until `request_stop`.

        Raises:
            NameTaken: a worker of this name runs already.
            TaskError: a hook of the start failed.
            ServerError: the server cannot be used, or ended the connection for good.
        """
        services, topology = self._services, self._services.topology
        self._build(await services.get_service(EventService))
        assert self._jobs is not None
        for ready in (topology.jobs, topology.results, topology.workers, topology.dead):
            await ready()
        await self._presence.begin()
        self._amends.owed += self._presence.predecessors
        try:
            if self._kept is not None:
                await self._kept.compare(self._config)
            if await self._frame.start_up():
                await self._open(self._jobs)
                await self._supervise(self._jobs)
        finally:
            try:
                await self._shut_down(self._jobs)
            finally:
                await self._presence.end(self._stop.reason)

    async def _open(self, jobs: WorkerJobs) -> None:
        """Take jobs from now on."""
        await jobs.open()
        self._is_open = True
        self._changed()
        for listener in self.on_open:
            listener()

    async def _supervise(self, jobs: WorkerJobs) -> None:
        """Return when asked to stop; raise what a side task, or the end of the connection, makes of it."""
        connection, beating = self._services.connection, self._presence.beating
        side = [
            *jobs.tasks(),
            asyncio.create_task(self._sweeper.run(), name="sweep"),
            asyncio.create_task(self._watch_burst(jobs), name="burst"),
        ]
        stop = asyncio.create_task(self._stop.requested.wait(), name="stop")
        closed = asyncio.create_task(connection.closed.wait(), name="closed")
        try:
            done, _ = await asyncio.wait({*side, beating, stop, closed}, return_when=asyncio.FIRST_COMPLETED)
            for task in done & {*side, beating}:
                self._stop.reason = f"{task.get_name()} failed"
                await task
            if closed in done:
                raise ServerUnreachable(
                    f"the server ended the connection: {connection.last_error or 'no reason given'}"
                )
            await jobs.drain(self._frame.grace_s)
        finally:
            await _end([*side, stop, closed])

    async def _watch_burst(self, jobs: WorkerJobs) -> None:
        """In a burst, ask for the stop once nothing is queued any more; then, or without one, wait for ever."""
        if self._burst:
            services = self._services
            await burst_over(services.connection, services.names, self.queues, lambda: not jobs.is_at_rest)
            self.request_stop("burst over")
        await asyncio.Event().wait()

    async def _shut_down(self, jobs: WorkerJobs) -> None:
        """End what it does; until then others see it, and can ask it to be quick."""
        self.request_stop("stopped")
        await jobs.close()
        if self._kept is not None:
            await self._kept.close()
        await self._frame.shut_down()

    def _asked_to_stop(self, reason: str) -> None:
        self.was_sent_home = self.was_sent_home or not self.is_stopping
        self.request_stop(reason or "asked to stop", at_once=self.is_stopping)

    def _changed(self) -> None:
        """Let others see at once what it does now."""
        if self._jobs is not None:
            self._presence.changed()

    @property
    def _state(self) -> WorkerState:
        if self.is_stopping:
            return WorkerState.STOPPING
        if not self._is_open:
            return WorkerState.STARTING
        return WorkerState.BUSY if self.active else WorkerState.IDLE


async def _end(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Cancel what still goes on; an error that ended one meanwhile, and that nobody else tells of, is logged."""
    told = sys.exception()
    for task in tasks:
        task.cancel()
    for task, came in zip(tasks, await asyncio.gather(*tasks, return_exceptions=True), strict=True):
        if isinstance(came, Exception) and came is not told:
            log.error("%s failed", task.get_name(), exc_info=came, extra={"action": "worker_fault"})
