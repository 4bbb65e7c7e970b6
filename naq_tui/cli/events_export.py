"""``naq events export`` and ``naq events import``: the log into a file, and back."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from naq_tui.cli import completing
from naq_tui.cli.context import EXIT_FAILURE, EXIT_USAGE, command, fail
from naq_tui.cli.event_options import FilterOption
from naq_tui.cli.format import PastMoment, a_past_moment
from naq_tui.cli.past import FORMS, on_server

if TYPE_CHECKING:
    from naq_runtime.config import NAQConfig
    from naq_runtime.events.archive import ArchiveHeader, ArchiveReader, ArchiveWriter
    from naq_runtime.events.transfer import Imported
    from naq_runtime.services.manager import ServiceManager

__all__ = ["export", "import_"]

_DASH = Path("-")
_STDIN = Path("/dev/stdin")
Moment = Annotated[PastMoment | None, typer.Option(parser=a_past_moment, metavar="TIME", help=f"By storing. {FORMS}")]


async def _export(
    *,
    since: Moment = None,
    until: Moment = None,
    event_type: Annotated[
        list[str] | None,
        typer.Option(
            "--type", autocompletion=completing.event_types, help="Only of this type, such as failed; may be repeated."
        ),
    ] = None,
    filter: FilterOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Instead of stdout (-); .zst compresses.")
    ] = None,
    compress: Annotated[bool, typer.Option("--compress", help="Compress with zstd.")] = False,
    config: NAQConfig,
) -> None:
    """Write events as JSON lines, for 'naq events import' and 'naq-top --replay'.

    Ended by Ctrl-C, it leaves a file that can be read.

    Example: naq events export --since 2h -o incident.jsonl.zst
    """
    from naq_runtime.events.archive import ArchiveWriter
    from naq_runtime.events.filters import EventFilter
    from naq_runtime.events.transfer import export_header
    from naq_runtime.services.manager import ServiceManager

    output = None if output == _DASH else output
    types = event_type or []
    if types:
        EventFilter(event_type=types)  # refuses those that there are not
    wanted = EventFilter(filter) if filter else None
    if output is None and sys.stdout.isatty() and compress:
        fail("compressed events are nothing for a terminal: use -o FILE, or send them into a pipe", EXIT_USAGE)
    packed = compress or (output is not None and output.suffix == ".zst")
    async with ServiceManager(config, role="monitor") as services:
        await services.topology.events()
        since_ns, until_ns = await on_server(services, since, until)
        if since_ns is not None and until_ns is not None and since_ns >= until_ns:
            fail("the time ends before it begins: choose an earlier --since, or a later --until", EXIT_USAGE)
        header = await export_header(
            services.connection,
            services.names,
            since_ns=since_ns or 0,
            until_ns=until_ns or 0,
            event_types=types,
            filter=filter or "",
        )
        with _written(output) as file:
            await _write(services, header, ArchiveWriter(file, header, compress=packed, wanted=wanted))


async def _write(services: ServiceManager, header: ArchiveHeader, writer: ArchiveWriter) -> None:
    """Write what the header says; whatever happens, the file can be read as far as it goes."""
    from naq_runtime.events.transfer import export_events
    from naq_tui.cli.progress import progress

    complete, gone = False, 0
    try:
        with progress("writing events", while_printing=True) as tell:
            gone = await export_events(services.connection, services.names, header, writer, tell)
        complete = True
    finally:
        writer.end(complete=complete)
        _note(_count(writer.count, "event exported", "events exported") + ("" if complete else _ENDED))
        if writer.left_out:
            _note(
                _count(writer.left_out, "message is no event, and was", "messages are no events, and were")
                + " left out"
            )
    if gone:
        _note(_count(gone, "message", "messages") + " of that range left the log before, as old heartbeats do")


_ENDED = ", and then it was ended: the file can be read"


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


@contextmanager
def _written(output: Path | None) -> Iterator[IO[bytes]]:
    try:
        # Of its own: what stdout cannot take would fail once more when the process ends.
        with open(sys.stdout.fileno(), "wb", closefd=False) if output is None else output.open("wb") as file:
            yield file
    except BrokenPipeError:
        raise
    except OSError as error:
        fail(f"cannot write {output or 'to stdout'}: {error.strerror}", EXIT_USAGE)


async def _import(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Of 'naq events export', compressed or not; - for stdin.")
    ],
    *,
    config: NAQConfig,
) -> None:
    """Put the events of a file into the log of this namespace; those that are there already stay once.

    Example: naq events import incident.jsonl.zst --namespace incident
    """
    from naq_runtime.events.archive import ArchiveReader
    from naq_runtime.events.storage import NATSJobEventStorage
    from naq_runtime.events.transfer import import_events
    from naq_runtime.services.manager import ServiceManager
    from naq_tui.cli.progress import progress

    if file == _DASH and sys.stdin.isatty():
        fail("events are not typed: name a file, or send one into stdin", EXIT_USAGE)
    reader, read, done = ArchiveReader(_STDIN if file == _DASH else file), 0, None
    try:
        async with ServiceManager(config, role="import") as services:
            storage = NATSJobEventStorage(services.connection, services.config, services.topology)
            with progress("reading events") as tell:

                def count(so_far: int, of: int) -> None:
                    nonlocal read
                    read = so_far
                    tell(so_far, of)

                try:
                    done = await import_events(storage, services.names, reader, count)
                finally:
                    await storage.close()
    finally:
        reader.close()
        if done is None and read:
            _note(f"ended behind {_count(read, 'event', 'events')}, which are in the log: do it again to go on")
    _say_imported(done, reader)


def _say_imported(done: Imported, reader: ArchiveReader) -> None:
    there = _count(done.there, "was", "were")
    _note(f"{_count(done.stored, 'event', 'events')} imported, {there} in the log already")
    if done.too_large:
        large = _count(done.too_large, "event is", "events are")
        _note(f"{large} larger than this server accepts: left out")
    if reader.broken:
        _note(_count(reader.broken, "line is no event, and was", "lines are no events, and were") + " passed over")
    if reader.fault:
        fail(f"the file is not complete: {reader.fault}", EXIT_FAILURE)


def _note(message: str) -> None:
    from naq_tui.cli.output import note

    note(message)


export, import_ = command(_export), command(_import)
