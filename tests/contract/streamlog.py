"""A stream whose live repetition is in the hands of the test, and how to follow it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from naq_runtime.nats.connection import Connection
from naq_runtime.nats.publish import AckedPublish, Outgoing
from naq_runtime.nats.tail import StreamTail, TailBatch

__all__ = ["Follow", "Log", "Seen", "all_until", "has_nothing", "messages", "next_of", "seen_in"]

Seen = list[tuple[int, bytes]]
Follow = Callable[..., Awaitable[StreamTail]]


class Log:
    """A stream whose live repetition is in the hands of the test."""

    def __init__(self, connection: Connection, stream: str) -> None:
        self.connection = connection
        self.stream = stream
        self.live = f"live-{stream}"
        self._publisher = AckedPublish(connection)
        self._stored = 0

    async def store(self, number: int, *, topic: str = "a") -> None:
        """Store so many messages; message n says n."""
        await self._publisher.open()
        first = self._stored + 1
        self._stored += number
        await self._publisher.store(
            [Outgoing(f"{self.stream}.{topic}", str(place).encode()) for place in range(first, self._stored + 1)]
        )

    async def repeat(self, *sequences: int, topic: str = "a") -> None:
        """Repeat messages as the server does."""
        for sequence in sequences:
            headers = {
                "Nats-Sequence": str(sequence),
                "Nats-Subject": f"{self.stream}.{topic}",
                "Nats-Time-Stamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            }
            await self.connection.publish(f"{self.live}.{topic}", str(sequence).encode(), headers=headers)
        await self.connection.flush()

    async def delete(self, sequence: int) -> None:
        """Take one message out of the middle."""
        await self.connection.api(f"STREAM.MSG.DELETE.{self.stream}", {"seq": sequence})

    async def retire(self, topic: str, before: int) -> None:
        """Take away the messages of a topic before a sequence."""
        await self.connection.api(f"STREAM.PURGE.{self.stream}", {"filter": f"{self.stream}.{topic}", "seq": before})

    async def purge(self, before: int) -> None:
        """Take away everything before a sequence."""
        await self.connection.api(f"STREAM.PURGE.{self.stream}", {"seq": before})

    async def make_anew(self) -> None:
        """Delete the stream, and create it again."""
        config = (await self.connection.api(f"STREAM.INFO.{self.stream}"))["config"]
        await self.connection.api(f"STREAM.DELETE.{self.stream}")
        await self.connection.api(f"STREAM.CREATE.{self.stream}", config)

    async def reconnect(self) -> None:
        """What happens in this process after the connection was lost and is there again."""
        for listener in list(self.connection.on_restored):
            await listener()

    async def close(self) -> None:
        await self._publisher.close()


def messages(*sequences: int) -> Seen:
    """The messages of these sequences."""
    return [(sequence, str(sequence).encode()) for sequence in sequences]


def seen_in(batch: TailBatch) -> Seen:
    """The messages of a batch, without when they were stored."""
    return [(sequence, data) for sequence, data, _ in batch.messages]


async def next_of(tail: StreamTail) -> TailBatch:
    """The next batch, which must not be long in coming."""
    return await asyncio.wait_for(tail.next_batch(), 20)


async def all_until(tail: StreamTail, last: int) -> tuple[Seen, int]:
    """Everything up to a sequence, and how much was missed."""
    seen, missed = [], 0
    async with asyncio.timeout(30):
        while tail.last < last:
            batch = await tail.next_batch()
            seen += seen_in(batch)
            missed += batch.missed
    return seen, missed


async def has_nothing(log: Log, tail: StreamTail) -> bool:
    """Whether the tail waits, once all that was published has come."""
    waiting = asyncio.ensure_future(tail.next_batch())
    await log.connection.flush()
    done, _ = await asyncio.wait({waiting}, timeout=0.02)
    if not done:
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    return not done or not waiting.result().messages
