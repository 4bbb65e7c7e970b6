"""The events of schedules."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from naq_runtime.errors import NaqError
from naq_runtime.events.models import JobEventType, ScheduleEventType
from naq_runtime.job import Job
from naq_runtime.schedule import Schedule, ScheduleState
from naq_runtime.services.events import EventService

if TYPE_CHECKING:
    from naq_runtime.scheduler.storing import Ticks

__all__ = ["Telling"]


class Telling:
    """Says what became of schedules.

    Args:
        by: who says so.
    """

    def __init__(self, events: EventService, by: str) -> None:
        self._events = events
        self._by = by

    def scheduled(self, schedule: Schedule) -> None:
        """A schedule was made."""
        self._events.schedule(
            ScheduleEventType.SCHEDULED,
            **_identity(schedule),
            cron=schedule.cron,
            interval=schedule.every_ns / 1e9 or None,
            timezone=schedule.timezone if schedule.cron else None,
            repeat=schedule.repeat,
            next_ns=schedule.next_ns or None,
            by=self._by,
        )

    def managed(self, event_type: ScheduleEventType, schedule: Schedule, reason: str | None = None) -> None:
        """Somebody paused, resumed or cancelled it."""
        self._events.schedule(
            event_type, **_identity(schedule), next_ns=schedule.next_ns or None, reason=reason or None, by=self._by
        )

    def modified(self, schedule: Schedule, changes: Mapping[str, Any]) -> None:
        """Somebody changed it; what is ``None`` was taken away."""
        self._events.schedule(
            ScheduleEventType.MODIFIED,
            **_identity(schedule),
            changes={name: _said(name, value) for name, value in changes.items()},
            next_ns=schedule.next_ns or None,
            by=self._by,
        )

    def ticked(self, ticks: Ticks, stored_ns: int) -> None:
        """Ticks are stored, with their jobs, since ``stored_ns`` at the latest."""
        schedule = ticks.after
        if ticks.error is not None:
            given_up = schedule.state is ScheduleState.FAILED
            self.failed(schedule, ticks.error, "given up" if given_up else None)
            return
        for number, (job, due_ns) in enumerate(zip(ticks.jobs, ticks.due, strict=True), 1):
            self._triggered(schedule, ticks.before.schedule.ticks + number, job.job_id, due_ns, stored_ns)
            self._enqueued(job)
        decision = ticks.decision
        if decision.missed:
            self._missed(schedule, decision.missed, schedule.missed, decision.caught_up)
        if decision.overlapped:
            self._missed(schedule, decision.overlapped, f"overlap {schedule.overlap}")
        if schedule.state is ScheduleState.FINISHED:
            self._events.schedule(ScheduleEventType.FINISHED, **_identity(schedule), tick=schedule.ticks)

    def triggered_now(self, schedule: Schedule, job: Job) -> None:
        """Somebody had it make a job at once."""
        self._events.schedule(
            ScheduleEventType.TRIGGERED, **_identity(schedule), job_id=job.job_id, tick=schedule.ticks, by=self._by
        )
        self._enqueued(job)

    def failed(self, schedule: Schedule, error: Exception, reason: str | None = None) -> None:
        """It could not be kept."""
        self._events.schedule(
            ScheduleEventType.ERROR,
            **_identity(schedule),
            error_type=type(error).__name__,
            error_message=str(error),
            reason=reason,
            count=schedule.errors or None,
        )

    def unreadable(self, schedule_id: str, error: NaqError) -> None:
        """A record is no schedule."""
        self._events.schedule(
            ScheduleEventType.ERROR,
            schedule_id=schedule_id,
            error_type=type(error).__name__,
            error_message=str(error),
        )

    def _triggered(self, schedule: Schedule, tick: int, job_id: str, due_ns: int, stored_ns: int) -> None:
        self._events.schedule(
            ScheduleEventType.TRIGGERED,
            **_identity(schedule),
            job_id=job_id,
            tick=tick,
            scheduled_ns=due_ns,
            actual_ns=stored_ns,
            lag_ms=max(0, stored_ns - due_ns - schedule.delay_of(due_ns)) / 1e6,
            next_ns=schedule.next_ns or None,
            repeat=schedule.repeat,
            term=schedule.term or None,
        )

    def _enqueued(self, job: Job) -> None:
        at_ns = self._events.own_time(job.enqueued_at_ns)
        said = {"timestamp_ns": at_ns, "args_count": len(job.args), "kwargs_count": len(job.kwargs)}
        self._events.about(JobEventType.ENQUEUED, job, said)

    def _missed(self, schedule: Schedule, count: int, policy: str, caught_up: int | None = None) -> None:
        self._events.schedule(
            ScheduleEventType.MISSED, **_identity(schedule), count=count, policy=policy, caught_up=caught_up
        )


def _said(name: str, value: Any) -> str:
    """A setting in a word; arguments are nobody else's business."""
    if name in ("args", "kwargs"):
        return "changed"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g}"
    return "none" if value is None else str(value)


def _identity(schedule: Schedule) -> dict[str, str]:
    return {
        "schedule_id": schedule.schedule_id,
        "queue_name": schedule.queue_name,
        "function_name": schedule.function_name,
    }
