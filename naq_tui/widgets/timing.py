"""A schedule in words: how it stands, and when it is due."""

from __future__ import annotations

from naq_runtime.events.messages import duration_text
from naq_runtime.schedule import Schedule, ScheduleState
from naq_tui.text import age_text, inert, moment_text
from naq_tui.widgets.line import Tone

__all__ = ["SCHEDULE_MARKS", "when_text"]

SCHEDULE_MARKS: dict[ScheduleState, tuple[str, Tone]] = {
    ScheduleState.ACTIVE: ("● active", "good"),
    ScheduleState.PAUSED: ("‖ paused", "warn"),
    ScheduleState.FAILED: ("✗ failed", "bad"),
    ScheduleState.FINISHED: ("■ finished", "dim"),
    ScheduleState.CANCELLED: ("⊘ cancelled", "warn"),
}


def when_text(schedule: Schedule, now_ns: int) -> str:
    """``cron 0 3 * * * Europe/Zurich``, ``every 30 s``, ``at 14:02:11``, with the date when it is not near; inert."""
    if schedule.cron is not None:
        zone = "" if schedule.timezone == "UTC" else f" {schedule.timezone}"
        return inert(f"cron {schedule.cron}{zone}", 120)
    if schedule.every_ns:
        return f"every {_rate_text(schedule.every_ns / 1e9)}"
    return f"at {moment_text(schedule.at_ns, now_ns)}"


def _rate_text(seconds: float) -> str:
    if seconds < 60 and seconds % 1:
        return duration_text(seconds * 1000)
    text = age_text(seconds)
    for nothing in (" 00 s", " 00 m", " 0 h"):
        text = text.removesuffix(nothing)
    return text
