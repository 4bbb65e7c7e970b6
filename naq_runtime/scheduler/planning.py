"""From what somebody wants to what is stored, and back. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from naq_runtime.errors import InvalidSchedule
from naq_runtime.naming import new_id
from naq_runtime.retry import seconds_of
from naq_runtime.schedule import Schedule, ScheduleConfig, ScheduleState, moment_ns

__all__ = ["config_of", "planned", "replanned", "resumed", "unreadable"]

_SECOND_NS = 1_000_000_000
_MILLISECOND_NS = 1_000_000
_TIMING = {"cron", "every", "at", "timezone", "starts_at", "ends_at", "phase"}
"""What is changed of a schedule changes when it is due next."""
_KINDS = ("cron", "every", "at")


def planned(config: ScheduleConfig, queue_name: str, function_name: str, payload: bytes, now_ns: int) -> Schedule:
    """A new schedule.

    Raises:
        InvalidSchedule: nothing will ever be due.
    """
    schedule = Schedule(
        schedule_id=config.schedule_id or new_id(),
        queue_name=queue_name,
        function_name=function_name,
        payload=payload,
        created_at_ns=now_ns,
        **_stored(config, now_ns),
    )
    return _first(schedule, now_ns)


def replanned(schedule: Schedule, changes: Mapping[str, Any], now_ns: int) -> Schedule:
    """The same with some of its configuration changed; what is due next is found anew when that is touched.

    Raises:
        InvalidSchedule: it cannot be kept so.
    """
    fields = set(ScheduleConfig.__struct_fields__) - {"schedule_id"}
    if unknown := set(changes) - fields:
        raise InvalidSchedule(f"a schedule has no {', '.join(sorted(unknown))}: it has {', '.join(sorted(fields))}")
    kinds = {name: None for name in _KINDS if name not in changes} if set(_KINDS) & set(changes) else {}
    if kinds and "every" not in changes:
        kinds["phase"] = None
    config = ScheduleConfig(**{**_wanted(schedule), **kinds, **changes})  # what was wrong of it may be changed
    stored = _stored(config, schedule.created_at_ns)
    if schedule.every_ns and not {"every", "phase", "starts_at"} & set(changes):
        stored["anchor_ns"] = schedule.anchor_ns
    changed = schedule.evolve(**stored)
    return _first(changed, now_ns) if _TIMING & set(changes) else changed


def resumed(schedule: Schedule, now_ns: int) -> Schedule:
    """It goes on from now; what was due meanwhile is passed over. One that is active stays as it is.

    Raises:
        InvalidSchedule: nothing is due any more.
    """
    if schedule.state is ScheduleState.ACTIVE:
        return schedule
    next_ns = schedule.next_ns if schedule.next_ns > now_ns else schedule.next_after(now_ns)
    if not next_ns:
        raise InvalidSchedule(f"nothing is due any more of schedule {schedule.schedule_id}: modify or cancel it")
    return schedule.evolve(
        state=ScheduleState.ACTIVE, reason=None, errors=0, retry_at_ns=0, held_ns=0, next_ns=next_ns, term=0
    )


def unreadable(schedule_id: str) -> Schedule:
    """What stands for a record that nobody can read, so that it can be ended."""
    return Schedule(schedule_id=schedule_id, queue_name="default", function_name="unknown.unknown", payload=b"")


def config_of(schedule: Schedule) -> ScheduleConfig:
    """What was wanted.

    Raises:
        InvalidSchedule: this machine cannot keep it.
    """
    return ScheduleConfig(**_wanted(schedule))


def _wanted(schedule: Schedule) -> dict[str, Any]:
    return {
        "cron": schedule.cron,
        "every": schedule.every_ns / _SECOND_NS if schedule.every_ns else None,
        "at": _moment(schedule.at_ns),
        "timezone": schedule.timezone,
        "repeat": schedule.repeat,
        "starts_at": _moment(schedule.starts_at_ns),
        "ends_at": _moment(schedule.ends_at_ns),
        "jitter": schedule.jitter_ns / _SECOND_NS,
        "missed": schedule.missed,
        "catch_up_limit": schedule.catch_up_limit,
        "catch_up_window": schedule.catch_up_window_ns / _SECOND_NS,
        "overlap": schedule.overlap,
        "schedule_id": schedule.schedule_id,
    }


def _stored(config: ScheduleConfig, created_ns: int) -> dict[str, Any]:
    starts_at_ns = moment_ns("starts_at", config.starts_at)
    if config.phase is not None:
        anchor_ns = int(config.phase * _SECOND_NS)
    else:
        anchor_ns = starts_at_ns or created_ns // _MILLISECOND_NS * _MILLISECOND_NS
    return {
        "cron": config.cron,
        "every_ns": 0 if config.every is None else round(seconds_of(config.every) * 1000) * _MILLISECOND_NS,
        "anchor_ns": 0 if config.every is None else anchor_ns,
        "at_ns": moment_ns("at", config.at),
        "timezone": config.timezone,
        "repeat": config.repeat,
        "starts_at_ns": starts_at_ns,
        "ends_at_ns": moment_ns("ends_at", config.ends_at),
        "jitter_ns": int(config.jitter * _SECOND_NS),
        "missed": config.missed,
        "catch_up_limit": config.catch_up_limit,
        "catch_up_window_ns": int(config.catch_up_window * _SECOND_NS),
        "overlap": config.overlap,
    }


def _first(schedule: Schedule, now_ns: int) -> Schedule:
    """With what is due first; one moment in the past is due at once."""
    next_ns = schedule.at_ns or schedule.next_after(now_ns)
    if not next_ns:
        raise InvalidSchedule(f"nothing is ever due of schedule {schedule.schedule_id}: see its expression and its end")
    return schedule.evolve(next_ns=next_ns)


def _moment(time_ns: int) -> datetime | None:
    return datetime.fromtimestamp(time_ns / _SECOND_NS, UTC) if time_ns else None
