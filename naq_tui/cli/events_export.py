"""``naq events export`` and ``naq events import``: the log into a file, and back."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from naq_tui.cli.context import EXIT_USAGE, command, fail
from naq_tui.cli.format import a_past_moment

if TYPE_CHECKING:
    from naq_runtime.config import NAQConfig
    from naq_runtime.events.archive import ArchiveReader, ArchiveWriter
    from naq_runtime.events.transfer import Imported

__all__ = ["export", "import_"]

_DASH = Path("-")
_SHOWN_EVERY_S = 0.5
_WHEN = "A span ago such as 2h, or a time such as 14:30 or 2026-03-01T14:30Z."


async def _export(
    *,
    since: Annotated[
        int | None, typer.Option(metavar="TIME", parser=a_past_moment, help=f"Stored since then. {_WHEN}")
    ] = None,
    until: Annotated[
        int | None, typer.Option(metavar="TIME", parser=a_past_moment, help="Stored before. The same forms.")
    ] = None,
    event_type: Annotated[
        list[str] | None, typer.Option("--type", help="Only of this type, such as failed; may be repeated.")
    ] = None,
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
    from naq_runtime.events.transfer import export_events, export_header
    from naq_runtime.naming import check_name
    from naq_runtime.services.manager import ServiceManager

    output = None if output == _DASH else output
    types = [check_name("event type", one) for one in event_type or ()]
    if output is None and sys.stdout.isatty() and compress:
        fail("compressed events are nothing for a terminal: use -o FILE, or send them into a pipe", EXIT_USAGE)
    async with ServiceManager(config, role="monitor") as services:
        connection, names = services.connection, services.names
        await services.topology.events()
        header = await export_header(connection, names, since_ns=since or 0, until_ns=until or 0, event_types=types)
        packed = compress or (output is not None and output.suffix == ".zst")
        with _written(output) as file:
            writer = ArchiveWriter(file, header, compress=packed)
            complete = False
            try:
                gone = await export_events(connection, names, header, writer, _Progress("exported"))
                complete = True
            finally:
                writer.end(complete=complete)
                _say_exported(writer, complete=complete)
    if gone:
        _note(f"{gone:,} messages of that range are in the log no more")


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


def _say_exported(writer: ArchiveWriter, *, complete: bool) -> None:
    _note(f"{writer.count:,} events exported{'' if complete else ', and then it was ended: the file can be read'}")
    if writer.left_out:
        _note(f"{writer.left_out:,} messages of the log are no events, and were left out")


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

    reader = ArchiveReader(Path("/dev/stdin") if file == _DASH else file)
    try:
        async with ServiceManager(config, role="import") as services:
            storage = NATSJobEventStorage(services.connection, services.config, services.topology)
            try:
                done = await import_events(storage, services.names, reader, _Progress("read"))
            finally:
                await storage.close()
    finally:
        reader.close()
    _say_imported(done, reader)


def _say_imported(done: Imported, reader: ArchiveReader) -> None:
    _note(f"{done.stored:,} events imported, {done.there:,} were in the log already")
    if done.too_large:
        _note(f"{done.too_large:,} events are larger than this server accepts, and were left out")
    if reader.broken:
        _note(f"{reader.broken:,} lines are no events, and were passed over")
    if reader.fault:
        _note(f"the file is not complete: {reader.fault}")


class _Progress:
    """Tells on stderr how far it is, twice a second, where somebody sees it."""

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self._told_at = 0.0

    def __call__(self, done: int, of: int) -> None:
        import time

        now = time.monotonic()
        if not sys.stderr.isatty() or now - self._told_at < _SHOWN_EVERY_S:
            return
        self._told_at = now
        share = f" {100 * done // of} %" if of else ""
        print(f"\rnaq: {done:,} {self._verb}{share}\x1b[K", end="\r", file=sys.stderr, flush=True)


def _note(message: str) -> None:
    from naq_tui.cli.output import note

    note(message)


export, import_ = command(_export), command(_import)
