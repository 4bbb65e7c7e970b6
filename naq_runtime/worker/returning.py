"""Handing jobs back to their queue, so that it costs them nothing; and telling that from a worker's death.

The server counts deliveries, and does not say why there was more than one. So whoever hands a job back leaves a note
with the count; deliveries that no note explains were lost with their worker.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from msgspec import Struct

from naq_runtime.errors import ServerError
from naq_runtime.jobs.store import TOMBSTONE
from naq_runtime.naming import Names
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.pull import Delivery
from naq_runtime.nats.streams import Streams, living_for

__all__ = ["Past", "Returning"]

log = logging.getLogger(__name__)

_NOTE_LIVES_S = 86_400


class _Note(Struct, omit_defaults=True):
    deliveries: int
    deaths: int
    """Of workers, among them."""
    begun: bool = False
    """Whether a worker had begun it."""


class Past(NamedTuple):
    """What became of a job that was delivered before."""

    deaths: int = 0
    """How many workers died while they held it."""
    may_have_begun: bool = False
    """Whether one of its workers had begun it, or may have."""


class Returning:
    """Hands jobs back, and counts the deaths of workers that held them."""

    def __init__(self, connection: Connection, streams: Streams, names: Names) -> None:
        self._connection = connection
        self._streams = streams
        self._names = names

    async def hand_back(self, delivery: Delivery, delay_s: float = 0.0, *, begun: bool = False) -> None:
        """Let another worker have a job, at once or after a while; while the server is away, it comes by itself.

        Args:
            begun: whether it had been begun here.
        """
        try:
            if delivery.headers is None or TOMBSTONE not in delivery.headers:  # which no worker dies of
                await self._leave_note(delivery, begun)
            await delivery.hand_back(delay_s)
        except ServerError as error:
            log.debug("not handed back: %s", error, extra={"action": "hand_back_failed"})

    async def _leave_note(self, delivery: Delivery, begun: bool) -> None:
        past = await self.past(delivery)
        note = msgspec.json.encode(_Note(delivery.deliveries, past.deaths, begun or past.may_have_begun))
        await self._connection.publish(self._note_of(delivery), note, headers=living_for(_NOTE_LIVES_S))

    async def past(self, delivery: Delivery) -> Past:
        """What became of the job when it was delivered before.

        Raises:
            ServerError: that cannot be told now.
        """
        if delivery.deliveries == 1:
            return Past()
        messages = await self._streams.last(self._names.jobs_stream, [self._note_of(delivery)])
        try:
            note = msgspec.json.decode(messages[-1].data, type=_Note) if messages else _Note(0, 0)
        except msgspec.MsgspecError:
            note = _Note(0, 0)
        deaths = note.deaths + max(0, delivery.deliveries - 1 - note.deliveries)
        return Past(deaths, note.begun or deaths > 0)

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
