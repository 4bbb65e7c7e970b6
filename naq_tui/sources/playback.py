"""The source that shows a moment of a recording, and plays on from there."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from collections.abc import AsyncGenerator, Sequence
from itertools import count
from types import TracebackType
from typing import TYPE_CHECKING, Self

from msgspec.structs import replace

from naq_runtime.clock import SYSTEM_CLOCK, Clock
from naq_runtime.errors import ServerError
from naq_runtime.events.models import StoredEvent
from naq_runtime.snapshot import Snapshot
from naq_tui.past import Place, Reading, Recording, middle_ns, place_of
from naq_tui.source import Batch, ConnectionState, Link
from naq_tui.sources.pace import Pace
from naq_tui.sources.recorded_alerts import RecordedAlerts
from naq_tui.sources.recorded_workers import RecordedWorkers

if TYPE_CHECKING:
    from naq_tui.sources.playback_questions import PlaybackQuestions

__all__ = ["SPEEDS", "Playback"]

SPEEDS = (0, 1, 10, 100)
"""How many seconds pass in one; at 0 it stands still, and goes on by steps."""

_TICK_S = 0.05
_RETRY_S = 1.0
_WARM_UP = 500
"""Events before the moment that are there with the first paint."""
_FILLED = 20_000
"""Events before those that are read behind it, for charts and for scrolling back …"""
_FILLED_NS = 600_000_000_000
"""… as far back as the charts go."""
_SNAPSHOT_NS = 500_000_000


class Playback:
    """Rebuilds what was known at a place of a recording from the events before it, and goes on from there.

    Every event is yielded once: those up to the place in the first batch, those behind it when their moment comes, and
    those before the warm-up as `Batch.earlier`. No faster than it can be read: the clock waits for the events. Where
    the recording says so, a long silence behind an event is passed over; one in whose middle somebody went is not.

    Args:
        recording: what is played.
        place: where to begin.
        speed: one of `SPEEDS`.
    """

    def __init__(self, recording: Recording, place: Place, *, speed: int = 1, clock: Clock = SYSTEM_CLOCK) -> None:
        self.past = recording
        """See `EventSource.past`: what is played."""
        self._clock = clock
        self._place = place
        """Up to where everything was yielded."""
        self._since_ns = place.moment_ns
        self._pace = Pace(place.moment_ns, speed, clock.time_ns())
        self._reading: Reading | None = None
        self._held: list[tuple[Place, int, StoredEvent]] = []
        """What was read and has not happened yet, the next one first; of one place as it was read."""
        self._numbers = count()
        self._has_played = False
        """Whether an event was told since somebody went to where it plays."""
        self._is_behind = False
        """Whether there is more to be shown than was read."""
        self._is_filled = False
        self._room = _FILLED
        self._steps = 0
        """How many events more are asked for."""
        self._woken = asyncio.Event()
        self._workers = RecordedWorkers(recording.server)
        self._alerts = RecordedAlerts()
        self._snapshot_ns = 0
        """When the last one was made, by the reader's clock."""
        from naq_tui.sources.playback_questions import PlaybackQuestions  # not before the first picture

        self._questions = PlaybackQuestions(recording, place)

    def __repr__(self) -> str:
        return f"<Playback of {self.past!r} {self._pace!r} held={len(self._held)}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def __aiter__(self) -> AsyncGenerator[Batch, None]:
        begun = ended = False
        while not ended:
            try:
                batch = await (self._go_on() if begun else self._open())
                begun, ended = True, self._is_over()
            except ServerError as error:
                yield Batch(Link(ConnectionState.RECONNECTING, self._now_ns(), str(error)))
                await asyncio.sleep(_RETRY_S)
                continue
            yield batch
            if not ended:
                await self._wait()
        yield Batch(Link(ConnectionState.ENDED, self._now_ns(), self._opened.verdict, self.speed))

    @property
    def speed(self) -> int:
        """How many seconds pass in one."""
        return self._pace.speed

    @property
    def place(self) -> Place:
        """Up to where everything was told."""
        return self._place

    @property
    def questions(self) -> PlaybackQuestions:
        """See `EventSource.questions`: answered as of the moment."""
        return self._questions

    @property
    def actions(self) -> None:
        """See `EventSource.actions`: what is past cannot be changed."""
        return None

    def time_of(self, now_ns: int) -> int:
        """See `EventSource.time_of`: the moment that is on show."""
        return self._pace.at(now_ns)

    def play(self, speed: int) -> None:
        """Go on at another speed; what stands still from now on shows all up to this moment."""
        if self.speed:
            self._place = Place(self._now_ns())
        self._pace.change(speed, self._clock.time_ns())
        self._woken.set()

    def step(self) -> None:
        """Go on by one event; for one that stands still."""
        self._steps += 1
        self._woken.set()

    def advance(self, span_ns: int) -> None:
        """Go on by a span of time at once."""
        self._place = Place(self._now_ns() + span_ns)
        self._has_played = False
        self._pace.move(self._place.moment_ns, self._clock.time_ns())
        self._woken.set()

    # One batch after the other

    async def _open(self) -> Batch:
        """All up to the place."""
        await self._close()
        self._reading = await self.past.read(self._place, _WARM_UP)
        while not await self._is_read(self._place.moment_ns):
            pass
        self._pace.move(self._place.moment_ns, self._clock.time_ns())  # what was waited for is not to be skipped
        events = self._taken()
        self._has_played = bool(events) and events[-1].happened_ns == self._place.moment_ns
        return self._batch(events, at_once=True)

    async def _go_on(self) -> Batch:
        """What has happened since the batch before, and some of what was before everything that is known.

        What is read is held at first, so that an error loses nothing.
        """
        self._is_behind = not await (self._is_next_read() if self._steps else self._is_read(self._now_ns()))
        if self.speed and self._has_played and not self._is_behind:
            await self._pass_over()
        earlier = () if self._is_behind else await self._read_earlier()
        if self._steps and not self._is_behind:
            self._steps -= 1
            self._place = self._next_place()
            self._pace.move(self._place.moment_ns, self._clock.time_ns())
            return self._batch(self._taken(), earlier, at_once=True)
        if self.speed:
            self._place = Place(self._pace.hold(self._known_ns, self._clock.time_ns()))
        return self._batch(self._taken(), earlier, at_once=bool(earlier))

    async def _pass_over(self) -> None:
        """Go to the next event where nobody would wait for it."""
        while self._silence_ns() > self.past.silence_ns * self.speed:
            if await self._is_next_read():
                self._pace.move(self._held[0][0].moment_ns, self._clock.time_ns())

    def _silence_ns(self) -> int:
        """How far the next event is, by what was read."""
        return self._held[0][0].moment_ns - self._now_ns() if self._held else 0

    def _batch(
        self, events: Sequence[StoredEvent], earlier: Sequence[StoredEvent] = (), *, at_once: bool = False
    ) -> Batch:
        moment_ns = self._now_ns()
        self._questions.move(self._place, events, earlier)
        snapshot = self._snapshot(moment_ns, at_once)
        self._questions.see(snapshot)
        link = Link(ConnectionState.REPLAYING, self._since_ns, self.past.title, self.speed)
        return Batch(link, events, snapshot=snapshot, earlier=earlier)

    def _snapshot(self, moment_ns: int, at_once: bool) -> Snapshot | None:
        now_ns = self._clock.time_ns()
        if not at_once and now_ns - self._snapshot_ns < _SNAPSHOT_NS:
            return None
        self._snapshot_ns = now_ns
        return replace(self._workers.snapshot(moment_ns), alerts=self._alerts.records())

    # Reading

    async def _is_read(self, moment_ns: int) -> bool:
        """Whether all is there that happened up to a moment; if not, a page more is read."""
        reading = self._opened
        if self._known_ns >= moment_ns:
            return True
        self._hold(await reading.on())
        return reading.at_end or self._known_ns >= moment_ns

    async def _is_next_read(self) -> bool:
        """Whether it is known which event is the next, or that there is none; if not, a page more is read."""
        reading = self._opened
        if self._held and self._held[0][0].moment_ns <= self._known_ns:
            return True
        self._hold(await reading.on())
        return reading.at_end

    async def _read_earlier(self) -> Sequence[StoredEvent]:
        """A page of what was before, as long as the charts have room for it."""
        if self._is_filled:
            return ()
        page = await self._opened.back()
        self._room -= len(page)
        self._alerts.hear(page)
        half_ns = middle_ns([stored.happened_ns for stored in page])
        is_filled = not page or self._room <= 0 or half_ns < self._since_ns - _FILLED_NS
        if page and is_filled:
            self._alerts.hear(await self.past.alerts(half_ns))
        said = [*(await self.past.workers(half_ns) if page and is_filled else ()), *page]
        self._workers.recall([stored.event for stored in said])
        self._is_filled = is_filled
        return page

    def _hold(self, page: Sequence[StoredEvent]) -> None:
        for stored in page:
            heapq.heappush(self._held, (place_of(stored), next(self._numbers), stored))

    def _next_place(self) -> Place:
        """That of the next event; the end, when there is none."""
        return max(self._place, self._held[0][0] if self._held else Place(self._opened.through_ns))

    def _taken(self) -> list[StoredEvent]:
        """What has happened by now."""
        found = []
        while self._held and self._held[0][0] <= self._place:
            found.append(heapq.heappop(self._held)[2])
        for stored in found:
            self._workers.hear(stored.event)
        self._alerts.hear(found)
        self._has_played |= bool(found)
        return found

    # Time

    def _now_ns(self) -> int:
        return self._pace.at(self._clock.time_ns())

    @property
    def _known_ns(self) -> int:
        """Up to where everything is known that happened."""
        return self._opened.through_ns - (0 if self._opened.at_end else self.past.spread_ns)

    def _is_over(self) -> bool:
        reading = self._opened
        return reading.at_end and not self._held and self._now_ns() >= reading.through_ns

    async def _wait(self) -> None:
        """Until there is something to do: at once where there is more to read, never where it stands still."""
        if self._is_behind or not self._is_filled or self._steps:
            await asyncio.sleep(0)
        else:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK_S if self.speed else None):
                    await self._woken.wait()
        self._woken.clear()

    async def _close(self) -> None:
        reading, self._reading = self._reading, None
        self._held.clear()
        if reading is not None:
            await reading.close()

    @property
    def _opened(self) -> Reading:
        assert self._reading is not None, "nothing is read before it was begun"
        return self._reading
