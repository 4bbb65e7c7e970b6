"""What can be done on a server, while there is a connection to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from naq_runtime.errors import NaqError, NotFound, ServerUnreachable
from naq_tui.acts import ActKind
from naq_tui.caller import caller
from naq_tui.model.alerts import AlertView

if TYPE_CHECKING:
    from naq_runtime.services.jobs import JobService
    from naq_runtime.services.manager import ServiceManager
    from naq_runtime.services.queues import QueueService
    from naq_runtime.services.scheduler import SchedulerService

__all__ = ["LiveActions"]


class LiveActions:
    """Acts over the connection that stands now, in the name of whoever sits before the screen; see `Actions`."""

    def __init__(self) -> None:
        self._services: ServiceManager | None = None
        self._by = caller()
        self._ways: dict[tuple[str, ActKind], Callable[[str], Awaitable[str | None]]] = {
            ("job", ActKind.RETRY): self._retry_job,
            ("job", ActKind.CANCEL): self._cancel_job,
            ("job", ActKind.DELETE): self._delete_job,
            ("queue", ActKind.PAUSE): self._pause_queue,
            ("queue", ActKind.RESUME): self._resume_queue,
            ("queue", ActKind.PURGE): self._purge_queue,
            ("schedule", ActKind.PAUSE): self._pause_schedule,
            ("schedule", ActKind.RESUME): self._resume_schedule,
            ("schedule", ActKind.TRIGGER): self._trigger_schedule,
            ("schedule", ActKind.CANCEL): self._cancel_schedule,
            ("worker", ActKind.STOP): self._stop_worker,
            ("alert", ActKind.ACKNOWLEDGE): self._acknowledge_alert,
        }

    def connect(self, services: ServiceManager) -> None:
        """Act over these services from now on."""
        self._services = services

    def disconnect(self) -> None:
        """There is nowhere to act."""
        self._services = None

    async def perform(self, kind: ActKind, noun: str, target: str) -> str | None:
        """See `Actions.perform`."""
        return await self._ways[noun, kind](target)

    # Jobs

    async def _retry_job(self, job_id: str) -> None:
        jobs = await self._jobs()
        await jobs.retry_dead(await jobs.dead_letter(job_id), by=self._by)

    async def _cancel_job(self, job_id: str) -> None:
        if not await (await self._jobs()).cancel(job_id, by=self._by):
            raise NaqError(f"job {job_id} had ended already")

    async def _delete_job(self, job_id: str) -> None:
        jobs = await self._jobs()
        if not await jobs.delete_dead([await jobs.dead_letter(job_id)]):
            raise NotFound(f"somebody else has taken the dead letter of job {job_id}")

    # Queues

    async def _pause_queue(self, name: str) -> None:
        await (await self._queues()).pause(name)

    async def _resume_queue(self, name: str) -> None:
        await (await self._queues()).resume(name)

    async def _purge_queue(self, name: str) -> str:
        purged = await (await self._queues()).purge(name)
        return "1 job cancelled" if purged == 1 else f"{purged:,} jobs cancelled"

    # Schedules

    async def _pause_schedule(self, schedule_id: str) -> None:
        await (await self._schedules()).pause(schedule_id)

    async def _resume_schedule(self, schedule_id: str) -> None:
        await (await self._schedules()).resume(schedule_id)

    async def _trigger_schedule(self, schedule_id: str) -> str:
        return f"job {await (await self._schedules()).trigger_now(schedule_id)}"

    async def _cancel_schedule(self, schedule_id: str) -> None:
        await (await self._schedules()).cancel(schedule_id)

    # Workers and alerts

    async def _stop_worker(self, worker_id: str) -> None:
        from naq_runtime.monitor import Monitor

        monitor = await self._connected().get_service(Monitor)
        await monitor.stop_worker(worker_id, f"asked by {self._by}")

    async def _acknowledge_alert(self, target: str) -> None:
        from naq_runtime.services.alerts import AlertService

        alerts = await self._connected().get_service(AlertService)
        views = (AlertView(record, alert) for record in await alerts.alerts() for alert in record.firing)
        view = next((view for view in views if view.target == target), None)
        if view is None:
            raise NotFound(f"the alert {target} does not fire any more")
        await alerts.acknowledge(view.record.name, view.alert.labels, by=self._by)

    # The services

    async def _jobs(self) -> JobService:
        from naq_runtime.services.jobs import JobService

        return await self._connected().get_service(JobService)

    async def _queues(self) -> QueueService:
        from naq_runtime.services.queues import QueueService

        return await self._connected().get_service(QueueService)

    async def _schedules(self) -> SchedulerService:
        from naq_runtime.services.scheduler import SchedulerService

        return await self._connected().get_service(SchedulerService)

    def _connected(self) -> ServiceManager:
        if self._services is None or not self._services.connection.is_connected:
            raise ServerUnreachable("there is no connection to the server now")
        return self._services
