"""Credit-based pulling: the server sends as many jobs as were asked for, to one inbox a queue.

A `CreditPull` asks for as many messages as it is granted, and asks again as grants arrive. Credit comes back by
itself when a request expires, when the server refuses it, and when the server falls silent.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from naq_runtime.errors import ServerError
from naq_runtime.nats.connection import Connection, Msg, Subscription

__all__ = ["CreditPull", "Delivery"]

log = logging.getLogger(__name__)

_EXPIRES_S = 30.0
_HEARTBEAT_S = 5.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """A job as it was delivered to us, to be settled by `acknowledge` or handed back."""

    connection: Connection
    payload: bytes
    subject: str
    reply: str

    @property
    def deliveries(self) -> int:
        """How often the server has delivered it, this time included."""
        return int(self.reply.split(".")[-5])

    async def acknowledge(self) -> None:
        """The outcome is stored: the job may leave the queue."""
        await self.connection.publish(self.reply)

    async def in_progress(self) -> None:
        """Start the server's patience anew."""
        await self.connection.publish(self.reply, b"+WPI")

    async def hand_back(self) -> None:
        """Let another worker have it, at once."""
        await self.connection.publish(self.reply, b"-NAK")


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
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._deliver = deliver
        self._refunded = refunded
        self._inbox = ""
        self._subscription: Subscription | None = None
        self._watch: asyncio.Task[None] | None = None
        self._heard = 0.0
        self._loop = asyncio.get_running_loop()
        self.outstanding = 0
        """Messages that were asked for and may still come."""
        self.missing = False
        """Whether the server said that the consumer does not exist."""

    def __repr__(self) -> str:
        return f"<CreditPull {self._subject.rpartition('.')[2]} outstanding={self.outstanding}>"

    async def start(self) -> None:
        """Subscribe; nothing is asked for yet."""
        self._inbox = self._connection.new_inbox()
        self._subscription = await self._connection.subscribe(self._inbox, self._receive)
        self._watch = asyncio.create_task(self._watch_silence(), name=f"watch {self._subject}")
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
        self.outstanding += credit
        self._heard = self._loop.time()
        request = {
            "batch": credit,
            "expires": int(_EXPIRES_S * 1e9),
            "idle_heartbeat": int(_HEARTBEAT_S * 1e9),
        }
        try:
            await self._connection.publish(self._subject, msgspec.json.encode(request), self._inbox)
        except ServerError:
            self.outstanding -= credit
            raise

    async def _receive(self, message: Msg) -> None:
        self._heard = self._loop.time()
        if message.headers and "Status" in message.headers:
            self._control(message.headers)
            return
        self.outstanding = max(0, self.outstanding - 1)
        self._deliver(Delivery(self._connection, message.data, message.subject, message.reply))

    def _control(self, headers: dict[str, str]) -> None:
        status = headers["Status"]
        if status == "100":
            return
        refund = int(headers.get("Nats-Pending-Messages", self.outstanding))
        self.outstanding = max(0, self.outstanding - refund)
        if status in ("404", "503") or "Consumer Deleted" in headers.get("Description", ""):
            self.missing = status == "503" or "Deleted" in headers.get("Description", "")
            log.debug("pull refused", extra={"action": "pull_refused", "status": status})
        self._refunded()

    async def _forget(self) -> None:
        """Whatever was asked of the server before the connection was lost is not coming."""
        self.outstanding = 0
        self._refunded()

    async def _watch_silence(self) -> None:
        """Two heartbeats missed: the request is lost."""
        while True:
            await asyncio.sleep(_HEARTBEAT_S)
            if self.outstanding and self._loop.time() - self._heard > 2.5 * _HEARTBEAT_S:
                await self._forget()
