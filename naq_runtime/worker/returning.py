"""Handing jobs back to their queue, so that it costs them nothing; and telling that from a worker's death.

The server counts deliveries, and does not say why there was more than one. So whoever hands a job back leaves a note
with the count; deliveries that no note explains were lost with their worker.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from naq_runtime.errors import ServerError
from naq_runtime.jobs.store import TOMBSTONE
from naq_runtime.naming import Names
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.pull import Delivery
from naq_runtime.nats.streams import Streams, living_for

__all__ = ["Returning"]

log = logging.getLogger(__name__)

_NOTE_LIVES_S = 86_400


class _Note(Struct):
    deliveries: int
    deaths: int
    """Of workers, among them."""


class Returning:
    """Hands jobs back, and counts the deaths of workers that held them."""

    def __init__(self, connection: Connection, streams: Streams, names: Names) -> None:
        self._connection = connection
        self._streams = streams
        self._names = names

    async def hand_back(self, delivery: Delivery, delay_s: float = 0.0) -> None:
        """Let another worker have a job, at once or after a while; while the server is away, it comes by itself."""
        try:
            if delivery.headers is None or TOMBSTONE not in delivery.headers:  # which no worker dies of
                await self._leave_note(delivery)
            await delivery.hand_back(delay_s)
        except ServerError as error:
            log.debug("not handed back: %s", error, extra={"action": "hand_back_failed"})

    async def _leave_note(self, delivery: Delivery) -> None:
        note = msgspec.json.encode(_Note(delivery.deliveries, await self.deaths(delivery)))
        await self._connection.publish(self._note_of(delivery), note, headers=living_for(_NOTE_LIVES_S))

    async def deaths(self, delivery: Delivery) -> int:
        """How many workers died while they held the job.

        Raises:
            ServerError: that cannot be told now.
        """
        if delivery.deliveries == 1:
            return 0
        messages = await self._streams.last(self._names.jobs_stream, [self._note_of(delivery)])
        try:
            note = msgspec.json.decode(messages[-1].data, type=_Note) if messages else _Note(0, 0)
        except msgspec.MsgspecError:
            note = _Note(0, 0)
        return note.deaths + max(0, delivery.deliveries - 1 - note.deliveries)

    async def forget(self, settled: Sequence[Delivery]) -> None:
        """Remove the notes of jobs that are settled; those that cannot be removed now leave by themselves."""
        subjects = [self._note_of(delivery) for delivery in settled if delivery.deliveries > 1]
        try:
            notes = await self._streams.last(self._names.jobs_stream, subjects)
            await self._streams.delete(self._names.jobs_stream, [note.sequence for note in notes])
        except ServerError as error:
            log.debug("notes not removed: %s", error, extra={"action": "notes_not_removed"})

    def _note_of(self, delivery: Delivery) -> str:
        return self._names.handed(delivery.sequence)
