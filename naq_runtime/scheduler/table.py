"""All schedules, in memory, in the order in which they are due; kept up by reading what has changed."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Iterator, Sequence

from naq_runtime.errors import NaqError, SerializationError, StreamMissing
from naq_runtime.nats.direct import StoredMessage
from naq_runtime.schedule import Schedule, ScheduleState, decode_schedule
from naq_runtime.scheduler.store import ScheduleStore, Standing

__all__ = ["ScheduleTable"]

log = logging.getLogger(__name__)

_SPARE = 1_000
"""So many entries of replaced records may there be besides."""


class ScheduleTable:
    """What the records say."""

    def __init__(self, store: ScheduleStore) -> None:
        self._store = store
        self._standing: dict[str, Standing] = {}
        self._due: list[tuple[int, str, int]] = []
        """When, which, and by which record; those of replaced records are passed over."""
        self.read = 0
        """The sequence up to which it has been read."""
        self.holding: set[str] = set()
        """Those of which a tick is held."""
        self.unreadable: dict[str, NaqError] = {}
        """The ids of records that are no schedules, and why; for whoever tells of them."""

    def __len__(self) -> int:
        return len(self._standing)

    def __iter__(self) -> Iterator[Schedule]:
        return (standing.schedule for standing in self._standing.values())

    def __repr__(self) -> str:
        return f"<ScheduleTable {len(self)} schedules, read up to {self.read}>"

    async def catch_up(self, *, anew: bool = False) -> None:
        """Read what has changed since the last time, or all.

        Args:
            anew: forget what is known; for whoever was away for longer than the end of a schedule can be seen, or
                when the stream is another one.

        Raises:
            ServerError: do it again.
        """
        if anew:
            self._clear()
        try:
            async for page in self._store.scan(self.read):
                for message in page:
                    self._take(message)
                self.read = page[-1].sequence
        except StreamMissing:
            self._clear()
            raise

    async def look_at(self, schedule_ids: Sequence[str]) -> None:
        """Read the records of these, as one does after a surprise.

        Raises:
            ServerError: do it again.
        """
        messages = await self._store.read(schedule_ids)
        for schedule_id in schedule_ids:
            self._forget(schedule_id)
        for message in messages:
            self._take(message)

    def put(self, standing: Standing) -> None:
        """This is how a schedule stands now."""
        schedule, sequence = standing
        known = self._standing.get(schedule.schedule_id)
        if known is not None and known.sequence >= sequence:
            return
        self._forget(schedule.schedule_id)
        if schedule.state.is_over:
            return
        self._standing[schedule.schedule_id] = standing
        if schedule.fires_at_ns:
            heapq.heappush(self._due, (schedule.fires_at_ns, schedule.schedule_id, sequence))
        if schedule.held_ns and schedule.state is ScheduleState.ACTIVE:
            self.holding.add(schedule.schedule_id)
        if len(self._due) > 2 * len(self._standing) + _SPARE:
            self._due = [entry for entry in self._due if self._is_current(entry)]
            heapq.heapify(self._due)

    def get(self, schedule_id: str) -> Standing | None:
        """One of them."""
        return self._standing.get(schedule_id)

    def held(self, now_ns: int) -> list[Standing]:
        """Those of which a tick is held, and which may be tried now."""
        held = (self._standing[schedule_id] for schedule_id in sorted(self.holding))
        return [one for one in held if one.schedule.retry_at_ns <= now_ns]

    def drop(self, schedule_id: str) -> None:
        """Do as if there were none of this id, until its record is read again."""
        self._forget(schedule_id)

    def due(self, now_ns: int, most: int) -> list[Standing]:
        """Those whose time has come, soonest first; they stay until they are put anew."""
        found: list[Standing] = []
        seen: list[tuple[int, str, int]] = []
        while self._due and self._due[0][0] <= now_ns and len(found) < most:
            entry = heapq.heappop(self._due)
            if self._is_current(entry) and entry not in seen[-1:]:
                found.append(self._standing[entry[1]])
                seen.append(entry)
        for entry in seen:
            heapq.heappush(self._due, entry)
        return found

    @property
    def next_ns(self) -> int | None:
        """When the next one is due; ``None`` when none is."""
        while self._due:
            if self._is_current(self._due[0]):
                return self._due[0][0]
            heapq.heappop(self._due)
        return None

    def _is_current(self, entry: tuple[int, str, int]) -> bool:
        standing = self._standing.get(entry[1])
        return standing is not None and standing.sequence == entry[2]

    def _clear(self) -> None:
        self._standing.clear()
        self._due.clear()
        self.holding.clear()
        self.unreadable.clear()
        self.read = 0

    def _forget(self, schedule_id: str) -> None:
        self._standing.pop(schedule_id, None)
        self.holding.discard(schedule_id)

    def _take(self, message: StoredMessage) -> None:
        schedule_id = message.subject.rpartition(".")[2]
        try:
            schedule = decode_schedule(message.data)
            if schedule.schedule_id != schedule_id:
                raise SerializationError(f"the record of {schedule_id} says that it is another schedule's")
            self.put(Standing(schedule, message.sequence))
            self.unreadable.pop(schedule_id, None)
        except SerializationError as error:
            self._forget(schedule_id)
            self.unreadable[schedule_id] = error
            log.warning("schedule %s: %s", schedule_id, error, extra={"action": "schedule_not_decoded"})
