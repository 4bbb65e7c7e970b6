"""What ``naq schedule`` does to schedules, one by one or by the hundred."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer

from naq_tui.cli import completing
from naq_tui.cli.context import EXIT_USAGE, fail
from naq_tui.cli.format import Format

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from naq_runtime.config import NAQConfig
    from naq_runtime.schedule import Schedule
    from naq_runtime.services.scheduler import SchedulerService

__all__ = ["cancel", "chosen", "pause", "resume", "trigger"]

_PREVIEWED = 10

State = Literal["active", "paused", "failed"]

ScheduleIds = Annotated[
    list[str] | None, typer.Argument(metavar="[ID]...", autocompletion=completing.schedules, help="The schedules.")
]
FormatOption = Annotated[Format, typer.Option("--format", "-f", help="How to print.")]
QueueOption = Annotated[
    str | None,
    typer.Option(
        "--queue",
        "-q",
        metavar="PATTERN",
        autocompletion=completing.queues,
        help="Only of these queues, such as 'mail*'.",
    ),
]
FunctionOption = Annotated[
    str | None, typer.Option("--function", metavar="PATTERN", help="Only of these functions, such as 'shop.*'.")
]
StateOption = Annotated[State | None, typer.Option("--state", help="Only those that stand so.")]
AllOption = Annotated[bool, typer.Option("--all", help="All of them.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only show which would be meant.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for the record.")]


class _Meant(NamedTuple):
    """Which schedules are meant."""

    ids: list[str]
    """By name; when there are none, by what follows."""
    queue: str | None
    function: str | None
    state: State | None
    sensible: Collection[str]
    """The states in which it makes sense, unless one is named."""


class _Asking(NamedTuple):
    """How somebody says that it is to be done."""

    question: str
    yes: bool
    dry_run: bool


async def pause(
    schedule_ids: ScheduleIds = None,
    *,
    reason: ReasonOption = "",
    everything: AllOption = False,
    queue: QueueOption = None,
    function: FunctionOption = None,
    state: StateOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    format: FormatOption = Format.TABLE,
    config: NAQConfig,
) -> None:
    """Have no more jobs come of schedules until they are resumed, and print their ids.

    Asks first, unless they are named.

    Example: naq schedule pause nightly-report --reason "the data are not in"
    """

    async def act(schedules: SchedulerService, schedule_id: str) -> None:
        await schedules.pause(schedule_id, reason)

    meant = _meant(schedule_ids, everything, queue, function, state, ("active",))
    await _act(config, meant, act, _Asking("Pause %s?", yes or bool(schedule_ids), dry_run), format)


async def resume(
    schedule_ids: ScheduleIds = None,
    *,
    everything: AllOption = False,
    queue: QueueOption = None,
    function: FunctionOption = None,
    state: StateOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    format: FormatOption = Format.TABLE,
    config: NAQConfig,
) -> None:
    """Let schedules go on that are paused or have failed, and print their ids.

    What was due meanwhile is passed over. Asks first, unless they are named.

    Example: naq schedule resume --queue 'report*' --yes
    """

    async def act(schedules: SchedulerService, schedule_id: str) -> None:
        await schedules.resume(schedule_id)

    meant = _meant(schedule_ids, everything, queue, function, state, ("paused", "failed"))
    await _act(config, meant, act, _Asking("Resume %s?", yes or bool(schedule_ids), dry_run), format)


async def cancel(
    schedule_ids: ScheduleIds = None,
    *,
    reason: ReasonOption = "",
    everything: AllOption = False,
    queue: QueueOption = None,
    function: FunctionOption = None,
    state: StateOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    format: FormatOption = Format.TABLE,
    config: NAQConfig,
) -> None:
    """End schedules for good, and print their ids.

    Jobs that have come already stay. Asks first.

    Example: naq schedule cancel nightly-report --yes
    """

    async def act(schedules: SchedulerService, schedule_id: str) -> None:
        await schedules.cancel(schedule_id, reason)

    meant = _meant(schedule_ids, everything, queue, function, state, ())
    await _act(config, meant, act, _Asking("Cancel %s for good?", yes, dry_run), format)


async def trigger(
    schedule_ids: ScheduleIds = None,
    *,
    everything: AllOption = False,
    queue: QueueOption = None,
    function: FunctionOption = None,
    state: StateOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    format: FormatOption = Format.TABLE,
    config: NAQConfig,
) -> None:
    """Have a job of each schedule come at once, besides those that are due, and print the ids of these jobs.

    It needs no scheduler, and a schedule that is paused stays so. Asks first, unless they are named.

    Example: naq schedule trigger nightly-report
    """

    async def act(schedules: SchedulerService, schedule_id: str) -> str:
        return await schedules.trigger_now(schedule_id)

    meant = _meant(schedule_ids, everything, queue, function, state, ("active",))
    await _act(config, meant, act, _Asking("Have a job come now of %s?", yes or bool(schedule_ids), dry_run), format)


async def chosen(
    schedules: SchedulerService, queue: str | None, function: str | None, state: State | None
) -> list[Schedule]:
    """The schedules that all of this holds for, by name."""
    from naq_runtime.schedule import ScheduleState
    from naq_runtime.services.scheduler import ScheduleFilter

    wanted = ScheduleFilter(
        queue_name=queue, function_name=function, state=None if state is None else ScheduleState(state)
    )
    found = [schedule.evolve(payload=b"") async for schedule in schedules.list(wanted)]
    return sorted(found, key=lambda schedule: schedule.schedule_id)


def _meant(
    schedule_ids: list[str] | None,
    everything: bool,
    queue: str | None,
    function: str | None,
    state: State | None,
    sensible: Collection[str],
) -> _Meant:
    """Which are meant; the end of the command when that is not clear."""
    from naq_runtime.schedule import check_schedule_id

    is_chosen = everything or any(one is not None for one in (queue, function, state))
    if bool(schedule_ids) == is_chosen:
        fail("name schedules, or else choose: --all, --queue, --function, --state", EXIT_USAGE)
    ids = [check_schedule_id(schedule_id) for schedule_id in dict.fromkeys(schedule_ids or ())]
    return _Meant(ids, queue, function, state, sensible)


async def _act(
    config: NAQConfig,
    meant: _Meant,
    do: Callable[[SchedulerService, str], Awaitable[str | None]],
    asking: _Asking,
    format: Format,
) -> None:
    """Do it to those that are meant, after a yes; or only show them."""
    from naq_runtime.services.manager import ServiceManager
    from naq_runtime.services.scheduler import SchedulerService
    from naq_tui.cli.acting import ask, check_can_ask, do_all
    from naq_tui.cli.output import note, print_json
    from naq_tui.cli.schedule_page import print_schedules

    check_can_ask(yes=asking.yes, dry_run=asking.dry_run)
    async with ServiceManager(config) as services:
        schedules = await services.get_service(SchedulerService)
        if asking.dry_run:
            await _preview(schedules, meant, format)
            return
        ids = meant.ids
        if not ids:
            found = await _found(schedules, meant)
            ids = [schedule.schedule_id for schedule in found]
            if ids and not asking.yes:
                print_schedules(found[:_PREVIEWED], Format.TABLE, to=sys.stderr)
        if not ids:
            note("there are no such schedules")
            if format is Format.JSON:
                print_json([])
            return
        count = "1 schedule" if len(ids) == 1 else f"{len(ids):,} schedules"
        await ask(asking.question % count, yes=asking.yes)

        async def done(schedule_id: str) -> str:
            return await do(schedules, schedule_id) or schedule_id

        await do_all(ids, done, format)


async def _found(schedules: SchedulerService, meant: _Meant) -> list[Schedule]:
    found = await chosen(schedules, meant.queue, meant.function, meant.state)
    if meant.state is not None or not meant.sensible:
        return found
    return [schedule for schedule in found if schedule.state.value in meant.sensible]


async def _preview(schedules: SchedulerService, meant: _Meant, format: Format) -> None:
    """Print those that are meant."""
    from naq_tui.cli.acting import do_all
    from naq_tui.cli.schedule_page import print_schedules

    if not meant.ids:
        print_schedules(await _found(schedules, meant), format)
        return
    found: list[Schedule] = []

    async def look(schedule_id: str) -> None:
        found.append(await schedules.get(schedule_id))

    try:
        await do_all(meant.ids, look)
    finally:
        print_schedules(found, format)
