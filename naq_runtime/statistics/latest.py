"""The latest events, counted by steps of time; who asks again has only those read that have come since."""

from __future__ import annotations

from typing import TYPE_CHECKING

from naq_runtime.nats.direct import Bounds
from naq_runtime.statistics.folding import count, told_by
from naq_runtime.statistics.rollup import Group, Tally

if TYPE_CHECKING:
    from naq_runtime.statistics.reader import EventLog, Progress

__all__ = ["Latest"]

_MOST_GROUPS = 100_000


class Latest:
    """Counts the events from a sequence up to the end of the log, again and again.

    Args:
        step_ns: the length of a step.
    """

    def __init__(self, log: EventLog, step_ns: int) -> None:
        self._log = log
        self._step_ns = step_ns
        self._of: tuple[str, int] | None = None
        """The log that is counted, and up to where somebody else counts."""
        self._since_ns = self._last = 0
        self._tally = self._new_tally()
        self.newest_ns = 0
        """When the latest event of all that were counted happened."""

    def __repr__(self) -> str:
        return f"<Latest of {self._of} up to {self._last} groups={len(self._tally)}>"

    async def read(
        self, bounds: Bounds, *, through: int, first: int, since_ns: int, progress: Progress | None = None
    ) -> list[Group]:
        """What happened since a time; a group is of one step.

        Args:
            through: the sequence up to which events are counted by somebody else.
            first: the first one behind it that may have happened since then.
            since_ns: the beginning of a step.
        """
        of = (bounds.created, through)
        if of != self._of or since_ns < self._since_ns or not first - 1 <= self._last <= bounds.last:
            self._of, self._last, self._tally, self.newest_ns = of, first - 1, self._new_tally(), 0
        self._since_ns = since_ns
        self._tally.forget_before(since_ns)
        await self._read_on(bounds.last, since_ns, progress)
        return self._tally.groups

    async def _read_on(self, last: int, since_ns: int, progress: Progress | None) -> None:
        begun = self._last
        if begun >= last:
            return
        async for page in self._log.scan(begun):
            for message in page:
                if message.sequence > last:
                    break
                told = told_by(message)
                if told.time_ns >= since_ns:
                    count(told, self._tally)
                    self.newest_ns = max(self.newest_ns, told.time_ns)
            self._last = min(last, page[-1].sequence)
            if progress is not None:
                progress(self._last - begun, last - begun)
            if self._last >= last:
                return
        self._last = last

    def _new_tally(self) -> Tally:
        return Tally(self._step_ns, most=_MOST_GROUPS)
