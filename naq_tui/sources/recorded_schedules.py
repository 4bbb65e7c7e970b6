"""The schedules of a recording, by their events: there are no records in it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from naq_runtime.errors import InvalidSchedule, NotFound
from naq_runtime.events.models import ScheduleEvent, ScheduleEventType, StoredEvent, SystemEvent, SystemEventType
from naq_runtime.schedule import Schedule, ScheduleState
from naq_runtime.snapshot import LeaderState, ScheduleDetail, ScheduleMark, ScheduleNews

__all__ = ["RecordedSchedules", "told_of_schedules"]

_LEADS = (SystemEventType.LEADER_ELECTED, SystemEventType.LEADER_LOST, SystemEventType.LEADER_RESIGNED)
"""What is told of who leads the schedulers."""

_EVENTS = 20
_LEASE_S = 3.0
_SECOND_NS = 1_000_000_000
_WAYS = ("cron", "every_ns", "at_ns")
"""A schedule is due in one of these ways."""
_STATES = {
    ScheduleEventType.PAUSED: ScheduleState.PAUSED,
    ScheduleEventType.RESUMED: ScheduleState.ACTIVE,
    ScheduleEventType.CANCELLED: ScheduleState.CANCELLED,
    ScheduleEventType.FINISHED: ScheduleState.FINISHED,
}


class RecordedSchedules:
    """What was told of each schedule, added up; what no event tells stays as if nobody had asked for it.

    Args:
        events: those that are known, in the order in which they happened.
        ticks_since_ns: ticks before this moment are missing among them; 0 when none is.
        moment_ns: when they are looked at.
    """

    def __init__(self, events: Iterable[StoredEvent] = (), *, ticks_since_ns: int = 0, moment_ns: int = 0) -> None:
        self._version = 0
        self._schedules: dict[str, tuple[int, Schedule]] = {}
        """Each with the version in which it became so."""
        self._events: dict[str, deque[StoredEvent]] = {}
        self._leader: LeaderState | None = None
        for stored in events:
            self.hear(stored)
        self._go_on(ticks_since_ns, moment_ns)

    def __repr__(self) -> str:
        return f"<RecordedSchedules {len(self._schedules)}>"

    def hear(self, stored: StoredEvent) -> None:
        """Take in one event, in order."""
        event = stored.event
        if type(event) is SystemEvent and event.event_type in _LEADS:
            self._version += 1
            self._leader = _leader_after(event)
        elif type(event) is ScheduleEvent:
            known = self._schedules.get(event.schedule_id)
            if known is None and event.queue_name is None:
                return  # of a record that nobody could read
            self._put(_after(known[1] if known else None, event))
            if event.term and event.term > (self._leader.term if self._leader else 0):
                emitter = event.event_id.rpartition("-")[0]
                self._leader = LeaderState(instance_id=emitter, term=event.term, lease_s=_LEASE_S)
            self._events.setdefault(event.schedule_id, deque(maxlen=_EVENTS)).append(stored)

    def news(self, since: ScheduleMark | None = None) -> ScheduleNews:
        """See `Questions.schedules`."""
        after = 0 if since is None else since.sequence
        return ScheduleNews(
            mark=ScheduleMark("told", self._version, 0),
            whole=since is None,
            schedules=tuple(schedule for version, schedule in self._schedules.values() if version > after),
            leader=self._leader,
            leader_known=self._leader is not None,
        )

    def detail(self, schedule_id: str) -> ScheduleDetail:
        """See `Questions.schedule`."""
        if schedule_id not in self._schedules:
            raise NotFound(f"no event of schedule {schedule_id} tells of that time")
        events = tuple(self._events[schedule_id])
        return ScheduleDetail(schedule=self._schedules[schedule_id][1], events=events, told=True)

    def _put(self, schedule: Schedule) -> None:
        self._version += 1
        self._schedules[schedule.schedule_id] = (self._version, schedule)

    def _go_on(self, ticks_since_ns: int, moment_ns: int) -> None:
        """What was due before all ticks that are known has been seen to."""
        for _, schedule in list(self._schedules.values()):
            if 0 < schedule.next_ns < ticks_since_ns:
                self._put(schedule.evolve(next_ns=_next_after(schedule, moment_ns)))


def _after(schedule: Schedule | None, event: ScheduleEvent) -> Schedule:
    """A schedule as an event leaves it."""
    if schedule is None or event.event_type is ScheduleEventType.SCHEDULED:
        schedule = _met(event)
    changes: dict[str, Any] = {}
    match event.event_type:
        case ScheduleEventType.TRIGGERED:
            changes = _ticked(schedule, event)
        case ScheduleEventType.MISSED:
            changes = _missed(schedule, event)
        case ScheduleEventType.ERROR:
            given_up = {"state": ScheduleState.FAILED, "reason": event.error_message} if event.reason else {}
            changes = {"errors": event.count or 0, **given_up}
        case ScheduleEventType.MODIFIED:
            changes = {**_modified(event.changes or {}, event.next_ns or 0), "next_ns": event.next_ns or 0}
        case ScheduleEventType.PAUSED | ScheduleEventType.RESUMED:
            changes = {"state": _STATES[event.event_type], "reason": event.reason, "next_ns": event.next_ns or 0}
        case ScheduleEventType.CANCELLED | ScheduleEventType.FINISHED:
            changes = {"state": _STATES[event.event_type], "reason": event.reason, "next_ns": 0}
    return schedule.evolve(
        queue_name=event.queue_name or schedule.queue_name,
        function_name=event.function_name or schedule.function_name,
        **changes,
    )


def _met(event: ScheduleEvent) -> Schedule:
    """A schedule of which this is the first that is known."""
    is_made = event.event_type is ScheduleEventType.SCHEDULED
    next_ns = event.next_ns or 0
    every_ns = round((event.interval or 0) * _SECOND_NS)
    return Schedule(
        schedule_id=event.schedule_id,
        queue_name=event.queue_name or "",
        function_name=event.function_name or "",
        payload=b"",
        cron=event.cron,
        every_ns=every_ns,
        anchor_ns=next_ns,
        at_ns=next_ns if is_made and event.cron is None and not every_ns else 0,
        timezone=event.timezone or "UTC",
        repeat=event.repeat,
        created_at_ns=event.moment_ns if is_made else 0,
        next_ns=next_ns,
    )


def _ticked(schedule: Schedule, event: ScheduleEvent) -> dict[str, Any]:
    ticks = max(schedule.ticks, event.tick or 0)
    if event.scheduled_ns is None:  # somebody asked for it
        return {"ticks": ticks, "asked_ns": event.moment_ns, "asked_job_id": event.job_id}
    ran_ns = event.actual_ns or event.moment_ns
    return {
        "ticks": ticks,
        "repeat": event.repeat,
        "next_ns": event.next_ns or 0,
        "last_due_ns": ran_ns - round((event.lag_ms or 0) * 1e6),  # jitter, which no event tells, is no lag
        "last_run_ns": ran_ns,
        "last_job_id": event.job_id,
        "errors": 0,
    }


def _missed(schedule: Schedule, event: ScheduleEvent) -> dict[str, Any]:
    missed = max(0, (event.count or 0) - (event.caught_up or 0))
    is_behind = 0 < schedule.next_ns <= event.moment_ns
    return {
        "missed_ticks": schedule.missed_ticks + missed,
        "next_ns": _next_after(schedule, event.moment_ns) if is_behind else schedule.next_ns,
    }


def _modified(said: Mapping[str, str], next_ns: int) -> dict[str, Any]:
    """What was changed, of the settings that tell when it is due."""
    found: dict[str, Any] = {}
    for name, text in said.items():
        with suppress(ValueError, OverflowError):
            found |= _setting(name, None if text == "none" else text)
    if "every_ns" in found:
        found["anchor_ns"] = next_ns
    if any(found.get(way) for way in _WAYS):
        return {"cron": None, "every_ns": 0, "at_ns": 0} | found
    return found


def _setting(name: str, text: str | None) -> dict[str, Any]:
    match name:
        case "cron":
            return {"cron": text}
        case "timezone":
            return {"timezone": text or "UTC"}
        case "every":
            return {"every_ns": round(float(text or 0) * _SECOND_NS)}
        case "repeat":
            return {"repeat": None if text is None else int(text)}
        case "at" | "starts_at" | "ends_at":
            return {f"{name}_ns": round(datetime.fromisoformat(text).timestamp() * _SECOND_NS) if text else 0}
    return {}


def _next_after(schedule: Schedule, moment_ns: int) -> int:
    """When it is due next by its timetable; 0 where that is not known."""
    try:
        return schedule.next_after(moment_ns)
    except InvalidSchedule:
        return 0


def _leader_after(event: SystemEvent) -> LeaderState:
    leads = event.event_type is SystemEventType.LEADER_ELECTED
    return LeaderState(
        instance_id=(event.reason or event.instance) if leads else "",
        term=event.term or 0,
        lease_s=_LEASE_S,
        hostname=event.hostname or "",
        pid=event.pid or 0,
        since_ns=event.moment_ns,
    )


def told_of_schedules(events: Iterable[StoredEvent]) -> Iterator[StoredEvent]:
    """Those of these events from which schedules are known."""
    for stored in events:
        event = stored.event
        if type(event) is ScheduleEvent or (type(event) is SystemEvent and event.event_type in _LEADS):
            yield stored
