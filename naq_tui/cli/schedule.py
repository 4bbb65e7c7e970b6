"""``naq schedule``: jobs that come again and again."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from naq_tui.cli import completing
from naq_tui.cli.context import EXIT_USAGE, command, fail
from naq_tui.cli.enqueue import Arguments, Function, Kwarg, QueueName, ResultTtl, Retries, TimeLimit, job_of, value_of
from naq_tui.cli.format import Format
from naq_tui.cli.schedule_acts import (
    FormatOption,
    FunctionOption,
    QueueOption,
    StateOption,
    cancel,
    chosen,
    pause,
    resume,
    trigger,
)
from naq_tui.cli.scheduling import (
    At,
    CatchUpLimit,
    CatchUpWindow,
    Cron,
    EndsAt,
    Every,
    Jitter,
    Missed,
    Overlap,
    Phase,
    Repeat,
    StartsAt,
    Zone,
    a_datetime,
    given,
    keep,
    note_leader,
)
from naq_tui.cli.watching import Watch, WatchedCommand, watched

if TYPE_CHECKING:
    from naq_runtime.config import NAQConfig
    from naq_runtime.schedule import Schedule
    from naq_runtime.snapshot import LeaderState

__all__ = ["app"]

app = typer.Typer(
    help="Have jobs come again and again, or once at a time; see, change and end that.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_COMING = 5

ScheduleId = Annotated[str, typer.Argument(metavar="ID", autocompletion=completing.schedules, help="The schedule.")]


async def list_(
    *,
    queue: QueueOption = None,
    function: FunctionOption = None,
    state: StateOption = None,
    watch: Watch = None,
    format: FormatOption = Format.TABLE,
    config: NAQConfig,
) -> None:
    """Print the schedules, by name: when each is due, and how it has been kept.

    Example: naq schedule list --queue 'report*' --state active
    """
    from naq_runtime.services.manager import ServiceManager
    from naq_runtime.services.scheduler import SchedulerService
    from naq_tui.cli.schedule_page import print_schedules

    async with ServiceManager(config, role="monitor") as services:
        schedules = await services.get_service(SchedulerService)

        async def read() -> tuple[list[Schedule], LeaderState | None]:
            return await chosen(schedules, queue, function, state), await schedules.leader()

        def show(found: tuple[list[Schedule], LeaderState | None]) -> None:
            print_schedules(found[0], format)
            if format is Format.TABLE:
                note_leader(found[1])

        await watched(services, watch, read, show, format)


async def show(schedule_id: ScheduleId, *, format: FormatOption = Format.TABLE, config: NAQConfig) -> None:
    """Print all about a schedule: how it stands, what comes, its job's arguments, and what happened lately.

    Example: naq schedule show nightly-report
    """
    from naq_runtime.monitor import Monitor
    from naq_runtime.services.manager import ServiceManager
    from naq_runtime.services.scheduler import SchedulerService
    from naq_tui.cli.output import print_json, print_lines, print_raw, print_raw_members
    from naq_tui.cli.schedule_page import Detail, detail_json, page

    async with ServiceManager(config, role="monitor") as services:
        known = await (await services.get_service(Monitor)).schedule(schedule_id)
        schedules = await services.get_service(SchedulerService)
        now_ns = schedules.now_ns()
        detail = Detail(known, _coming(known.schedule, now_ns), await schedules.leader())
    if format is Format.TABLE:
        print_lines(page(detail, now_ns))
    elif format is Format.JSON:
        print_json(detail_json(detail))
    else:
        print_raw_members(detail_json(detail), but="events")
        for stored in detail.known.events:
            event = stored.event
            print_raw("event", f"{event.timestamp:.6f}", event.event_type, event.message)


async def next_(
    schedule_id: ScheduleId,
    *,
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=10_000, help="So many at most.")] = _COMING,
    format: FormatOption = Format.TABLE,
    config: NAQConfig,
) -> None:
    """Print when a schedule is due next, in its own time zone.

    Example: naq schedule next nightly-report -n 10
    """
    from naq_runtime.services.manager import ServiceManager
    from naq_runtime.services.scheduler import SchedulerService
    from naq_tui.cli.schedule_page import print_coming

    async with ServiceManager(config, role="monitor") as services:
        schedules = await services.get_service(SchedulerService)
        found, now_ns = await schedules.get(schedule_id), schedules.now_ns()
    print_coming(found, found.next_runs(count, now_ns), now_ns, format)


async def add(
    function: Function,
    arguments: Arguments = None,
    *,
    cron: Cron = None,
    every: Every = None,
    at: At = None,
    timezone: Zone = None,
    repeat: Repeat = None,
    starts_at: StartsAt = None,
    ends_at: EndsAt = None,
    phase: Phase = None,
    jitter: Jitter = None,
    missed: Missed = None,
    catch_up_limit: CatchUpLimit = None,
    catch_up_window: CatchUpWindow = None,
    overlap: Overlap = None,
    schedule_id: Annotated[
        str | None, typer.Option("--id", help="Id of the schedule, of up to 40 characters; made up when left out.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Change the schedule of this --id to what is said here, if there is one.")
    ] = False,
    kwarg: Kwarg = None,
    queue: QueueName = "default",
    retries: Retries = None,
    time_limit: TimeLimit = None,
    result_ttl: ResultTtl = None,
    config: NAQConfig,
) -> None:
    """Have a job come again and again, and print the id of the schedule.

    One of --cron, --every and --at says when. The jobs are named after the schedule and their time.

    Example: naq schedule add shop.report 7 --cron '0 9 * * mon-fri' --timezone Europe/Paris --id report
    """
    job = job_of(
        function, arguments, kwarg, queue_name=queue, retries=retries, timeout=time_limit, result_ttl=result_ttl
    )
    when = given(
        cron=cron,
        every=every,
        at=at,
        timezone=timezone,
        repeat=repeat,
        starts_at=starts_at,
        ends_at=ends_at,
        phase=phase,
        jitter=jitter,
        missed=missed,
        catch_up_limit=catch_up_limit,
        catch_up_window=catch_up_window,
        overlap=overlap,
        schedule_id=schedule_id,
    )
    await keep(job, when, config, replace=replace)


async def modify(
    schedule_id: ScheduleId,
    *,
    cron: Cron = None,
    every: Every = None,
    at: At = None,
    timezone: Zone = None,
    repeat: Repeat = None,
    starts_at: StartsAt = None,
    ends_at: EndsAt = None,
    phase: Phase = None,
    jitter: Jitter = None,
    missed: Missed = None,
    catch_up_limit: CatchUpLimit = None,
    catch_up_window: CatchUpWindow = None,
    overlap: Overlap = None,
    next_run_at: Annotated[
        datetime | None, typer.Option(metavar="TIME", parser=a_datetime, help="When it is due next, out of turn.")
    ] = None,
    queue: Annotated[str | None, typer.Option("--queue", "-q", help="Where its jobs go from now on.")] = None,
    function: Annotated[str | None, typer.Option(metavar="NAME", help="The function, as module.name.")] = None,
    args: Annotated[str | None, typer.Option(metavar="JSON", help="Arguments of the jobs, as an array.")] = None,
    kwargs: Annotated[str | None, typer.Option(metavar="JSON", help="Arguments by name, as an object.")] = None,
    retries: Retries = None,
    time_limit: TimeLimit = None,
    result_ttl: ResultTtl = None,
    config: NAQConfig,
) -> None:
    """Change a schedule, and print its id; what is not said stays as it is.

    --cron, --every and --at take each other's place.

    Example: naq schedule modify report --cron '30 8 * * mon-fri' --args '[14]'
    """
    from naq_runtime.errors import NaqError
    from naq_runtime.services.manager import ServiceManager
    from naq_runtime.services.scheduler import SchedulerService

    changes = given(
        cron=cron,
        every=every,
        at=at,
        timezone=timezone,
        repeat=repeat,
        starts_at=starts_at,
        ends_at=ends_at,
        phase=phase,
        jitter=jitter,
        missed=missed,
        catch_up_limit=catch_up_limit,
        catch_up_window=catch_up_window,
        overlap=overlap,
        next_run_at=next_run_at,
        queue_name=queue,
        args=None if args is None else tuple(_json("--args", args, list)),
        kwargs=None if kwargs is None else _json("--kwargs", kwargs, dict),
        function=function,
        retries=retries,
        timeout=time_limit,
        result_ttl=result_ttl,
    )
    if not changes:
        fail("say what is to change, such as --cron, --every or --args", EXIT_USAGE)
    async with ServiceManager(config) as services:
        try:
            await (await services.get_service(SchedulerService)).modify(schedule_id, **changes)
        except NaqError:
            raise
        except ValueError as error:  # of the job
            fail(str(error), EXIT_USAGE)
    print(schedule_id)


def _json(option: str, text: str, kind: type[Any]) -> Any:
    value = value_of(text)
    if not isinstance(value, kind):
        expected = "an array such as '[1, \"two\"]'" if kind is list else "an object such as '{\"name\": 1}'"
        fail(f"{option}: expected {expected}, got {text}", EXIT_USAGE)
    return value


def _coming(schedule: Schedule, now_ns: int) -> list[int] | None:
    from naq_runtime.errors import InvalidSchedule

    try:
        return schedule.next_runs(_COMING, now_ns)
    except InvalidSchedule:
        return None


app.command("list", cls=WatchedCommand)(command(list_))
app.command("show")(command(show))
app.command("next")(command(next_))
app.command("add")(command(add))
app.command("modify")(command(modify))
app.command("pause")(command(pause))
app.command("resume")(command(resume))
app.command("cancel")(command(cancel))
app.command("trigger")(command(trigger))
