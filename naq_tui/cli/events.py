"""``naq events``: the log, as it comes and as it was."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from naq_runtime.errors import NotFound, ServerError
from naq_tui.cli.context import command
from naq_tui.cli.events_export import export, import_
from naq_tui.cli.events_workers import workers
from naq_tui.cli.format import Format

if TYPE_CHECKING:
    from naq_runtime.config import NAQConfig
    from naq_runtime.events.filters import EventFilter
    from naq_runtime.monitor import Monitor
    from naq_tui.cli.output import EventPrinter

__all__ = ["app"]

app = typer.Typer(help="The log of events.", no_args_is_help=True, rich_markup_mode=None)

FormatOption = Annotated[Format, typer.Option("--format", "-f", help="How to print.")]


async def stream(
    *,
    job_id: Annotated[str | None, typer.Option(help="Only of this job.")] = None,
    event_type: Annotated[str | None, typer.Option(help="Only of this type, such as failed.")] = None,
    queue: Annotated[str | None, typer.Option(help="Only of this queue.")] = None,
    worker: Annotated[str | None, typer.Option(help="Only of this worker.")] = None,
    format: FormatOption = Format.TABLE,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Go on with what comes.")] = True,
    tail: Annotated[int, typer.Option(min=0, help="Begin with the last so many.")] = 10,
    config: NAQConfig,
) -> None:
    """Print the last events, then each one as it comes; nothing is left out or repeated between the two.

    Example: naq events stream --queue mail --event-type failed --format json
    """
    from naq_runtime.events.filters import EventFilter
    from naq_runtime.monitor import Monitor
    from naq_runtime.services.manager import ServiceManager
    from naq_tui.cli.output import EventPrinter

    wanted = EventFilter(job_id, event_type, queue, worker)
    printer = EventPrinter(format)
    async with ServiceManager(config, role="monitor") as services:
        monitor = await services.get_service(Monitor)
        recent, last = await monitor.recent(tail, wanted)
        for stored in recent:
            printer.print(stored)
        if follow:
            services.connection.on_lost.append(_say_lost)
            services.connection.on_restored.append(_say_restored)
            await _follow(monitor, wanted, last, printer)


async def history(
    job_id: Annotated[str, typer.Argument(help="The job.")],
    *,
    format: FormatOption = Format.TABLE,
    config: NAQConfig,
) -> None:
    """Print everything that happened to a job, in order.

    Example: naq events history 3k9x2abq0e7d5c1m8t4z
    """
    from naq_runtime.events.storage import NATSJobEventStorage
    from naq_runtime.naming import check_name
    from naq_runtime.services.manager import ServiceManager
    from naq_tui.cli.output import print_events

    check_name("job id", job_id)
    async with ServiceManager(config, role="monitor") as services:
        await services.topology.events()
        storage = NATSJobEventStorage(services.connection, services.config, services.topology)
        events = await storage.history(job_id)
    if not events:
        raise NotFound(f"no events of job {job_id}: it never was, or they have expired")
    print_events(events, format)


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
app.command("export")(export)
app.command("import")(import_)
