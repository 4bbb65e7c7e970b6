"""The client, made leaner where it takes in many messages.

What it does for each message on the way to a callback (a look at each letter of its headers, an object, a queue, a turn
of a task) costs ten times the decoding of an event. Whoever expects many at a time takes them as they come off the
wire. The client has no call for this, so it is hooked in where it parses.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable

import nats.errors
from nats.aio.client import PING_PROTO, Client
from nats.aio.msg import Msg
from nats.protocol.parser import AWAITING_CONTROL_LINE, AWAITING_MSG_PAYLOAD, Parser

from naq_runtime.nats.translating import translated

__all__ = ["LeanClient", "Take", "header_lines"]

Take = Callable[[bytes, bytes], None]
"""Is handed the headers and the data of each message; nothing else is read meanwhile, and it must not fail."""

_MESSAGE = re.compile(rb"HMSG \S+ (\d+) (\d+) (\d+)\r\n")
"""The line in front of a message with headers and without a reply: subscription, bytes of the headers, bytes of all."""
_CRLF_BYTES = 2
_LARGE_BYTES = 262_144
"""What is so large is put together by the client, which does not begin anew with each piece that comes."""


def header_lines(raw: bytes) -> dict[str, str]:
    """Headers by name, from their lines."""
    headers = {}
    for line in raw.decode("utf-8", "replace").split("\r\n"):
        if ":" in line:
            name, value = line.split(":", 1)
            headers[name] = value.strip()
    return headers


class LeanClient(Client):
    """A client of which messages can be taken off the wire."""

    def __init__(self) -> None:
        super().__init__()
        self.takers: dict[int, Take] = {}
        """By the number of the subscription."""
        self._ps = _LeanParser(self)

    async def close(self) -> None:
        """Close, and leave no socket behind, also where a flush is in the way, or a close that began before."""
        try:
            await super().close()
        finally:
            writer = getattr(self._transport, "_io_writer", None)  # not of a websocket
            if writer is not None:
                writer.transport.abort()

    @contextlib.asynccontextmanager
    async def taking(self, subject: str, take: Take) -> AsyncIterator[None]:
        """Hand over what comes under a subject, for as long as the block lasts."""
        unwanted: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()
        unwanted.cancel()  # so the client has nobody to give a message to that comes when the block is over
        with translated():
            subscription = await self.subscribe(subject, future=unwanted)
        self.takers[subscription._id] = take
        try:
            yield
        finally:
            del self.takers[subscription._id]
            with contextlib.suppress(nats.errors.Error, OSError):
                await subscription.unsubscribe()

    async def _send_ping(self, future: asyncio.Future[bool] | None = None) -> None:
        """Ping behind all that waits to be written: the client's own ping overtakes it, and so does the answer."""
        self._pongs.append(future or asyncio.get_running_loop().create_future())
        await self._send_command(PING_PROTO)
        await self._flush_pending()

    @staticmethod
    def _parse_header_lines(raw: bytes) -> dict[str, str]:
        return header_lines(raw)

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        take = self.takers.get(sid)
        if take is None:
            await super()._process_msg(sid, subject, reply, data, headers)
        else:
            take(headers or b"", data)


class _LeanParser(Parser):
    """Takes messages that are taken off the wire out of what was read; the rest goes the client's way."""

    nc: LeanClient
    buf: bytearray

    async def parse(self, data: bytes = b"") -> None:
        if self.nc.takers:
            if self.state == AWAITING_MSG_PAYLOAD:  # the rest of a message that goes the client's way
                missing = self.needed + _CRLF_BYTES - len(self.buf)
                await super().parse(data[:missing])
                data = data[missing:]
            if self.state == AWAITING_CONTROL_LINE:
                read = bytes(self.buf) + data
                taken, is_coming = self._take(read)
                self.buf[:] = read[taken:]
                if is_coming:
                    return
                data = b""
        await super().parse(data)

    def _take(self, read: bytes) -> tuple[int, bool]:
        """Hand over the messages at the beginning; how many bytes they had, and whether the rest of one is to come."""
        takers, start = self.nc.takers, 0
        while line := _MESSAGE.match(read, start):
            sid, headers, size = map(int, line.groups())
            begin = line.end()
            take = takers.get(sid)
            if take is None or size > _LARGE_BYTES:
                break
            if len(read) < begin + size + _CRLF_BYTES:
                return start, True
            take(read[begin : begin + headers], read[begin + headers : begin + size])
            start = begin + size + _CRLF_BYTES
        return start, False
