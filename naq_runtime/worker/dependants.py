"""Which jobs others wait for, known to a worker without asking."""

from __future__ import annotations

from naq_runtime.job import Job
from naq_runtime.naming import Names
from naq_runtime.nats.connection import Connection, Msg, Subscription
from naq_runtime.nats.streams import Streams

__all__ = ["Dependants"]

_MOST = 200_000
"""Above so many, every job is taken for one that others wait for."""
_SHORT_S = 300.0
"""An outcome that can be read for less is no help to those that look for it later."""


class Dependants:
    """Hears of edges once they are stored, and reads them all now and then.

    They are not heard as they come to the server: that is a moment before they can be read, and a worker that begins
    to listen in between would neither hear nor read them.
    """

    def __init__(self, connection: Connection, streams: Streams, names: Names) -> None:
        self._connection = connection
        self._streams = streams
        self._names = names
        self._needed: set[str] = set()
        self._heard: set[str] = set()
        """Since the last reading began."""
        self._losses = self._losses_read = 0
        """Of the connection: all of them, and those before the last reading."""
        self._subscription: Subscription | None = None

    async def open(self) -> None:
        """Listen, and read what is there."""
        self._subscription = await self._connection.subscribe(self._names.awaited("*"), self._hear)
        self._connection.on_lost.append(self._lost)
        await self.refresh()

    async def close(self) -> None:
        """Listen no more."""
        if self._subscription is not None:
            self._connection.on_lost.remove(self._lost)
            await self._connection.unsubscribe(self._subscription)
            self._subscription = None

    def may_be_needed(self, job: Job) -> bool:
        """Whether others may wait for the job; always, from an outage on until the edges are read anew."""
        if job.job_id in self._needed or len(self._needed) >= _MOST or self._losses > self._losses_read:
            return True
        return job.result_ttl is not None and job.result_ttl < _SHORT_S

    async def refresh(self) -> None:
        """Read all edges anew, so that those that are gone are forgotten.

        Raises:
            ServerError: do it again.
        """
        losses, self._heard = self._losses, set()
        found: set[str] = set()
        async for page in self._streams.scan(self._names.jobs_stream, self._names.needs("*", "*")):
            found.update(message.subject.split(".")[2] for message in page)
            if len(found) >= _MOST:
                break
        self._needed, self._losses_read = found | self._heard, losses

    async def _hear(self, message: Msg) -> None:
        parents = message.data.decode("utf-8", "replace").split()
        self._heard.update(parents)
        self._needed.update(parents)

    async def _lost(self) -> None:
        self._losses += 1
