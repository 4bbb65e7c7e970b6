"""A moment that is rebuilt from the events before it, and played on from there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naq_runtime.clock import ManualClock
from naq_runtime.errors import NotFound, ServerUnreachable
from naq_runtime.events.models import Event, StoredEvent
from naq_runtime.snapshot import Snapshot
from naq_tui.past import LAST, Place
from naq_tui.source import Batch, ConnectionState
from naq_tui.sources.playback import Playback
from naq_tui.sources.recorded_past import MemoryReading, MemoryRecording
from tests.tui import builders
from tests.tui.builders import NOW_NS, SECOND, job_event, stored, worker_event

MS = SECOND // 1000


def recording(*events: Event, until_ns: int = NOW_NS) -> MemoryRecording:
    return MemoryRecording(stored(events), server=builders.server(), until_ns=until_ns)


def ticking(count: int, *, every_s: float = 1.0, ago_s: float = 100.0) -> list[Event]:
    """Jobs that are enqueued one after the other."""
    return [job_event("enqueued", f"job-{n}", ago_s=ago_s - n * every_s) for n in range(count)]


class Player:
    """Plays, and keeps what was told."""

    def __init__(self, playback: Playback, clock: ManualClock) -> None:
        self.playback = playback
        self.batches: list[Batch] = []
        self._clock = clock
        self._coming = aiter(playback)

    async def next(self, seconds: float = 0.0) -> Batch:
        """Let time pass, and take the next batch."""
        self._clock.advance(seconds)
        self.playback._woken.set()  # the tick of a clock that stands still takes its time
        async with asyncio.timeout(30):
            batch = await anext(self._coming)
        self.batches.append(batch)
        return batch

    async def filled(self) -> Player:
        """Take batches until all that was before is there."""
        await self.next()
        while not self.playback._is_filled:
            await self.next()
        return self

    async def to_end(self, step_s: float = 1.0) -> None:
        while (await self.next(step_s)).link.state is not ConnectionState.ENDED:
            pass

    @property
    def told(self) -> list[StoredEvent]:
        """Everything, those before the beginning first."""
        earlier = [stored for batch in reversed(self.batches) for stored in batch.earlier]
        return earlier + [stored for batch in self.batches for stored in batch.events]

    @property
    def jobs(self) -> list[str]:
        return [getattr(stored.event, "job_id", "") for batch in self.batches for stored in batch.events]

    @property
    def snapshot(self) -> Snapshot:
        return next(batch.snapshot for batch in reversed(self.batches) if batch.snapshot is not None)


@asynccontextmanager
async def playing(past: MemoryRecording, *, ago_s: float, speed: int = 1) -> AsyncIterator[Player]:
    clock = builders.clock()
    async with Playback(past, Place(NOW_NS - int(ago_s * SECOND)), speed=speed, clock=clock) as playback:
        yield Player(playback, clock)


async def test_the_first_batch_is_all_up_to_the_moment_and_the_rest_comes_when_it_happened() -> None:
    async with playing(recording(*ticking(10, ago_s=20)), ago_s=17.5) as player:
        first = await player.next()
        await player.next(1.0)
        await player.next(2.0)

    assert [len(batch.events) for batch in player.batches] == [3, 1, 2]
    assert player.jobs == [f"job-{n}" for n in range(6)]
    assert first.link.speed == 1


@settings(max_examples=30, deadline=None)
@given(
    delays=st.lists(st.tuples(st.integers(0, 3 * SECOND), st.integers(0, 200 * MS)), min_size=1, max_size=80),
    begin=st.integers(-5 * SECOND, 60 * SECOND),
    step_s=st.sampled_from([0.3, 0.7, 5.0]),
    speed=st.sampled_from([1, 10, 100]),
)
def test_every_event_is_told_once_wherever_it_begins(
    delays: Sequence[tuple[int, int]], begin: int, step_s: float, speed: int
) -> None:
    happened_ns = NOW_NS - 120 * SECOND
    arrivals = []
    for number, (gap_ns, late_ns) in enumerate(delays):
        happened_ns += gap_ns
        arrivals.append((happened_ns + late_ns, job_event(job_id=f"job-{number}", ago_s=(NOW_NS - happened_ns) / 1e9)))
    past = recording(*(event for _, event in sorted(arrivals, key=lambda one: one[0])))

    async def play() -> list[StoredEvent]:
        async with playing(past, ago_s=120 - begin / SECOND, speed=speed) as player:
            await player.to_end(step_s)
            assert [s.event.moment_ns for s in player.batches[0].events] == sorted(
                s.event.moment_ns for s in player.batches[0].events
            )
            return player.told

    told = asyncio.run(play())

    assert sorted(stored.sequence for stored in told) == [stored.sequence for stored in past.events]


async def test_what_is_before_the_first_paint_comes_behind_it_the_newest_first() -> None:
    past = recording(*ticking(2_000, every_s=0.1, ago_s=300))
    async with playing(past, ago_s=100.05, speed=0) as player:
        await player.filled()

    assert len(player.batches[0].events) == 500
    assert [stored.sequence for stored in player.told] == list(range(1, 2_001))
    assert [batch.events for batch in player.batches[1:]] == [[]] * (len(player.batches) - 1)


async def test_standing_still_it_says_nothing_until_it_is_told_to() -> None:
    async with playing(recording(*ticking(10, ago_s=20)), ago_s=15.5, speed=0) as player:
        await player.filled()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await anext(player._coming)


async def test_events_of_one_moment_are_stepped_through_one_by_one() -> None:
    same = [job_event(job_id=f"job-{n}", ago_s=10) for n in range(3)]
    async with playing(recording(*ticking(1, ago_s=20), *same), ago_s=15, speed=0) as player:
        await player.filled()
        found = []
        for _ in range(3):
            player.playback.step()
            found.append([getattr(one.event, "job_id", "") for one in (await player.next()).events])

    assert found == [["job-0"], ["job-1"], ["job-2"]]
    assert player.playback.time_of(NOW_NS) == NOW_NS - 10 * SECOND
    assert player.playback.place == Place(NOW_NS - 10 * SECOND, 4)


async def test_a_place_in_the_middle_of_a_moment_is_rebuilt_exactly() -> None:
    same = [job_event(job_id=f"job-{n}", ago_s=10) for n in range(3)]
    place = Place(NOW_NS - 10 * SECOND, 2)
    clock = builders.clock()
    async with Playback(recording(*same), place, speed=0, clock=clock) as playback:
        player = await Player(playback, clock).filled()

    assert player.jobs == ["job-0", "job-1"]


async def test_a_second_on_shows_what_happened_in_it() -> None:
    async with playing(recording(*ticking(30, every_s=0.1, ago_s=20)), ago_s=19.05, speed=0) as player:
        await player.filled()
        player.playback.advance(SECOND)
        batch = await player.next()

    assert len(batch.events) == 10


async def test_it_is_as_fast_as_it_is_told_to_be() -> None:
    async with playing(recording(*ticking(90)), ago_s=99.5, speed=10) as player:
        await player.filled()
        batch = await player.next(2.0)
        player.playback.play(100)
        faster = await player.next(0.5)

    assert len(batch.events) == 20
    assert len(faster.events) == 50
    assert faster.link.speed == 100


async def test_stopped_at_full_speed_it_shows_all_up_to_the_moment_that_it_says() -> None:
    async with playing(recording(*ticking(90)), ago_s=99.5, speed=100) as player:
        await player.filled()
        player._clock.advance(0.3)
        player.playback.play(0)
        await player.next()
        now_ns = player.playback.time_of(player._clock.time_ns())

    assert len(player.jobs) == 31
    assert now_ns == NOW_NS - int(69.5 * SECOND)


async def test_it_ends_where_it_has_caught_up_with_the_present() -> None:
    async with playing(recording(*ticking(5, ago_s=5)), ago_s=3.5, speed=10) as player:
        await player.to_end(0.1)

    assert player.batches[-1].link.state is ConnectionState.ENDED
    assert len(player.jobs) == 5
    assert player.playback.time_of(player._clock.time_ns()) <= NOW_NS + SECOND


async def test_an_event_on_where_there_is_none_is_the_present() -> None:
    async with playing(recording(*ticking(5, ago_s=50)), ago_s=10, speed=0) as player:
        await player.filled()
        player.playback.step()
        await player.to_end(0)

    assert len(player.jobs) == 5


@pytest.mark.parametrize("after", [0, 1, 3])
async def test_trouble_with_the_server_is_said_and_nothing_is_lost_or_told_twice(
    after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("naq_tui.sources.playback._RETRY_S", 0.01)
    past = recording(*ticking(1_700, every_s=0.05, ago_s=90))
    async with playing(past, ago_s=60, speed=10) as player:
        for _ in range(after):
            await player.next(0.2)
        past.trouble = ServerUnreachable("nobody is there")
        player.playback.step()
        while (batch := await player.next(0.5)).link.state is not ConnectionState.RECONNECTING:
            pass
        past.trouble = None
        await player.to_end(0.5)

    assert batch.link.detail == "nobody is there"
    assert sorted(stored.sequence for stored in player.told) == list(range(1, 1_701))


async def test_trouble_in_the_middle_of_the_beginning_tells_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("naq_tui.sources.playback._RETRY_S", 0.01)
    read, pages = MemoryReading.on, []

    async def failing_once(self: MemoryReading) -> Sequence[StoredEvent]:
        pages.append(self)
        if len(pages) == 2:
            raise ServerUnreachable("nobody is there")
        return await read(self)

    monkeypatch.setattr(MemoryReading, "on", failing_once)
    async with playing(recording(*ticking(1_700, every_s=0.05, ago_s=90)), ago_s=60, speed=10) as player:
        await player.to_end(0.5)

    assert player.batches[0].link.state is ConnectionState.RECONNECTING
    assert sorted(stored.sequence for stored in player.told) == list(range(1, 1_701))


async def test_a_job_is_known_as_it_was() -> None:
    story = [
        job_event("enqueued", ago_s=30),
        job_event("started", ago_s=20, worker_id="w-1"),
        job_event("completed", ago_s=10, worker_id="w-1"),
    ]
    async with playing(recording(*story), ago_s=25, speed=0) as player:
        await player.filled()
        early = await player.playback.questions.job("job-1")
        player.playback.step()
        await player.next()
        late = await player.playback.questions.job("job-1")
    async with playing(recording(*story), ago_s=40) as player:
        await player.filled()
        with pytest.raises(NotFound, match="nothing had happened to job job-1 yet"):
            await player.playback.questions.job("job-1")

    assert (early.status, late.status) == ("queued", "running")
    assert [stored.sequence for stored in late.events] == [1, 2]


async def test_nothing_can_be_done_there() -> None:
    async with playing(recording(), ago_s=1) as player:
        assert player.playback.actions is None


class TestWorkers:
    async def test_those_that_beat_before_the_first_paint_are_there_with_what_their_beginning_told(self) -> None:
        told = [
            worker_event("started", "w-1", ago_s=400, hostname="host-a", pid=7, queue_names=("mail",)),
            worker_event("heartbeat", "w-1", ago_s=62, active_jobs=1, concurrency_limit=4),
            worker_event("heartbeat", "w-1", ago_s=57, active_jobs=2, concurrency_limit=4),
        ]
        fillers = ticking(1_200, every_s=0.005, ago_s=56.5)
        async with playing(recording(*told, *fillers), ago_s=51, speed=0) as player:
            first = await player.next()
            await player.filled()

        assert first.snapshot is not None
        assert first.snapshot.workers == ()
        [worker] = player.snapshot.workers
        assert (worker.worker_id, worker.hostname, worker.pid, worker.active_jobs) == ("w-1", "host-a", 7, 2)

    @pytest.mark.parametrize("end", ["stopped", "lost"])
    async def test_one_that_has_left_is_not_there(self, end: str) -> None:
        told = [
            worker_event("heartbeat", "w-1", ago_s=55),
            worker_event(end, "w-1", ago_s=54),
            worker_event("heartbeat", "w-2", ago_s=53),
        ]
        async with playing(recording(*told, *ticking(600, every_s=0.001, ago_s=52)), ago_s=51, speed=0) as player:
            await player.filled()

        assert [worker.worker_id for worker in player.snapshot.workers] == ["w-2"]

    async def test_one_of_which_only_the_beginning_is_kept_is_there_until_it_stops(self) -> None:
        told = [worker_event("started", "w-1", ago_s=4_000, hostname="host-a")]
        async with playing(recording(*told, *ticking(3, ago_s=60)), ago_s=50, speed=0) as player:
            await player.filled()

        assert [worker.worker_id for worker in player.snapshot.workers] == ["w-1"]

    async def test_one_that_beats_seldom_is_there_by_what_was_before(self) -> None:
        told = [worker_event("heartbeat", "w-1", ago_s=ago_s) for ago_s in (120, 60)]
        fillers = [*ticking(600, every_s=0.05, ago_s=110), *ticking(600, every_s=0.05, ago_s=55)]
        stored = sorted([*told, *fillers], key=lambda event: event.timestamp_ns)
        async with playing(recording(*stored), ago_s=20, speed=0) as player:
            await player.filled()

        assert [worker.heartbeat_interval for worker in player.snapshot.workers] == [60]

    async def test_of_depths_nothing_is_made_up(self) -> None:
        async with playing(recording(*ticking(3, ago_s=60)), ago_s=50) as player:
            await player.filled()

        assert player.snapshot.queues == ()


def test_a_place_is_behind_all_events_of_its_moment() -> None:
    assert Place(5, 1) < Place(5, 2) < Place(5) == Place(5, LAST) < Place(6, 0)
