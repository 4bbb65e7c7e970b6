"""What ``naq schedule`` and ``naq enqueue`` share: how one says when, how a schedule is made, and who keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from naq_tui.cli.format import a_moment, a_span

if TYPE_CHECKING:
    from naq_runtime.config import NAQConfig
    from naq_runtime.job import Job
    from naq_runtime.snapshot import LeaderState

__all__ = ["a_datetime", "given", "keep", "note_leader"]

_NONE = "none"
_NOTHING: Any = object()
"""What an option says that takes a value away."""


def a_datetime(text: str) -> datetime:
    """A moment, for an option of a command."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=a_moment(text) // 1000)


def _a_datetime_or_none(text: str) -> Any:
    return _NOTHING if text == _NONE else a_datetime(text)


def _a_count_or_none(text: str) -> Any:
    if text == _NONE:
        return _NOTHING
    if not text.isascii() or not text.isdecimal():
        raise typer.BadParameter(f"expected a number or 'none', got {text!r}")
    return int(text[:18])


Cron = Annotated[
    str | None,
    typer.Option(
        metavar="EXPR", help="Such as '0 9 * * mon-fri', '@daily', or '*/10 * * * * *' with the second first."
    ),
]
Every = Annotated[
    float | None, typer.Option(metavar="SPAN", parser=a_span, help="So long from one job to the next: 30s, 15m, 1d.")
]
At = Annotated[datetime | None, typer.Option(metavar="TIME", parser=a_datetime, help="Once, then.")]
Zone = Annotated[
    str | None, typer.Option("--timezone", metavar="ZONE", help="Of --cron, such as Europe/Paris; UTC when left out.")
]
Repeat = Annotated[
    Any, typer.Option(metavar="N", parser=_a_count_or_none, help="So many jobs at most; 'none' for no end.")
]
StartsAt = Annotated[
    Any, typer.Option(metavar="TIME", parser=_a_datetime_or_none, help="Nothing is due before; or 'none'.")
]
EndsAt = Annotated[
    Any, typer.Option(metavar="TIME", parser=_a_datetime_or_none, help="Nothing is due after; or 'none'.")
]
Phase = Annotated[
    float | None,
    typer.Option(metavar="SPAN", parser=a_span, help="How far each --every is behind the full hour or minute."),
]
Jitter = Annotated[
    float | None, typer.Option(metavar="SPAN", parser=a_span, help="Each job comes up to so much later, by chance.")
]
Missed = Annotated[
    Literal["skip", "once", "all"] | None,
    typer.Option(help="Which of the ticks get jobs that nobody saw to in time; once: the last one."),
]
CatchUpLimit = Annotated[int | None, typer.Option(metavar="N", help="With --missed all: so many jobs at most.")]
CatchUpWindow = Annotated[
    float | None, typer.Option(metavar="SPAN", parser=a_span, help="What was missed longer ago is skipped.")
]
Overlap = Annotated[
    Literal["allow", "skip", "buffer", "cancel"] | None,
    typer.Option(
        help="While the job before has not ended: another; none; one when it has; another, and that one is cancelled."
    ),
]


def given(**options: Any) -> dict[str, Any]:
    """The options that were given; ``none`` takes a value away."""
    return {name: None if value is _NOTHING else value for name, value in options.items() if value is not None}


async def keep(job: Job, when: Mapping[str, Any], config: NAQConfig, *, replace: bool = False) -> None:
    """Have a job come again and again, and print the id of the schedule."""
    from naq_runtime.schedule import ScheduleConfig
    from naq_runtime.services.manager import ServiceManager
    from naq_runtime.services.scheduler import SchedulerService

    wanted = ScheduleConfig(**when)
    async with ServiceManager(config) as services:
        schedules = await services.get_service(SchedulerService)
        print(await schedules.schedule_job(job, wanted, replace=replace), flush=True)
        if await schedules.leader() is None:
            note_leader(None)


def note_leader(leader: LeaderState | None) -> None:
    """Say beside the data who sees to it that jobs come."""
    from naq_tui.cli.output import note

    if leader is None:
        note("no scheduler runs, so nothing comes; 'naq run-scheduler' starts one")
    else:
        note(f"scheduler {leader.instance_id} on {leader.hostname}:{leader.pid} leads, term {leader.term}")
