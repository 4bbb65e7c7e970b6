"""``naq events``: the log, as it comes and as it was."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from naq_runtime.errors import NotFound, ServerError
from naq_tui.cli import completing
from naq_tui.cli.context import command
from naq_tui.cli.event_statistics import stats
from naq_tui.cli.events_export import export, import_
from naq_tui.cli.events_workers import workers
from naq_tui.cli.format import Format

if TYPE_CHECKING:
    from naq_runtime.config import NAQConfig
    from naq_runtime.events.filters import EventFilter
    from naq_runtime.events.queries import EventQueries
    from naq_runtime.monitor import Monitor
    from naq_tui.cli.output import EventPrinter

__all__ = ["app"]

app = typer.Typer(help="The log of events.", no_args_is_help=True, rich_markup_mode=None)

FormatOption = Annotated[Format, typer.Option("--format", "-f", help="How to print.")]
FilterOption = Annotated[
    str | None, typer.Option("--filter", metavar="TEXT", help="Only what matches, such as 'type:failed duration>2s'.")
]
_TAIL = 10


async def stream(
    *,
    job_id: Annotated[str | None, typer.Option(autocompletion=completing.jobs, help="Only of this job.")] = None,
    event_type: Annotated[
        str | None, typer.Option(autocompletion=completing.event_types, help="Only of this type, such as failed.")
    ] = None,
    queue: Annotated[str | None, typer.Option(autocompletion=completing.queues, help="Only of this queue.")] = None,
    worker: Annotated[str | None, typer.Option(autocompletion=completing.workers, help="Only of this worker.")] = None,
    filter: FilterOption = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="All since then: 15m ago, 14:02, 2026-11-27T14:02.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Only until then; nothing is followed.")] = None,
    format: FormatOption = Format.TABLE,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Go on with what comes.")] = True,
    tail: Annotated[
        int | None, typer.Option(min=0, help=f"Begin with the last so many; {_TAIL} unless times are given.")
    ] = None,
    config: NAQConfig,
) -> None:
    """Print the last events, then each one as it comes; nothing is left out or repeated between the two.

    Jobs, types, queues and workers may be several, with commas between them, and have the wildcards * and ?.

    Example: naq events stream --queue mail --filter 'type:failed duration>2s' --since 15m
    """
    from naq_runtime.monitor import Monitor
    from naq_runtime.services.manager import ServiceManager
    from naq_tui.cli.output import EventPrinter, note

    wanted = _wanted(filter, job_id=job_id, event_type=event_type, queue_name=queue, worker_id=worker)
    printer = EventPrinter(format)
    async with ServiceManager(config, role="monitor") as services:
        monitor = await services.get_service(Monitor)
        last = await _print_stored(monitor.events, wanted, since, until, tail, printer)
        if not printer.printed and tail != 0:
            note(f"no such event is stored in namespace {config.namespace}")
        if follow and until is None:
            services.connection.on_lost.append(_say_lost)
            services.connection.on_restored.append(_say_restored)
            await _follow(monitor, wanted, last, printer)


async def history(
    job_id: Annotated[str, typer.Argument(metavar="ID", autocompletion=completing.jobs, help="The job.")],
    *,
    filter: FilterOption = None,
    format: FormatOption = Format.TABLE,
    config: NAQConfig,
) -> None:
    """Print everything that happened to a job, in order.

    Example: naq events history 3k9x2abq0e7d5c1m8t4z
    """
    from naq_runtime.events.queries import EventQueries, as_filter
    from naq_runtime.events.storage import NATSJobEventStorage
    from naq_runtime.naming import check_name
    from naq_runtime.services.manager import ServiceManager
    from naq_tui.cli.output import note, print_events

    check_name("job id", job_id)
    wanted = as_filter(filter) if filter else None
    async with ServiceManager(config, role="monitor") as services:
        await services.topology.events()
        storage = NATSJobEventStorage(services.connection, services.config, services.topology)
        events = await EventQueries(storage, services.clock).history(job_id)
    if not events:
        raise NotFound(f"no events of job {job_id}: it never was, or they have expired")
    found = events if wanted is None else [stored for stored in events if wanted.matches(stored.event)]
    print_events(found, format)
    if not found:
        note(f"none of the {len(events):,} events of job {job_id} matches")


def _wanted(filter: str | None, **several: str | None) -> EventFilter:
    """What matches a filter, and of each field one of the values between commas."""
    from naq_runtime.events.filters import EventFilter

    fields: dict[str, Any] = {name: text.split(",") for name, text in several.items() if text is not None}
    return EventFilter(filter, **fields)


async def _print_stored(
    queries: EventQueries,
    wanted: EventFilter,
    since: str | None,
    until: str | None,
    tail: int | None,
    printer: EventPrinter,
) -> int:
    """Print what was asked for of what is stored; the sequence up to which that was."""
    if tail is not None or (since is None and until is None):
        recent, last = await queries.recent(_TAIL if tail is None else tail, wanted, since=since, until=until)
        for stored in recent:
            printer.print(stored)
        return last
    last = 0
    async for page in queries.pages(wanted, since=since, until=until):
        last = page.after
        for stored in page.events:
            printer.print(stored)
    return last


async def _follow(monitor: Monitor, wanted: EventFilter, last: int, printer: EventPrinter) -> None:
    import asyncio

    following = await monitor.follow(last, wanted)
    while True:
        try:
            batch = await following.next_batch()
        except ServerError:
            await asyncio.sleep(0.2)
            continue
        for stored in batch.events:
            printer.print(stored)
        if batch.missed:
            print(f"naq: {batch.missed} events were gone before they could be read", file=sys.stderr)


async def _say_lost() -> None:
    print("naq: connection lost, reconnecting", file=sys.stderr)


async def _say_restored() -> None:
    print("naq: connected again, catching up", file=sys.stderr)


app.command("stream")(command(stream))
app.command("history")(command(history))
app.command("workers")(workers)
app.command("stats")(command(stats))
app.command("export")(export)
app.command("import")(import_)
