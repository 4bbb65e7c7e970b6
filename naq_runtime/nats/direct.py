"""Reading many stored messages by one request, without a consumer on the server (batched direct get)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from naq_runtime.errors import ServerUnreachable
from naq_runtime.nats.connection import Connection, Msg, subscribed, translated

__all__ = ["StoredMessage", "last_by_subject", "messages_from", "sequence_at"]

_PAGE = 1000
_MULTI_LIMIT = 1000
"""The server answers for 1,024 subjects at most."""


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as a stream holds it."""

    subject: str
    sequence: int
    data: bytes
    stored_at: str
    """The server's time of storage, RFC 3339."""


@dataclass(slots=True)
class _Page:
    messages: list[StoredMessage]
    pending: int
    """How many more there are."""


async def last_by_subject(connection: Connection, stream: str, subjects: Sequence[str]) -> list[StoredMessage]:
    """The last message of every subject that matches; at most 1,024 of them a pattern. By sequence."""
    found: list[StoredMessage] = []
    for start in range(0, len(subjects), _MULTI_LIMIT):
        found += (
            await _request(connection, stream, {"multi_last": list(subjects[start : start + _MULTI_LIMIT])})
        ).messages
    found.sort(key=lambda message: message.sequence)
    return found


async def messages_from(
    connection: Connection, stream: str, sequence: int, *, until: int | None = None, subject: str | None = None
) -> AsyncIterator[list[StoredMessage]]:
    """Pages of the messages from a sequence on, up to ``until`` or to the end of the stream."""
    while until is None or sequence <= until:
        size = _PAGE if until is None else min(_PAGE, until - sequence + 1)
        request: dict[str, Any] = {"seq": max(1, sequence), "batch": size}
        if subject is not None:
            request["next_by_subj"] = subject
        page = await _request(connection, stream, request)
        messages = page.messages if until is None else [m for m in page.messages if m.sequence <= until]
        if messages:
            yield messages
        if not page.messages or page.pending == 0 or len(messages) < len(page.messages):
            return
        sequence = page.messages[-1].sequence + 1


async def sequence_at(connection: Connection, stream: str, time_rfc3339: str) -> int | None:
    """The first sequence stored at or after a moment, ``None`` when there is none."""
    page = await _request(connection, stream, {"start_time": time_rfc3339, "batch": 1})
    return page.messages[0].sequence if page.messages else None


async def _request(connection: Connection, stream: str, request: dict[str, Any]) -> _Page:
    page = _Page([], 0)
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def collect(message: Msg) -> None:
        headers = message.headers or {}
        status = headers.get("Status")
        if status is None and "Nats-Sequence" in headers:
            page.messages.append(_stored(message, headers))
            page.pending = int(headers.get("Nats-Num-Pending", 0))
            if "Nats-Num-Pending" not in headers and not done.done():
                done.set_result(None)  # a single message, as older forms of the request are answered
        elif not done.done():
            page.pending = int(headers.get("Nats-Num-Pending", page.pending))
            if status in ("204", "404", None):
                done.set_result(None)
            else:
                text = headers.get("Description", "") or "it does not exist, or JetStream is away"
                done.set_exception(ServerUnreachable(f"stream {stream} cannot be read: {text}"))

    inbox = connection.new_inbox()
    async with subscribed(connection, inbox, collect):
        await connection.publish(f"$JS.API.DIRECT.GET.{stream}", msgspec.json.encode(request), inbox)
        with translated():
            await asyncio.wait_for(done, connection.config.request_timeout)
    return page


def _stored(message: Msg, headers: dict[str, str]) -> StoredMessage:
    return StoredMessage(
        subject=headers.get("Nats-Subject", message.subject),
        sequence=int(headers["Nats-Sequence"]),
        data=message.data,
        stored_at=headers.get("Nats-Time-Stamp", ""),
    )
