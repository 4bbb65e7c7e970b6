"""The records of schedules, one message each, in the stream of jobs: so that a tick's job and the record that says
so are stored together or not at all.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from naq_runtime.errors import DuplicateSchedule, NaqError, NotFound, PayloadTooLarge, ServerUnreachable
from naq_runtime.naming import Names
from naq_runtime.nats.direct import StoredMessage
from naq_runtime.nats.publish import Outgoing, is_conflict
from naq_runtime.nats.streams import Streams, if_last_is, living_for
from naq_runtime.schedule import Schedule, decode_schedule, encode_schedule

__all__ = ["AWAY_NS", "ScheduleStore", "Standing"]

_SPARE_BYTES = 4096
"""A record grows with what becomes of it."""
_SEEN_S = 60.0
"""How long the last record of a schedule that is over can be seen."""
AWAY_NS = 45_000_000_000
"""Who has not looked for so long may have missed that, and reads all of them anew."""


class Standing(NamedTuple):
    """A schedule as it stands in the stream."""

    schedule: Schedule
    sequence: int


class ScheduleStore:
    """Reads and writes records; each write holds only while the record is as it was read."""

    def __init__(self, streams: Streams, names: Names) -> None:
        self._streams = streams
        self._names = names

    async def add(self, schedule: Schedule) -> None:
        """Store a new one.

        Raises:
            DuplicateSchedule: there is one of this id.
            PayloadTooLarge: its job is too large.
            ServerError: it may or may not be stored.
        """
        there = await self._find(schedule.schedule_id)
        over = there if there is not None and there.schedule.state.is_over else None
        answer = await self._put(schedule, over.sequence if over else 0, spare=_SPARE_BYTES)
        if is_conflict(answer):
            raise DuplicateSchedule(
                f"schedule {schedule.schedule_id} is there already: modify or cancel it, or choose another id"
            )
        if isinstance(answer, NaqError):
            raise answer

    async def replace(self, standing: Standing, schedule: Schedule) -> bool:
        """Store it in place of what was read; ``False`` when that has changed meanwhile.

        Raises:
            ServerError: it may or may not be stored.
        """
        answer = await self._put(schedule, standing.sequence)
        if is_conflict(answer):
            return False
        if isinstance(answer, NaqError):
            raise answer
        return True

    async def overwrite(self, schedule: Schedule) -> Schedule:
        """Store it in place of a record that cannot be read.

        Raises:
            ServerUnreachable: somebody else has just replaced it; do it again.
            ServerError: it may or may not be stored.
        """
        messages = await self.read([schedule.schedule_id])
        answer = await self._put(schedule, messages[-1].sequence if messages else 0)
        if is_conflict(answer):
            raise ServerUnreachable(f"schedule {schedule.schedule_id} was changed by somebody else just now: try again")
        if isinstance(answer, NaqError):
            raise answer
        return schedule

    async def get(self, schedule_id: str) -> Standing:
        """One of them.

        Raises:
            NotFound: there is none of this id, or it is over.
            SerializationError: what is there is no schedule.
        """
        found = await self._find(schedule_id)
        if found is None or found.schedule.state.is_over:
            raise NotFound(f"there is no schedule {schedule_id}: it never was, has finished, or was cancelled")
        return found

    async def read(self, schedule_ids: Sequence[str]) -> list[StoredMessage]:
        """The records of these, whatever they are.

        Raises:
            ServerError: they cannot be read now.
        """
        return await self._streams.last(self._names.jobs_stream, [self._names.schedule(one) for one in schedule_ids])

    def scan(self, after: int = 0) -> AsyncIterator[list[StoredMessage]]:
        """The records that were written after a sequence, in pages, by sequence."""
        return self._streams.scan(self._names.jobs_stream, self._names.schedule("*"), after)

    def outgoing(self, schedule: Schedule, instead_of: int) -> Outgoing:
        """The message that puts a record in place of another."""
        headers = if_last_is(instead_of) | (living_for(_SEEN_S) if schedule.state.is_over else {})
        return Outgoing(self._names.schedule(schedule.schedule_id), encode_schedule(schedule), headers)

    async def changed(self) -> None:
        """Let schedulers look at once."""
        await self._streams.announce(self._names.control_schedules)

    async def _put(self, schedule: Schedule, instead_of: int, *, spare: int = 0) -> int | NaqError:
        message = self.outgoing(schedule, instead_of)
        limit, size = self._streams.largest - spare, message.size
        if size > limit:
            raise PayloadTooLarge(
                f"the record of schedule {schedule.schedule_id} is {size:,} bytes with its job, "
                f"and may have {limit:,}: pass a reference to the data instead of the data, or raise max_payload"
            )
        (answer,) = await self._streams.publish([message])
        if isinstance(answer, int):
            await self.changed()
        return answer

    async def _find(self, schedule_id: str) -> Standing | None:
        messages = await self.read([schedule_id])
        return Standing(decode_schedule(messages[-1].data), messages[-1].sequence) if messages else None
