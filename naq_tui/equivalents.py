"""The ``naq`` commands that tell in a shell what is on the screen."""

from __future__ import annotations

import shlex

from naq_runtime.events.models import AlertEvent, Event, JobEvent, ScheduleEvent, SystemEvent, WorkerEvent
from naq_tui.text import inert

__all__ = [
    "command_line",
    "events_command",
    "history_command",
    "queue_command",
    "schedule_command",
    "stream_command",
    "worker_command",
]

_LONGEST = 2_000


def command_line(*words: str, name: str = "") -> str:
    """``naq`` with these words, quoted for a shell, and after them a name that somebody else has chosen.

    Empty when a word holds what nobody can type: a line that is pasted must not do something else than what it says.
    """
    typed = [*words, *(("--",) if name.startswith("-") else ()), *((name,) if name else ())]
    if any(not word or inert(word, _LONGEST) != word for word in typed):
        return ""
    return shlex.join(("naq", *typed))


def history_command(event: Event) -> str:
    """What tells more of whatever an event is of."""
    match event:
        case JobEvent():
            return command_line("events", "history", name=event.job_id) if event.job_id else ""
        case ScheduleEvent():
            return schedule_command(event.schedule_id)
        case WorkerEvent():
            words = ("worker", "events", "--tail", "100", "--no-follow")
            return command_line(*words, name=event.worker_id) if event.worker_id else ""
        case AlertEvent():
            return command_line("alerts", "list")
        case SystemEvent():
            return queue_command(event.queue_name) if event.queue_name else events_command(f"instance:{event.instance}")
    return events_command("")


def events_command(needle: str) -> str:
    """The events that a filter lets through, as they come."""
    return command_line("events", "stream", *(("--filter", needle) if needle else ()))


def queue_command(queue: str) -> str:
    """A queue."""
    return command_line("queue", "show", name=queue) if queue else ""


def worker_command(worker_id: str) -> str:
    """A worker."""
    return command_line("worker", "show", name=worker_id) if worker_id else ""


def schedule_command(schedule_id: str) -> str:
    """A schedule."""
    return command_line("schedule", "show", name=schedule_id) if schedule_id else ""


def stream_command(stream: str) -> str:
    """A stream, or all of them."""
    return command_line("stream", "show", name=stream) if stream else command_line("stream", "list")
