"""Reading many stored messages by one request, without a consumer on the server (batched direct get)."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from naq_runtime.errors import JetStreamError, ServerUnreachable, StreamMissing
from naq_runtime.nats.connection import Connection, listening
from naq_runtime.nats.lean import header_lines
from naq_runtime.nats.translating import translated

__all__ = [
    "STREAM_NOT_FOUND",
    "Page",
    "StoredMessage",
    "all_of",
    "first_at",
    "last_by_subject",
    "messages_from",
    "page_from",
    "sequence_at",
    "stream_bounds",
]

STREAM_NOT_FOUND = 10059
_PAGE = 1000
_ANSWER_BYTES = 8 * 1024 * 1024
"""A larger answer could fill what the server holds for a slow client, and it would hang up."""
_ASKED_BEFORE_READY = 4
_READY_WAIT_S = 0.05
_TOO_MANY = "413"
"""A request for the last of each subject met more subjects than the server answers for (1,024)."""
_NO_STATUS = b"NATS/1.0\r\n"
_STATUS = slice(9, 12)
"""Where it stands in the headers of a message that has one."""
_PENDING = re.compile(rb"\r\nNats-Num-Pending: (\d+)\r\n")
_PLAIN = re.compile(
    rb"NATS/1\.0\r\nNats-Stream: [^\r]*\r\nNats-Subject: ([^\r]*)\r\nNats-Sequence: (\d+)\r\n"
    rb"Nats-Time-Stamp: ([^\r]*)\r\nNats-Num-Pending: \d+\r\nNats-Last-Sequence: \d+\r\n\r\n"
)
"""The headers that the server puts to a message that was published without any."""


class StoredMessage(Struct, frozen=True, gc=False):
    """A message as a stream holds it."""

    subject: str
    sequence: int
    data: bytes
    stored_at: str
    """The server's time of storage, RFC 3339."""
    headers: Mapping[str, str] = {}
    """Those that it was published with; perhaps some of the server's, too."""


@dataclass(slots=True)
class Page:
    """The answer to one request."""

    messages: list[StoredMessage]
    pending: int
    """How many more there are behind it."""


class Bounds(NamedTuple):
    """Where a stream begins and ends."""

    first: int
    last: int
    created: str
    """When it was made; tells a stream from a later one of the same name."""


async def stream_bounds(connection: Connection, stream: str) -> Bounds:
    """The bounds of a stream; 1 and 0 while it is not there."""
    try:
        answer = await connection.api(f"STREAM.INFO.{stream}")
    except JetStreamError as error:
        if error.code == STREAM_NOT_FOUND:
            return Bounds(1, 0, "")
        raise
    return Bounds(int(answer["state"]["first_seq"]), int(answer["state"]["last_seq"]), str(answer["created"]))


async def last_by_subject(connection: Connection, stream: str, subjects: Sequence[str]) -> list[StoredMessage]:
    """The last message of every subject that matches, by sequence; nothing while the stream is not there.

    A subject with wildcards finds all of its messages only in a stream that keeps one message a subject, as ours do.
    """
    try:
        found = await _last_of_each(connection, stream, subjects)
    except StreamMissing:
        return []
    found.sort(key=lambda message: message.sequence)
    return found


async def _last_of_each(connection: Connection, stream: str, subjects: Sequence[str]) -> list[StoredMessage]:
    found: list[StoredMessage] = []
    for start in range(0, len(subjects), _PAGE):
        asked = list(subjects[start : start + _PAGE])
        page = await _request(connection, stream, {"multi_last": asked})
        if page is not None and page.pending == 0:
            found += page.messages
            continue
        for subject in asked:  # too much for one answer: one message a subject, so all of them in turn
            async for messages in messages_from(connection, stream, 1, subject=subject):
                found += messages
    return found


async def all_of(
    connection: Connection, stream: str, subjects: Sequence[str], *, up_to: int | None = None
) -> list[StoredMessage] | None:
    """The last message of every subject that matches, up to a sequence; ``None`` when there are more than 1,000.

    In a stream that keeps one message a subject, these are all of its messages.
    """
    try:
        asked = {"multi_last": list(subjects)} | ({} if up_to is None else {"up_to_seq": up_to})
        page = await _request(connection, stream, asked)
    except StreamMissing:
        return []
    if page is None or page.pending:
        return None
    return sorted(page.messages, key=lambda message: message.sequence)


async def first_at(connection: Connection, stream: str, time_ns: int) -> StoredMessage | None:
    """The first message that was stored at a moment or later.

    Args:
        time_ns: nanoseconds since 1970, by the clock of the server.

    Raises:
        StreamMissing: the stream is not there.
        ServerError: it cannot be read now.
    """
    page = await _request(connection, stream, {"start_time": _rfc3339(time_ns), "batch": 1})
    return page.messages[0] if page is not None and page.messages else None


async def sequence_at(connection: Connection, stream: str, time_ns: int) -> int | None:
    """Its sequence; see `first_at`."""
    first = await first_at(connection, stream, time_ns)
    return None if first is None else first.sequence


def _rfc3339(time_ns: int) -> str:
    second, rest = divmod(time_ns, 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(second))}.{rest:09d}Z"


async def page_from(connection: Connection, stream: str, sequence: int, size: int, subject: str | None = None) -> Page:
    """At most ``size`` messages from a sequence on.

    Raises:
        StreamMissing: the stream is not there.
        ServerError: it cannot be read now.
    """
    request: dict[str, Any] = {"seq": max(1, sequence), "batch": size}
    if subject is not None:
        request["next_by_subj"] = subject
    return await _request(connection, stream, request) or Page([], 0)


async def messages_from(
    connection: Connection,
    stream: str,
    sequence: int,
    *,
    until: int | None = None,
    subject: str | None = None,
    page_size: int = _PAGE,
) -> AsyncIterator[list[StoredMessage]]:
    """Pages of the messages from a sequence on, up to ``until`` or to the end of the stream."""
    while until is None or sequence <= until:
        size = page_size if until is None else min(page_size, until - sequence + 1)
        page = await page_from(connection, stream, sequence, size, subject)
        messages = page.messages if until is None else [m for m in page.messages if m.sequence <= until]
        if messages:
            yield messages
        if page.pending == 0 or len(messages) < len(page.messages) or not messages:
            return
        sequence = page.messages[-1].sequence + 1


async def _request(connection: Connection, stream: str, request: dict[str, Any]) -> Page | None:
    """One page; ``None`` when there would be more than the server puts into one answer."""
    for _ in range(_ASKED_BEFORE_READY):
        page, status = await _asked(connection, stream, request)
        if status == _TOO_MANY:
            return None
        if status in ("204", "404"):
            return page
        await _explain(connection, stream)
        await asyncio.sleep(_READY_WAIT_S)  # it is there, and does not listen yet: it was made just now
    raise ServerUnreachable(f"stream {stream} cannot be read now (status {status})")


async def _asked(connection: Connection, stream: str, request: dict[str, Any]) -> tuple[Page, str]:
    """What came for one request, and the status that ended it."""
    end: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    came: list[tuple[bytes, bytes]] = []

    def take(headers: bytes, data: bytes) -> None:
        if headers.startswith(_NO_STATUS):
            came.append((headers, data))
        elif not end.done():
            end.set_result(headers)

    async def lost() -> None:
        if not end.done():
            end.set_exception(ServerUnreachable("the connection was lost before the server answered"))

    inbox = connection.new_inbox()
    async with connection.client.taking(inbox, take):
        with translated(), listening(connection.on_lost, lost):
            asked = msgspec.json.encode({**request, "max_bytes": _ANSWER_BYTES})
            await connection.publish(connection.js_api(f"DIRECT.GET.{stream}"), asked, inbox)
            last = await _patiently(end, came, connection.config.request_timeout)
    pending = _PENDING.search(last)
    messages = [_stored(headers, data) for headers, data in came]
    return Page(messages, int(pending[1]) if pending else 0), last[_STATUS].decode()


async def _patiently(end: asyncio.Future[bytes], came: Sequence[object], patience_s: float) -> bytes:
    """Wait for the end for as long as something comes now and then.

    Raises:
        TimeoutError: nothing came for so long.
    """
    seen = -1
    while len(came) > seen:
        seen = len(came)
        if (await asyncio.wait((end,), timeout=patience_s))[0]:
            return end.result()
    raise TimeoutError


async def _explain(connection: Connection, stream: str) -> None:
    """Raise when an answer is none because the stream is not there, or JetStream is away."""
    try:
        await connection.api(f"STREAM.INFO.{stream}")
    except JetStreamError as error:
        if error.code == STREAM_NOT_FOUND:
            raise StreamMissing(f"stream {stream} does not exist") from error
        raise


def _stored(headers: bytes, data: bytes) -> StoredMessage:
    if plain := _PLAIN.fullmatch(headers):
        subject, sequence, stored_at = plain.groups()
        return StoredMessage(subject.decode(), int(sequence), data, stored_at.decode())
    fields = header_lines(headers)
    return StoredMessage(
        fields.get("Nats-Subject", ""), int(fields["Nats-Sequence"]), data, fields.get("Nats-Time-Stamp", ""), fields
    )
