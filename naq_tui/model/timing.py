"""A schedule in words: how it stands, when it is due, and what comes of the ticks that do not go smoothly."""

from __future__ import annotations

from collections.abc import Sequence

from naq_runtime.events.messages import rhythm_text
from naq_runtime.schedule import Schedule, ScheduleState
from naq_tui.acts import Act, ActKind
from naq_tui.model.line import Mark
from naq_tui.text import count_text, inert, moment_text

__all__ = ["STATES", "missed_text", "overlap_text", "schedule_act", "span_text", "when_text"]

STATES: dict[ScheduleState, Mark] = {
    ScheduleState.ACTIVE: ("● active", "good"),
    ScheduleState.PAUSED: ("‖ paused", "warn"),
    ScheduleState.FAILED: ("✗ failed", "bad"),
    ScheduleState.FINISHED: ("■ finished", "quiet"),
    ScheduleState.CANCELLED: ("⊘ cancelled", "warn"),
}

_OVERLAPS = {
    "allow": "another one comes all the same",
    "skip": "none comes while the one before has not ended",
    "buffer": "one comes when the one before has ended",
    "cancel": "another one comes, and the one before is cancelled",
}


_ACTS: dict[ActKind, tuple[ScheduleState, ...]] = {
    ActKind.PAUSE: (ScheduleState.ACTIVE,),
    ActKind.RESUME: (ScheduleState.PAUSED, ScheduleState.FAILED),
    ActKind.TRIGGER: (ScheduleState.ACTIVE, ScheduleState.PAUSED, ScheduleState.FAILED),
    ActKind.CANCEL: (ScheduleState.ACTIVE, ScheduleState.PAUSED, ScheduleState.FAILED),
}
"""The states in which something can be done to a schedule."""


def schedule_act(kind: ActKind, chosen: Sequence[Schedule], now_ns: int) -> Act | None:
    """What is wanted of the schedules that are chosen; ``None`` when none of them stands so that it can be done."""
    able = [schedule for schedule in chosen if schedule.state in _ACTS.get(kind, ())]
    if not able:
        return None
    about = {one.schedule_id: f"{when_text(one, now_ns)}, {one.function_name}" for one in able}
    return Act(kind, "schedule", tuple(about), about=about)


def when_text(schedule: Schedule, now_ns: int, *, utc: bool = True) -> str:
    """``cron 0 3 * * * Europe/Zurich``, ``every 30 s``, ``at 14:02:11``, with the date when it is not near; inert.

    ``-`` where no event of the past tells. Without ``utc`` the zone is named only where it is another one.
    """
    if schedule.cron is not None:
        zone = "" if schedule.timezone == "UTC" and not utc else f" {schedule.timezone}"
        return inert(f"cron {schedule.cron}{zone}", 120)
    if schedule.every_ns:
        return f"every {span_text(schedule.every_ns)}"
    return f"at {moment_text(schedule.at_ns, now_ns)}" if schedule.at_ns else "-"


def span_text(span_ns: int) -> str:
    """A span as somebody wrote it, from nanoseconds: ``30 s``, ``1 h 30 m``, ``0.5 s``."""
    return rhythm_text(span_ns / 1e9)


def missed_text(schedule: Schedule) -> str:
    """What comes of ticks that nobody could see to in time."""
    match schedule.missed:
        case "skip":
            return "none runs"
        case "once":
            which = "the last one runs"
        case _:
            which = f"the last {count_text(schedule.catch_up_limit)} run"
    return f"{which}, up to {span_text(schedule.catch_up_window_ns)} late"


def overlap_text(schedule: Schedule) -> str:
    """What comes of a tick while the job of the one before has not ended."""
    return _OVERLAPS[schedule.overlap]
