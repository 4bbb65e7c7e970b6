"""From what somebody wants to what is stored, and back. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from naq_runtime.errors import InvalidSchedule
from naq_runtime.naming import new_id
from naq_runtime.retry import seconds_of
from naq_runtime.schedule import Schedule, ScheduleConfig, ScheduleState, moment_ns

__all__ = [
    "cancelled",
    "config_from",
    "differences",
    "not_before",
    "planned",
    "redeclared",
    "replanned",
    "resumed",
    "revived",
    "unreadable",
]

_SECOND_NS = 1_000_000_000
_MILLISECOND_NS = 1_000_000
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
    _check_fields(changes, set(ScheduleConfig.__struct_fields__) - {"schedule_id"})
    kinds = {name: None for name in _KINDS if name not in changes} if set(_KINDS) & set(changes) else {}
    if kinds and "every" not in changes:
        kinds["phase"] = None
    config = ScheduleConfig(**{**schedule.settings, **kinds, **changes})  # what was wrong of it may be changed
    return _changed(schedule, config, now_ns, counts_on=config.repeat == schedule.repeat)


def redeclared(schedule: Schedule, config: ScheduleConfig, fresh: Schedule, now_ns: int) -> Schedule:
    """The same as somebody says it now, all of it. What is said as before goes on: the rhythm, and what is left.

    Args:
        config: what is wanted.
        fresh: how it would be, were there none; for its job and queue.

    Raises:
        InvalidSchedule: nothing will ever be due.
    """
    after = _changed(schedule, config, now_ns, counts_on=config.repeat == schedule.repeat_of)
    after = after.evolve(queue_name=fresh.queue_name, function_name=fresh.function_name, payload=fresh.payload)
    return schedule if after == schedule else revived(after)


def cancelled(schedule: Schedule, reason: str) -> Schedule:
    """Its end; without its job, with which the record may be larger than the server takes by now."""
    state = ScheduleState.CANCELLED
    return schedule.evolve(state=state, reason=reason or None, next_ns=0, held_ns=0, payload=b"")


def revived(schedule: Schedule) -> Schedule:
    """As if it had never failed; one that is paused stays so."""
    if schedule.state is ScheduleState.FAILED:
        schedule = schedule.evolve(state=ScheduleState.ACTIVE, reason=None)
    return schedule.evolve(errors=0, retry_at_ns=0)


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


def config_from(config: ScheduleConfig | Mapping[str, Any]) -> ScheduleConfig:
    """A configuration, or one of these fields.

    Raises:
        InvalidSchedule: there is no such field, or it cannot be kept.
    """
    if isinstance(config, ScheduleConfig):
        return config
    _check_fields(config, set(ScheduleConfig.__struct_fields__))
    return ScheduleConfig(**config)


def differences(before: Schedule, after: Schedule) -> dict[str, Any]:
    """The settings that are not as they were; the kind of timetable whose place another one took is not named."""
    was, is_now = ({"queue_name": one.queue_name, **one.settings} for one in (before, after))
    changed = {name: value for name, value in is_now.items() if value != was[name]}
    if any(changed.get(name) is not None for name in _KINDS):
        changed = {
            name: value for name, value in changed.items() if value is not None or name not in (*_KINDS, "phase")
        }
    return changed


def _check_fields(given: Mapping[str, Any], fields: set[str]) -> None:
    if unknown := set(given) - fields:
        raise InvalidSchedule(f"a schedule has no {', '.join(sorted(unknown))}: it has {', '.join(sorted(fields))}")


def _changed(schedule: Schedule, config: ScheduleConfig, now_ns: int, *, counts_on: bool) -> Schedule:
    """With another configuration; what is due next is found anew only when it cannot stay."""
    after = schedule.evolve(**_stored(config, schedule.created_at_ns))
    if counts_on:
        after = after.evolve(repeat=schedule.repeat, repeat_of=schedule.repeat_of)
    was_moved = (after.starts_at_ns, after.ends_at_ns) != (schedule.starts_at_ns, schedule.ends_at_ns)
    is_inside = after.starts_at_ns <= after.next_ns <= (after.ends_at_ns or after.next_ns) and after.next_ns > 0
    stays = _rhythm(after) == _rhythm(schedule) and (is_inside or not was_moved)
    return after if stays else _first(after, now_ns)


def _rhythm(schedule: Schedule) -> tuple[Any, ...]:
    zone = schedule.timezone if schedule.cron is not None else None
    return schedule.cron, zone, schedule.every_ns, schedule.anchor_ns, schedule.at_ns


def _stored(config: ScheduleConfig, created_ns: int) -> dict[str, Any]:
    starts_at_ns = moment_ns("starts_at", config.starts_at)
    if config.phase is not None:
        anchor_ns = _span_ns(config.phase)
    else:
        anchor_ns = starts_at_ns or created_ns // _MILLISECOND_NS * _MILLISECOND_NS
    return {
        "cron": config.cron,
        "every_ns": 0 if config.every is None else round(seconds_of(config.every) * 1000) * _MILLISECOND_NS,
        "anchor_ns": 0 if config.every is None else anchor_ns,
        "at_ns": moment_ns("at", config.at),
        "timezone": config.timezone,
        "repeat": config.repeat,
        "repeat_of": config.repeat,
        "starts_at_ns": starts_at_ns,
        "ends_at_ns": moment_ns("ends_at", config.ends_at),
        "jitter_ns": _span_ns(config.jitter),
        "missed": config.missed,
        "catch_up_limit": config.catch_up_limit,
        "catch_up_window_ns": _span_ns(config.catch_up_window),
        "overlap": config.overlap,
    }


def _first(schedule: Schedule, now_ns: int) -> Schedule:
    """With what is due first; one moment in the past is due at once."""
    due_ns = schedule.next_after(schedule.at_ns - 1 if schedule.at_ns else now_ns)
    if not due_ns:
        raise InvalidSchedule(f"nothing is ever due of schedule {schedule.schedule_id}: see its expression and its end")
    return schedule.evolve(next_ns=not_before(now_ns, due_ns))


def not_before(now_ns: int, due_ns: int) -> int:
    """A moment, or now where it has passed: in whole milliseconds, as the ids of ticks are."""
    return max(due_ns, now_ns // _MILLISECOND_NS * _MILLISECOND_NS)


def _span_ns(span: float | timedelta) -> int:
    return round(seconds_of(span) * _SECOND_NS)
