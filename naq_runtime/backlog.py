"""What waits in the queues for something else than a worker, and for how long the rest has: by few questions, however
many queues there are.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from naq_runtime.errors import JetStreamError, SerializationError
from naq_runtime.nats.direct import STREAM_NOT_FOUND, StoredMessage, all_of, stream_bounds
from naq_runtime.nats.state import queue_ages
from naq_runtime.snapshot import QueueBacklog

if TYPE_CHECKING:
    from naq_runtime.services.manager import ServiceManager

__all__ = ["BacklogReader"]

_BEYOND = 10**9
"""No stream has so many subjects: asked for those behind, the server only counts them."""
_LISTED = 5_000
"""So many jobs at most are listed, to be counted here; of more, the server counts those of each queue."""
_AT_A_TIME = 16
"""Questions to the server that are under way together."""

_SubjectOf = Callable[[str, str], str]
"""The subject of a job, by its queue and its id."""


class BacklogReader:
    """Counts by the subjects of the streams; only of what is tried again the messages are read, while they are few."""

    def __init__(self, services: ServiceManager) -> None:
        self._connection = services.connection
        self._names = services.names
        self._serializer = services.serializer

    async def read(self, queues: Sequence[str], now_ns: int) -> dict[str, QueueBacklog]:
        """The backlogs of some queues, by name.

        Args:
            now_ns: by the clock of the server.
        """
        names = self._names
        later, scheduled, depending, dead, ages = await asyncio.gather(
            self._later(),
            self._counts(names.jobs_stream, names.later, queues),
            self._counts(names.jobs_stream, names.waiting, queues),
            self._counts(names.dead_stream, names.dead, queues),
            queue_ages(self._connection, names, now_ns),
        )
        retrying = None if later is None else Counter(self._retried(later))
        return {
            queue: QueueBacklog(
                scheduled=scheduled.get(queue, 0),
                retrying=None if retrying is None else retrying[queue],
                depending=depending.get(queue, 0),
                dead=dead.get(queue, 0),
                oldest_s=ages.get(queue, 0.0),
            )
            for queue in queues
        }

    async def _later(self) -> list[StoredMessage] | None:
        """The jobs that wait for their time; ``None`` when they are too many to read each time."""
        stream = self._names.jobs_stream
        last = (await stream_bounds(self._connection, stream)).last
        return await all_of(self._connection, stream, [self._names.later("*", "*")], up_to=last) if last else []

    def _retried(self, later: Sequence[StoredMessage]) -> list[str]:
        """The queues of the jobs among these that have been tried before."""
        found = []
        for message in later:
            try:
                tried = self._serializer.decode_job(message.data).attempt > 1
            except SerializationError:
                continue
            if tried:
                found.append(_queue_of(message.subject))
        return found

    async def _counts(self, stream: str, subject_of: _SubjectOf, queues: Sequence[str]) -> Mapping[str, int]:
        """How many there are of each queue."""
        total = await self._total(stream, subject_of("*", "*"))
        if not total:
            return {}
        if total <= _LISTED:
            listed = await self._info(stream, {"subjects_filter": subject_of("*", "*")})
            return Counter(map(_queue_of, listed.get("state", {}).get("subjects") or ()))
        places = asyncio.Semaphore(_AT_A_TIME)

        async def count(queue: str) -> int:
            async with places:
                return await self._total(stream, subject_of(queue, "*"))

        return dict(zip(queues, await asyncio.gather(*map(count, queues)), strict=True))

    async def _total(self, stream: str, subject: str) -> int:
        asked = {"subjects_filter": subject, "offset": _BEYOND}
        return int((await self._info(stream, asked)).get("total", 0))

    async def _info(self, stream: str, asked: dict[str, object]) -> dict[str, Any]:
        """What the server says of a stream; nothing while that is not there."""
        try:
            return await self._connection.api(f"STREAM.INFO.{stream}", asked)
        except JetStreamError as error:
            if error.code != STREAM_NOT_FOUND:
                raise
            return {}


def _queue_of(subject: str) -> str:
    return subject.split(".")[2]
