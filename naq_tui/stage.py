"""A source, and all that is known from it by now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import msgspec

from naq_runtime.clock import Clock
from naq_runtime.errors import NaqError
from naq_tui.source import Batch, ConnectionState, EventSource, Link
from naq_tui.state import Dashboard

__all__ = ["Stage"]

_PORTION = 500
"""Events that are applied before keys get a turn: about 3 ms of work."""


class Stage:
    """What is on show: a source is read, and each batch goes into the model at once."""

    def __init__(self, source: EventSource, clock: Clock) -> None:
        self.source = source
        self.dashboard = Dashboard()
        self._clock = clock
        self._asking = False
        """Whether an answer about schedules is under way."""

    def __repr__(self) -> str:
        return f"<Stage {self.source!r} {self.dashboard!r}>"

    def now_ns(self) -> int:
        """The moment that is on show, by the time of the source."""
        return self.source.time_of(self._clock.time_ns())

    async def read(self, taken: Callable[[Batch], None]) -> None:
        """Read the source until it ends.

        Args:
            taken: called after each piece that the model has taken in.
        """
        try:
            async with self.source as source:
                async for batch in source:
                    await self._take(batch, taken)
        except NaqError as error:
            link = Link(ConnectionState.FAILED, self.now_ns(), str(error))
            await self._take(Batch(link), taken)

    async def ask_for_schedules(self, changed: Callable[[], None]) -> None:
        """Read the schedules that have changed, unless that is under way."""
        if self._asking:
            return
        self._asking = True
        more = True
        try:
            while more:
                news = await self.source.questions.schedules(self.dashboard.schedules.mark)
                self.dashboard.take_schedules(news)
                changed()
                more = news.more
        except NaqError as error:
            self.dashboard.take_schedules(str(error))
            changed()
        finally:
            self._asking = False

    async def _take(self, batch: Batch, taken: Callable[[Batch], None]) -> None:
        """Apply a batch; after each piece, keys get as much time as that took.

        A key goes through many turns of the loop before it is answered: if each were followed by a piece, it would wait
        for all of them.
        """
        clock = asyncio.get_running_loop().time
        for piece in _portions(batch):
            begun = clock()
            self.dashboard.apply(piece, self.now_ns())
            taken(piece)
            await asyncio.sleep(clock() - begun)


def _portions(batch: Batch) -> Iterator[Batch]:
    """A batch in pieces that are quick to apply; all else comes with the last."""
    last = max(0, (len(batch.events) - 1) // _PORTION * _PORTION)
    for start in range(0, last, _PORTION):
        yield Batch(batch.link, batch.events[start : start + _PORTION])
    yield msgspec.structs.replace(batch, events=batch.events[last:])
