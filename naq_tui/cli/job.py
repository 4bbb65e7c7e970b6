"""``naq job``: everything about one job, and what can be done with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from naq_runtime.errors import NotFound
from naq_tui.cli import completing
from naq_tui.cli.context import EXIT_CONDITION, command, fail
from naq_tui.cli.event_options import FilterOption, FollowOption, PastUntilOption, SinceOption
from naq_tui.cli.format import Format, a_span
from naq_tui.cli.job_find import find
from naq_tui.cli.watching import WatchedCommand

if TYPE_CHECKING:
    from naq_runtime.config import NAQConfig

__all__ = ["app"]

app = typer.Typer(help="Find, show, await, cancel and retry jobs.", no_args_is_help=True, rich_markup_mode=None)

_LIKE_FIND = "Print the jobs that a filter means, as find does.\n\nExample: naq job list --watch 5s"
JobId = Annotated[str, typer.Argument(metavar="ID", autocompletion=completing.jobs, help="The job.")]
JobIds = Annotated[list[str], typer.Argument(metavar="ID...", autocompletion=completing.jobs, help="The jobs.")]
FormatOption = Annotated[Format, typer.Option("--format", "-f", help="How to print.")]


async def show(job_id: JobId, *, format: FormatOption = Format.TABLE, config: NAQConfig) -> None:
    """Print all that is known of a job.

    That is its status, why it waits or waited long, its arguments, how far it has come, its log, the jobs that it
    depends on, its result or error, and its events.

    Example: naq job show 3k9x2abq0e7d5c1m8t4z
    """

    from naq_runtime.monitor import Monitor
    from naq_runtime.naming import check_name
    from naq_runtime.services.manager import ServiceManager
    from naq_tui.cli.job_page import document, needs, page
    from naq_tui.cli.job_waits import explain
    from naq_tui.cli.output import print_json, print_lines, print_raw, print_raw_members

    check_name("job id", job_id)
    async with ServiceManager(config, role="monitor") as services:
        monitor = await services.get_service(Monitor)
        detail = await monitor.job(job_id)
        now_ns = monitor.now_ns()
        standings = await monitor.standings([need.job_id for need in needs(detail) if need.met is None])
        explanation = await explain(monitor, detail, standings, now_ns)
    if format is Format.TABLE:
        print_lines(page(detail, standings, explanation, now_ns))
    elif format is Format.JSON:
        print_json(document(detail, standings, explanation))
    else:
        print_raw_members(document(detail, standings, explanation), but="events")
        for stored in detail.events:
            event = stored.event
            print_raw("event", f"{event.timestamp:.6f}", event.event_type, event.message)


async def result(
    job_id: JobId,
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the job to end.")] = False,
    wait_timeout: Annotated[
        float | None,
        typer.Option("--wait-timeout", metavar="SPAN", parser=a_span, help="Wait so long at most, such as 30s or 5m."),
    ] = None,
    format: FormatOption = Format.TABLE,
    config: NAQConfig,
) -> None:
    """Print what a job returned, as JSON; with --format raw a text as it is.

    Ends with 5 when the job failed, was cancelled, or has not ended.

    Example: naq job result 3k9x2abq0e7d5c1m8t4z --wait --wait-timeout 5m
    """
    from naq_runtime.naming import check_name
    from naq_runtime.services.jobs import JobService
    from naq_runtime.services.manager import ServiceManager
    from naq_tui.cli.acting import print_result
    from naq_tui.pages.life import ENDED

    check_name("job id", job_id)
    async with ServiceManager(config) as services:
        jobs = await services.get_service(JobService)
        detail = await jobs.detail(job_id)
        found = detail.result
        if detail.status not in ENDED:
            if not wait and wait_timeout is None:
                fail(f"job {job_id} has not ended, it is {detail.status}; --wait waits for it", EXIT_CONDITION)
            if detail.job is not None and detail.job.result_ttl == 0:
                raise NotFound(f"job {job_id} stores no outcome (result_ttl=0); 'naq job events' tells how it ends")
            found = await jobs.wait(
                job_id, wait_timeout, since_ns=detail.job.enqueued_at_ns if detail.job is not None else 0
            )
    if found is None:
        raise NotFound(f"job {job_id} has {detail.status}, but its outcome was not stored, or has expired")
    print_result(found, format)


async def cancel(
    job_ids: JobIds,
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the record.")] = "",
    config: NAQConfig,
) -> None:
    """End jobs before they end by themselves, and print their ids.

    It does not matter where they stand. A plain function that runs in a thread is only told so, and may run to its end.
    Ends with 5 when all of the jobs had ended already.

    Example: naq job cancel 3k9x2abq0e7d5c1m8t4z --reason "ordered twice"
    """
    from naq_runtime.naming import check_name
    from naq_runtime.services.jobs import JobService
    from naq_runtime.services.manager import ServiceManager
    from naq_tui.caller import caller
    from naq_tui.cli.acting import Unmet, do_all

    for job_id in job_ids:
        check_name("job id", job_id)
    async with ServiceManager(config) as services:
        jobs = await services.get_service(JobService)

        async def end(job_id: str) -> str:
            if not await jobs.cancel(job_id, reason=reason, by=caller()):
                raise Unmet(f"job {job_id} had ended already")
            return job_id

        await do_all(list(dict.fromkeys(job_ids)), end)


async def retry(job_ids: JobIds, *, config: NAQConfig) -> None:
    """Put jobs that failed for good back into their queues.

    They run again from their first attempt; their ids are printed. The same as: naq dead retry ID

    Example: naq job retry 3k9x2abq0e7d5c1m8t4z
    """
    from naq_tui.cli import dead

    await dead.retry(job_ids, config=config)


async def events(
    job_id: JobId,
    *,
    filter: FilterOption = None,
    since: SinceOption = None,
    until: PastUntilOption = None,
    follow: FollowOption = False,
    format: FormatOption = Format.TABLE,
    config: NAQConfig,
) -> None:
    """Print everything that happened to a job, in order.

    The same as: naq events history ID

    Example: naq job events 3k9x2abq0e7d5c1m8t4z --follow
    """
    from naq_tui.cli.events import history

    await history(job_id, filter=filter, since=since, until=until, follow=follow, format=format, config=config)


app.command("find", cls=WatchedCommand)(command(find))
app.command("list", cls=WatchedCommand, help=_LIKE_FIND)(command(find))
app.command("show")(command(show))
app.command("result")(command(result))
app.command("cancel")(command(cancel))
app.command("retry")(command(retry))
app.command("events")(command(events))
