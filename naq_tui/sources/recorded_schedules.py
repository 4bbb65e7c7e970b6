"""Schedules as they stood, by what their events tell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from naq_runtime.errors import NotFound
from naq_runtime.events.models import ScheduleEvent, ScheduleEventType, StoredEvent
from naq_runtime.schedule import Schedule, ScheduleState
from naq_runtime.snapshot import LeaderState, ScheduleDetail, ScheduleMark, ScheduleNews

__all__ = ["RecordedSchedules"]

_LEASE_S = 3600.0
"""Who has kept schedules leads until another one does: no event tells when a lease ends."""
_STATES = {
    ScheduleEventType.SCHEDULED: ScheduleState.ACTIVE,
    ScheduleEventType.PAUSED: ScheduleState.PAUSED,
    ScheduleEventType.RESUMED: ScheduleState.ACTIVE,
    ScheduleEventType.CANCELLED: ScheduleState.CANCELLED,
    ScheduleEventType.FINISHED: ScheduleState.FINISHED,
}
_GIVEN_UP = "given up"


class RecordedSchedules:
    """Takes in events of schedules, each once; what none of them has told is unknown, and empty."""

    def __init__(self) -> None:
        self.leader: LeaderState | None = None
        """Who kept the schedules last."""
        self._schedules: dict[str, Schedule] = {}
        self._events: defaultdict[str, list[StoredEvent]] = defaultdict(list)
        self._changed: dict[str, int] = {}
        """The change after which a schedule stands as it does."""
        self._heard: set[int] = set()

    def hear(self, events: Iterable[StoredEvent]) -> None:
        """Take in what happened, in its order."""
        for stored in events:
            event = stored.event
            if type(event) is ScheduleEvent and stored.sequence not in self._heard:
                self._heard.add(stored.sequence)
                self._events[event.schedule_id].append(stored)
                self._schedules[event.schedule_id] = _after(self._schedules.get(event.schedule_id), event)
                self._changed[event.schedule_id] = len(self._heard)
                if event.term:
                    emitter = event.event_id.rpartition("-")[0] or "a scheduler"
                    self.leader = LeaderState(instance_id=emitter, term=event.term, lease_s=_LEASE_S)

    def news(self, since: ScheduleMark | None) -> ScheduleNews:
        """What has changed since a mark of this one, or all of it."""
        stream = f"told-{id(self)}"
        is_new = since is None or since.stream != stream
        after = 0 if since is None or is_new else since.sequence
        return ScheduleNews(
            mark=ScheduleMark(stream, len(self._heard), 0),
            whole=is_new,
            schedules=tuple(self._schedules[name] for name, change in self._changed.items() if change > after),
            leader=self.leader,
        )

    def detail(self, schedule_id: str) -> ScheduleDetail:
        """All that was told of one.

        Raises:
            NotFound: nothing was.
        """
        if schedule_id not in self._schedules:
            raise NotFound(f"nothing had been told of schedule {schedule_id} by then")
        return ScheduleDetail(schedule=self._schedules[schedule_id], events=tuple(self._events[schedule_id]))


def _after(before: Schedule | None, event: ScheduleEvent) -> Schedule:
    """A schedule after something has happened to it."""
    kind = event.event_type
    if before is None or kind is ScheduleEventType.SCHEDULED:
        before = _begun(event)
    told: dict[str, Any] = {}
    if event.next_ns is not None:
        told["next_ns"] = event.next_ns
    if event.repeat is not None:
        told["repeat"] = event.repeat
    if kind in _STATES:
        told |= {"state": _STATES[kind], "reason": event.reason}
    elif kind is ScheduleEventType.TRIGGERED:
        told |= _ticked(event)
    elif kind is ScheduleEventType.MISSED:
        told["missed_ticks"] = before.missed_ticks + (event.count or 0)
    elif kind is ScheduleEventType.MODIFIED:
        told |= _modified(event.changes or {})
    elif kind is ScheduleEventType.ERROR:
        state = ScheduleState.FAILED if event.reason == _GIVEN_UP else before.state
        told |= {"state": state, "reason": event.error_message, "errors": event.count or 1}
    return before.evolve(**told)


def _begun(event: ScheduleEvent) -> Schedule:
    is_once = event.event_type is ScheduleEventType.SCHEDULED and event.cron is None and event.interval is None
    return Schedule(
        schedule_id=event.schedule_id,
        queue_name=event.queue_name or "",
        function_name=event.function_name or "",
        payload=b"",
        cron=event.cron,
        every_ns=int((event.interval or 0) * 1e9),
        at_ns=(event.next_ns or 0) if is_once else 0,
        timezone=event.timezone or "UTC",
        created_at_ns=event.moment_ns if event.event_type is ScheduleEventType.SCHEDULED else 0,
    )


def _ticked(event: ScheduleEvent) -> dict[str, Any]:
    made_ns = event.actual_ns or event.moment_ns
    if event.scheduled_ns is None:  # out of turn, because somebody asked for it
        return {"asked_ns": made_ns, "asked_job_id": event.job_id}
    return {
        "ticks": event.tick or 0,
        "last_due_ns": event.scheduled_ns,
        "last_run_ns": made_ns,
        "last_job_id": event.job_id,
        "errors": 0,
    }


def _modified(changes: dict[str, str]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for name, text in changes.items():
        value = None if text == "none" else text
        if name == "cron":
            told["cron"] = value
        elif name == "every":
            told["every_ns"] = int(float(value) * 1e9) if value else 0
        elif name == "timezone":
            told["timezone"] = value or "UTC"
    return told
