"""What holds a queue back, kept where everybody sees it: in the consumer that all workers of the queue share.

The server itself pauses it and counts what is with workers; what it does not know stands in the consumer's metadata.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from naq_runtime.clock import nanoseconds_of
from naq_runtime.errors import ConfigError, JetStreamError, NotFound, ServerUnreachable
from naq_runtime.naming import Names
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.direct import STREAM_NOT_FOUND
from naq_runtime.nats.rates import Rate

__all__ = ["FOR_GOOD_NS", "QueueConsumer", "QueueLimits", "limits_of", "paused_until_ns", "with_limits"]

_CONCURRENCY = "naq.concurrency"
_RATE = "naq.rate"
_CONSUMER_NOT_FOUND = 10014
_LOOKS = 100
_LOOK_AGAIN_S = 0.02
_SOON_NS = (50_000_000, 500_000_000, 1_500_000_000)
"""How far ahead a pause ends by its time; the next one is for a server that had heard of it too late."""

FOR_GOOD_NS = 7_258_118_400_000_000_000
"""The year 2200: a pause until then ends by `QueueConsumer.resume` only."""


class QueueLimits(Struct, frozen=True):
    """What holds a queue back."""

    paused: bool = False
    concurrency: int = 0
    """Jobs that may run at a time, over all workers; 0 for no limit."""
    rate: Rate | None = None


def limits_of(consumer: Mapping[str, Any]) -> QueueLimits:
    """What the server's description of a consumer says."""
    metadata = consumer["config"].get("metadata") or {}
    concurrency, rate = metadata.get(_CONCURRENCY, ""), metadata.get(_RATE, "")
    return QueueLimits(
        paused=bool(consumer.get("paused")),
        concurrency=int(concurrency) if concurrency.isdecimal() else 0,
        rate=_rate_of(rate),
    )


def with_limits(metadata: Mapping[str, str], concurrency: int | None, rate: Rate | str | None) -> dict[str, str]:
    """A consumer's metadata with other limits; see `QueueConsumer.limit` for what they mean."""
    changed = dict(metadata)
    if concurrency is not None:
        changed[_CONCURRENCY] = str(concurrency or "")
    if rate is not None:
        changed[_RATE] = f"{rate.count}/{rate.period_s}" if isinstance(rate, Rate) else rate
    return {key: value for key, value in changed.items() if value}


def paused_until_ns(consumer: Mapping[str, Any]) -> int:
    """When its pause ends, by the server's clock; 0 when it is not paused."""
    return nanoseconds_of(consumer["config"]["pause_until"]) if consumer.get("paused") else 0


class QueueConsumer:
    """The consumer of one queue, as those see it who hold it back.

    Args:
        unlimited: jobs that may be with workers at a time when there is no limit.
    """

    def __init__(self, connection: Connection, names: Names, queue: str, *, unlimited: int = 0) -> None:
        self._connection = connection
        self._stream = names.jobs_stream
        self._name = names.queue_consumer(queue)
        self._queue = queue
        self._unlimited = unlimited

    async def info(self) -> dict[str, Any]:
        """How the server describes it.

        Raises:
            NotFound: there is no such queue.
        """
        try:
            return await self._connection.api(f"CONSUMER.INFO.{self._stream}.{self._name}")
        except JetStreamError as error:
            if error.code in (_CONSUMER_NOT_FOUND, STREAM_NOT_FOUND):
                raise NotFound(f"there is no queue {self._queue}: no job was ever put into it") from error
            raise

    async def limits(self) -> QueueLimits:
        """What holds the queue back now.

        Raises:
            NotFound: there is no such queue.
        """
        return limits_of(await self.info())

    async def pause(self, until_ns: int = FOR_GOOD_NS) -> dict[str, Any]:
        """Deliver nothing more; returns its description from after the last delivery.

        Args:
            until_ns: when the pause ends by itself, by the server's clock.
        """
        await self._connection.api(self._pause, {"pause_until": _moment(until_ns)})
        return await self._seen(lambda info: bool(info.get("paused")))

    async def resume(self) -> None:
        """Deliver again.

        Told to resume at once, the server does not serve the requests that wait until another one comes; it does so
        when a pause ends by its time.
        """
        info = await self.info()
        if not info.get("paused"):
            return
        for spare_ns in _SOON_NS:
            soon_ns = nanoseconds_of(info["ts"]) + spare_ns
            answer = await self._connection.api(self._pause, {"pause_until": _moment(soon_ns)})
            if answer.get("paused"):
                break
            info = await self.info()  # the word came after that moment, as over a slow link
        await self._seen(lambda info: not info.get("paused"))

    async def limit(self, *, concurrency: int | None, rate: Rate | str | None) -> QueueLimits:
        """Set limits; returns all that stand then.

        Args:
            concurrency: jobs that may run at a time; 0 removes the limit, ``None`` leaves it as it is.
            rate: an empty string removes the limit, ``None`` leaves it as it is.
        """
        config = dict((await self.info())["config"])
        config.pop("pause_until", None)  # the server keeps it as it is
        if concurrency is not None:
            config["max_ack_pending"] = concurrency or self._unlimited
        config["metadata"] = with_limits(config.get("metadata") or {}, concurrency, rate)
        request = {"stream_name": self._stream, "config": config, "action": "update"}
        answer = await self._connection.api(f"CONSUMER.DURABLE.CREATE.{self._stream}.{self._name}", request)
        wanted = limits_of(answer)
        return limits_of(await self._seen(lambda info: _same_limits(limits_of(info), wanted)))

    async def _seen(self, true: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Its description once something is true of it: a cluster answers before all of it has heard."""
        for _ in range(_LOOKS):
            info = await self.info()
            if true(info):
                return info
            await asyncio.sleep(_LOOK_AGAIN_S)
        raise ServerUnreachable(f"the change of queue {self._queue} has not taken effect yet: look again in a moment")

    @property
    def _pause(self) -> str:
        return f"CONSUMER.PAUSE.{self._stream}.{self._name}"


def _same_limits(one: QueueLimits, other: QueueLimits) -> bool:
    return (one.concurrency, one.rate) == (other.concurrency, other.rate)


def _rate_of(text: str) -> Rate | None:
    try:
        return Rate.parse(text) if text else None
    except ConfigError:
        return None  # somebody else's


def _moment(time_ns: int) -> str:
    seconds, rest = divmod(time_ns, 1_000_000_000)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{rest:09d}Z"
