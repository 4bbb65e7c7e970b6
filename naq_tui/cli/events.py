"""``naq events``: the log, as it comes and as it was."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from naq_runtime.errors import NotFound, ServerError
from naq_tui.cli import completing
from naq_tui.cli.context import command
from naq_tui.cli.event_options import (
    TAIL,
    FilterOption,
    FollowOption,
    PastUntilOption,
    SinceOption,
    TailOption,
    UntilOption,
)
from naq_tui.cli.event_statistics import stats
from naq_tui.cli.events_export import export, import_
from naq_tui.cli.events_workers import workers
from naq_tui.cli.format import Format

if TYPE_CHECKING:
    from collections.abc import Sequence

    from naq_runtime.config import NAQConfig
    from naq_runtime.events.filters import EventFilter
    from naq_runtime.events.models import StoredEvent
    from naq_runtime.events.queries import EventQueries
    from naq_runtime.events.storage import EventTail
    from naq_runtime.monitor import Monitor
    from naq_runtime.services.manager import ServiceManager
    from naq_tui.cli.output import EventPrinter

__all__ = ["app"]

app = typer.Typer(help="The log of events.", no_args_is_help=True, rich_markup_mode=None)

FormatOption = Annotated[Format, typer.Option("--format", "-f", help="How to print.")]
_TRY_AGAIN_S = 0.2


async def stream(
    *,
    job_id: Annotated[str | None, typer.Option(autocompletion=completing.jobs, help="Only of this job.")] = None,
    event_type: Annotated[
        str | None, typer.Option(autocompletion=completing.event_types, help="Only of this type, such as failed.")
    ] = None,
    queue: Annotated[str | None, typer.Option(autocompletion=completing.queues, help="Only of this queue.")] = None,
    worker: Annotated[str | None, typer.Option(autocompletion=completing.workers, help="Only of this worker.")] = None,
    filter: FilterOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    format: FormatOption = Format.TABLE,
    follow: FollowOption = True,
    tail: TailOption = None,
    config: NAQConfig,
) -> None:
    """Print the last events, then each one as it comes; nothing is left out or repeated between the two.

    Jobs, types, queues and workers may be several, with commas between them, and have the wildcards * and ?.

    Example: naq events stream --queue mail --filter 'type:failed duration>2s' --since 15m
    """
    from naq_runtime.monitor import Monitor
    from naq_runtime.services.manager import ServiceManager
    from naq_tui.cli.outages import telling_outages
    from naq_tui.cli.output import EventPrinter, note
    from naq_tui.cli.reader import while_read

    wanted = _wanted(filter, job_id=job_id, event_type=event_type, queue_name=queue, worker_id=worker)
    printer = EventPrinter(format)
    async with while_read(), ServiceManager(config, role="monitor") as services:
        monitor = await services.get_service(Monitor)
        goes_on = follow and until is None
        with telling_outages(services.connection) if goes_on else nullcontext():
            last = await _print_stored(monitor.events, wanted, since, until, tail, printer, goes_on=goes_on)
            if not printer.printed and tail != 0:
                note(f"no such event is stored in namespace {config.namespace}")
            if goes_on:
                await _follow(monitor, wanted, last, printer)


async def history(
    job_id: Annotated[str, typer.Argument(metavar="ID", autocompletion=completing.jobs, help="The job.")],
    *,
    filter: FilterOption = None,
    since: SinceOption = None,
    until: PastUntilOption = None,
    follow: FollowOption = False,
    format: FormatOption = Format.TABLE,
    config: NAQConfig,
) -> None:
    """Print everything that happened to a job, in order.

    With --follow JSON is an object a line.

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
        queries = EventQueries(storage, services.clock, server_ns=services.connection.server_clock.now_ns)
        events = await queries.history(job_id)
        if not events:
            raise NotFound(f"no events of job {job_id}: it never was, or they have expired")
        within = await queries.range_of(since, until) if since or until else None
        found = [
            stored
            for stored in events
            if (wanted is None or wanted.matches(stored.event))
            and (within is None or within.first <= stored.sequence <= within.last)
        ]
        if follow and until is None:
            last = max(stored.sequence for stored in events)
            await _go_on(services, found, last, _wanted(filter, job_id=job_id), format)
    print_events(found, format)
    if not found:
        note(f"none of the {len(events):,} events of job {job_id} matches")


async def _go_on(
    services: ServiceManager, found: Sequence[StoredEvent], last: int, wanted: EventFilter, format: Format
) -> NoReturn:
    """Print events, and what comes behind a sequence."""
    from naq_runtime.monitor import Monitor
    from naq_tui.cli.outages import telling_outages
    from naq_tui.cli.output import EventPrinter
    from naq_tui.cli.reader import while_read

    printer = EventPrinter(format)
    monitor = await services.get_service(Monitor)
    async with while_read():
        with telling_outages(services.connection):
            for stored in found:
                printer.print(stored)
            await _follow(monitor, wanted, last, printer)


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
    *,
    goes_on: bool,
) -> int:
    """Print what was asked for of what is stored; the sequence up to which that was.

    Args:
        goes_on: whether what an outage leaves out is read afterwards.
    """
    if tail is not None or (since is None and until is None):
        recent, last = await queries.recent(TAIL if tail is None else tail, wanted, since=since, until=until)
        for stored in recent:
            printer.print(stored)
        return last
    last = 0
    try:
        async for page in queries.pages(wanted, since=since, until=until):
            last = page.after
            for stored in page.events:
                printer.print(stored)
    except ServerError:
        if not (goes_on and last):
            raise
    return last


async def _follow(monitor: Monitor, wanted: EventFilter, last: int, printer: EventPrinter) -> NoReturn:
    """Print what comes behind a sequence, for ever; an outage of the server is waited out."""
    import asyncio

    from naq_tui.cli.output import note

    following: EventTail | None = None
    while True:
        try:
            following = following or await monitor.follow(last, wanted)
            batch = await following.next_batch()
        except ServerError:
            await asyncio.sleep(_TRY_AGAIN_S)
            continue
        for stored in batch.events:
            printer.print(stored)
        if batch.missed:
            note(f"{batch.missed:,} events were gone before they could be read")


app.command("stream")(command(stream))
app.command("history")(command(history))
app.command("workers")(workers)
app.command("stats")(command(stats))
app.command("export")(export)
app.command("import")(import_)
