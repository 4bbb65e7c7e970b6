"""Events out of a log into a file, and out of a file into a log; neither holds more than a page at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterable
from itertools import islice
from operator import add
from typing import TYPE_CHECKING, Any, NamedTuple

from naq_runtime.events.archive import FORMAT_VERSION, ArchivedEvent, ArchiveHeader, ArchiveReader, ArchiveWriter
from naq_runtime.events.reading import EventReader, SequenceRange
from naq_runtime.events.storage import EventStorage
from naq_runtime.naming import Names
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.direct import StoredMessage
from naq_runtime.nats.publish import Outgoing
from naq_runtime.version import VERSION

if TYPE_CHECKING:
    from naq_runtime.events.filters import EventFilter

__all__ = ["Imported", "export_events", "export_header", "import_events"]

_PAGE = 500
_PAGE_BY_SUBJECT = 5_000
"""For each page by subject, the server goes through its index first: in small ones a quarter of the log would take
longer than all of it."""
_ALL = [None]
"""Any subject."""

Progress = Callable[[int, int], None]
"""Is told how much is done, and of how much."""


class Imported(NamedTuple):
    """What became of the events of a file."""

    stored: int
    there: int
    """That were in the log already."""
    too_large: int
    """That the server does not accept."""


async def export_header(
    connection: Connection,
    names: Names,
    *,
    since_ns: int = 0,
    until_ns: int = 0,
    event_types: Collection[str] = (),
    filter: str = "",
) -> ArchiveHeader:
    """What is to be exported, as the log is now.

    Args:
        since_ns: events that were stored since then, by the clock of the server; 0 for all.
        until_ns: events that were stored before; 0 for all up to now.
        event_types: only those; empty for all.
        filter: the text of that by which the writer chooses; empty for all.

    Raises:
        ServerError: the log cannot be read.
    """
    within = await EventReader(connection, names).range_of(since_ns or None, until_ns or None)
    return ArchiveHeader(
        naq_events=FORMAT_VERSION,
        namespace=names.namespace,
        version=VERSION,
        exported_ns=connection.server_clock.now_ns(),
        since_ns=since_ns,
        until_ns=until_ns,
        first_sequence=max(1, within.first),
        last_sequence=within.last,
        event_types=tuple(event_types),
        filter=filter,
    )


async def export_events(
    connection: Connection, names: Names, header: ArchiveHeader, writer: ArchiveWriter, progress: Progress
) -> int:
    """Write what the header says; returns how many messages of that range are in the log no more.

    Where a filter or types tell the subjects, no others are read, and nobody knows what is gone of them: 0.

    Raises:
        ServerError: the log cannot be read; what was read until then is written.
    """
    first, last = max(1, header.first_sequence), header.last_sequence  # an empty log begins at 0
    reader, types = EventReader(connection, names), frozenset(header.event_types)
    subjects = reader.worth_asking(_filter_of(header)) if types or header.filter else _ALL
    is_all = subjects == _ALL
    size = _PAGE if is_all else _PAGE_BY_SUBJECT
    read, reached = 0, first - 1
    while reached < last:
        page, reached = await reader.messages(subjects, SequenceRange(reached + 1, last), size)
        read += len(page)
        some = [message for message in page if _type_of(message) in types] if types else page
        await _to_its_end(asyncio.to_thread(writer.write, some))
        progress(reached - first + 1, last - first + 1)
    return max(0, last - first + 1 - read) if is_all else 0


async def import_events(storage: EventStorage, names: Names, reader: ArchiveReader, progress: Progress) -> Imported:
    """Put all events of a file into a log, under their subjects and with their ids: what is there already stays once.

    What is larger than the server accepts is left out: its server accepted more.

    Raises:
        ServerError: the log cannot be written; doing it again goes on where it ended.
    """
    done = Imported(0, 0, 0)
    events = iter(reader)
    while page := await asyncio.to_thread(_page_of, events):
        outgoing = [Outgoing(f"{names.events[:-1]}{one.subject}", one.payload) for one in page]
        new = await storage.missing(outgoing)
        fitting = [one for one in new if len(one.payload) <= storage.largest]
        if fitting:
            await storage.store(fitting)
        came = Imported(len(fitting), len(page) - len(new), len(new) - len(fitting))
        done = Imported(*map(add, done, came))
        progress(sum(done), 0)
    return done


def _filter_of(header: ArchiveHeader) -> EventFilter:
    from naq_runtime.events.filters import EventFilter

    return EventFilter(header.filter, event_type=list(header.event_types) or None)


async def _to_its_end(writing: Coroutine[Any, Any, None]) -> None:
    """A line is written as a whole, or not: who is cancelled waits for the thread."""
    task = asyncio.ensure_future(writing)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


def _page_of(events: Iterable[ArchivedEvent]) -> list[ArchivedEvent]:
    return list(islice(events, _PAGE))


def _type_of(message: StoredMessage) -> str:
    return message.subject.split(".")[-2]
