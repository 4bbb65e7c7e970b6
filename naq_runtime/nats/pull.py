"""Credit-based pulling: the server sends as many jobs as were asked for, to one inbox a queue.

A `CreditPull` asks for as many messages as it is granted, and asks again as grants arrive. Credit comes back by
itself when a request expires, when the server refuses it, and when nothing more is heard of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec
from msgspec import Struct

from naq_runtime.nats.connection import Connection, Msg, Subscription

__all__ = ["CreditPull", "Delivery"]

log = logging.getLogger(__name__)

_EXPIRES_S = 15.0
_GRACE_S = 2.0
"""A request that has not been answered for so long after its end is lost."""
_WATCH_S = 1.0
_REFUSED_WAIT_S = 1.0
_SHORT_REPLY = 9
_HEARTBEAT, _EXPIRED, _NO_CONSUMER = "100", "408", "503"


class Delivery(Struct, frozen=True, gc=False):
    """A job as it was delivered to us, to be settled by `acknowledge` or handed back."""

    connection: Connection
    payload: bytes
    subject: str
    reply: str
    deliveries: int
    """How often the server has delivered it, this time included."""
    sequence: int
    """Its number in the stream of jobs; another job of the same id has another."""
    stored_ns: int
    """When it came into its queue, by the clock of the server."""
    headers: Mapping[str, str] | None = None

    @classmethod
    def of(cls, connection: Connection, message: Msg) -> Delivery:
        """Read the place from ``$JS.ACK.[domain.account.]stream.consumer.deliveries.sequence.…``."""
        reply = message.reply
        tokens = reply.split(".")
        start = 4 if len(tokens) == _SHORT_REPLY else 6
        return cls(
            connection,
            message.data,
            message.subject,
            reply,
            int(tokens[start]),
            int(tokens[start + 1]),
            int(tokens[start + 3]),
            message.headers,
        )

    async def acknowledge(self) -> None:
        """The outcome is stored: the job may leave the queue."""
        await self.connection.publish(self.reply)

    async def in_progress(self) -> None:
        """Start the server's patience anew."""
        await self.connection.publish(self.reply, b"+WPI")

    async def hand_back(self, delay_s: float = 0.0) -> None:
        """Let another worker have it, at once or after a while."""
        when = b" " + msgspec.json.encode({"delay": int(delay_s * 1e9)}) if delay_s else b""
        await self.connection.publish(self.reply, b"-NAK" + when)


class CreditPull:
    """Pulls one queue's jobs as credit allows.

    Args:
        deliver: is handed each job; the credit that it used is spent by then.
        refunded: is told how much credit came back unused, so that the owner can grant anew.
    """

    def __init__(
        self,
        connection: Connection,
        stream: str,
        consumer: str,
        *,
        deliver: Callable[[Delivery], None],
        refunded: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._subject = connection.js_api(f"CONSUMER.MSG.NEXT.{stream}.{consumer}")
        self._deliver = deliver
        self._refunded = refunded
        self._inbox = ""
        self._subscription: Subscription | None = None
        self._watch: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._grants: deque[_Grant] = deque()
        self._told = ""
        self.outstanding = 0
        """Messages that were asked for and may still come."""
        self.missing = False
        """Whether the server said that the consumer does not exist."""

    def __repr__(self) -> str:
        return f"<CreditPull {self._subject.rpartition('.')[2]} outstanding={self.outstanding}>"

    @property
    def unanswered_s(self) -> float:
        """For how long a request has been there that may still bring something; 0 when there is none."""
        return self._loop.time() - self._grants[0].asked_at if self._grants else 0.0

    async def start(self) -> None:
        """Subscribe; nothing is asked for yet."""
        self._inbox = self._connection.new_inbox()
        self._subscription = await self._connection.subscribe(self._inbox, self._receive)
        self._watch = asyncio.create_task(self._watch_grants(), name=f"watch {self._subject}")
        self._connection.on_restored.append(self._forget)

    async def close(self) -> None:
        """Ask for nothing more; what is on its way is still delivered before this returns."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            self._watch = None
        if self._forget in self._connection.on_restored:
            self._connection.on_restored.remove(self._forget)
        if self._subscription is not None:
            await self._connection.drain(self._subscription)
            self._subscription = None

    async def grant(self, credit: int) -> None:
        """Ask for so many messages more."""
        if credit <= 0:
            return
        request = {"batch": credit, "expires": int(_EXPIRES_S * 1e9)}
        await self._connection.publish(self._subject, msgspec.json.encode(request), self._inbox)
        self._grants.append(_Grant(self._loop.time(), credit))
        self.outstanding += credit

    async def _receive(self, message: Msg) -> None:
        if message.headers and "Status" in message.headers:
            self._control(message.headers)
            return
        self._spend(1)
        if not message.reply.startswith("$JS.ACK."):
            return  # nobody but the server sends jobs
        self._deliver(Delivery.of(self._connection, message))

    def _spend(self, credit: int) -> None:
        """Take credit from the oldest requests: they are the first to be served, and the first to end."""
        while credit and self._grants:
            oldest = self._grants[0]
            part = min(credit, oldest.left)
            oldest.left -= part
            credit -= part
            self.outstanding -= part
            if oldest.left == 0:
                self._grants.popleft()

    def _control(self, headers: dict[str, str]) -> None:
        """A request has ended without all of its messages."""
        status, description = headers["Status"], headers.get("Description", "")
        if status == _HEARTBEAT:
            return
        oldest = self._grants[0].left if self._grants else 0
        self._spend(int(headers.get("Nats-Pending-Messages", oldest)))
        if status == _EXPIRED:
            self._refunded()
            return
        self.missing = status == _NO_CONSUMER or "Deleted" in description
        if description != self._told:
            self._told = description
            log.info("pull ended by the server: %s %s", status, description, extra={"action": "pull_refused"})
        self._loop.call_later(_REFUSED_WAIT_S, self._refunded)

    async def _forget(self) -> None:
        """Whatever was asked of the server before the connection was lost is not coming."""
        self._grants.clear()
        self.outstanding = 0
        self._refunded()

    async def _watch_grants(self) -> None:
        """Credit whose request has ended, and of which nothing was heard, is free again."""
        while True:
            await asyncio.sleep(_WATCH_S)
            now, lost = self._loop.time(), 0
            while self._grants and self._grants[0].asked_at + _EXPIRES_S + _GRACE_S < now:
                lost += self._grants.popleft().left
            if lost:
                self.outstanding -= lost
                self._refunded()


@dataclass(slots=True)
class _Grant:
    """One request to the server."""

    asked_at: float
    left: int
    """Messages that it may still bring."""
