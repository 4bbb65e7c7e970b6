"""What others see and hear of a worker, from before its start until after its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import NamedTuple

from naq_runtime.job import Whereabouts
from naq_runtime.nats.bucket import LeaseBucket
from naq_runtime.nats.control import CancelRequest, ControlDesk
from naq_runtime.services.events import EventService
from naq_runtime.services.manager import ServiceManager
from naq_runtime.worker.claim import claim_name
from naq_runtime.worker.heartbeat import Heartbeat
from naq_runtime.worker.portrait import Portrait
from naq_runtime.worker.record import WorkerRecord, WorkerState
from naq_runtime.worker.reporting import (
    report_beat,
    report_beat_failed,
    report_worker_started,
    report_worker_stopped,
)
from naq_runtime.worker.roll import Remembered

__all__ = ["Doing", "Presence"]


class Doing(NamedTuple):
    """What a worker does now."""

    state: WorkerState
    running: Sequence[str] = ()
    """Subjects of the jobs that run."""
    stuck: Sequence[str] = ()
    """Ids of the jobs that were given up, and whose threads still run."""


class Presence:
    """A worker's lease, and its desk: where it is asked to end jobs, or itself.

    Args:
        doing: what the worker does now.
        end_jobs: see `ControlDesk`.
        stop: see `ControlDesk`.
        keep_limits: see `ControlDesk`.
    """

    def __init__(
        self,
        services: ServiceManager,
        events: EventService,
        portrait: Portrait,
        *,
        worker_id: str,
        doing: Callable[[], Doing],
        end_jobs: Callable[[CancelRequest], Whereabouts],
        stop: Callable[[str], None],
        keep_limits: Callable[[str], Awaitable[bool]],
    ) -> None:
        connection, names = services.connection, services.names
        self._services = services
        self._events = events
        self._portrait = portrait
        self._doing = doing
        self._desk = ControlDesk(connection, names, worker_id, end_jobs=end_jobs, stop=stop, keep_limits=keep_limits)
        self._heartbeat = Heartbeat(
            LeaseBucket(connection, names, names.workers_bucket),
            services.config.worker.heartbeat_interval,
            describe=self._describe,
            renew=self._renew,
            beaten=partial(report_beat, events),
            failed=partial(report_beat_failed, events, worker_id),
        )
        self._is_over = False
        self.predecessors: list[Remembered] = []
        """A worker of this name, if there was one, that went without a word."""
        self.beating: asyncio.Task[None]
        """Ends with an error, or not at all."""

    async def begin(self) -> None:
        """Be seen and heard from now on.

        Raises:
            NameTaken: a worker of this name runs already.
        """
        self.predecessors = await claim_name(self._services, self._desk, self._describe, self._heartbeat.lease_s)
        report_worker_started(self._events, self._describe())
        self._portrait.start()
        self._services.connection.on_restored.append(self._restored)
        self.beating = asyncio.create_task(self._heartbeat.run(), name="heartbeat")

    def adjust(self, *, concurrency_limit: int | None = None, heartbeat_interval: float | None = None) -> None:
        """Show, or do, so from now on."""
        if concurrency_limit is not None:
            self._portrait.change(concurrency_limit=concurrency_limit)
        if heartbeat_interval is not None:
            self._portrait.change(heartbeat_interval=heartbeat_interval)
            self._heartbeat.set_interval(heartbeat_interval)

    def changed(self) -> None:
        """Say at once what the worker does."""
        self._heartbeat.soon()

    async def end(self, reason: str | None) -> None:
        """Be seen and heard no more."""
        self._is_over = True
        if self._restored in self._services.connection.on_restored:
            self._services.connection.on_restored.remove(self._restored)
        self.beating.cancel()
        await asyncio.gather(self.beating, return_exceptions=True)
        self._portrait.stop()
        await self._desk.close()
        await self._heartbeat.end(reason)
        report_worker_stopped(self._events, self._describe(), reason)

    async def _restored(self) -> None:
        """The server was away, and the lease may have ended meanwhile."""
        self.changed()

    def _describe(self) -> WorkerRecord:
        doing = self._doing()
        return self._portrait.draw(WorkerState.STOPPED if self._is_over else doing.state, doing.running, doing.stuck)

    def _renew(self, record: WorkerRecord) -> WorkerRecord:
        doing = self._doing()
        return self._portrait.redraw(record, doing.state, doing.running, doing.stuck)
