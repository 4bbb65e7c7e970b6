"""The buffer of the logger: what makes room for what, and that each event is in one place only."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Sequence
from itertools import count
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naq_runtime.clock import ManualClock
from naq_runtime.config import EventsConfig
from naq_runtime.errors import ServerUnreachable
from naq_runtime.events.buffer import RANKS, USUAL_RANK, EventBuffer
from naq_runtime.events.drops import DroppedEvents, Drops
from naq_runtime.events.logger import AsyncJobEventLogger
from naq_runtime.events.models import JobEventType, SystemEvent, SystemEventType
from naq_runtime.naming import Names
from naq_runtime.nats.publish import Outgoing
from tests.unit.looptime import LoopTime
from tests.unit.samples import a_job_event, a_worker_event
from tests.unit.storages import TroubledStorage

BYTES = 9_000


def a_buffer(most_events: int = 4, most_bytes: int = 10_000) -> EventBuffer:
    """An empty one."""
    return EventBuffer(most_events, most_bytes, ManualClock(5))


def put(buffer: EventBuffer, *what: str, size: int = 10) -> list[bool]:
    """Put events in, named ``type-number``; says which were taken."""
    taken = []
    for name in what:
        event_type, _, number = name.partition("-")
        rank = RANKS.get(event_type, USUAL_RANK)
        taken.append(buffer.put(f"naq.events.job.j.q.{event_type}.{number}", b"x" * size, rank) > 0)
    return taken


def all_of(buffer: EventBuffer, most: int = 3) -> list[str]:
    """Take everything out, in order, so many at a time, as ``type-number``."""
    found = []
    while batch := buffer.batch(most):
        found += ["-".join(entry.subject.split(".")[-2:]) for entry in batch]
        buffer.done()
    return found


class TestWhatMakesRoom:
    def test_heartbeats_go_before_progress_and_ends_of_jobs_last(self) -> None:
        buffer = a_buffer()
        assert all(put(buffer, "completed-1", "heartbeat-2", "started-3", "progress-4"))

        assert put(buffer, "started-5") == [True], "for the heartbeat"
        assert put(buffer, "started-6") == [True], "for the progress"
        assert put(buffer, "started-7", "log-8", "heartbeat-9") == [False, False, False]
        assert put(buffer, "failed-10", "cancelled-11", "dead_lettered-12") == [True, True, True]
        assert put(buffer, "timed_out-13") == [False]

        assert all_of(buffer) == ["completed-1", "failed-10", "cancelled-11", "dead_lettered-12"]
        dropped = {"heartbeat": 2, "progress": 1, "log": 1, "started": 4, "timed_out": 1}
        assert buffer.take_drops().counts == {f"job.{name}": number for name, number in dropped.items()}

    def test_the_oldest_of_those_that_matter_least_go_first_and_the_order_of_the_others_stays(self) -> None:
        buffer = a_buffer(6)
        put(buffer, "heartbeat-1", "started-2", "heartbeat-3", "completed-4", "heartbeat-5", "started-6")
        put(buffer, "completed-7", "started-8")

        assert all_of(buffer) == ["started-2", "completed-4", "heartbeat-5", "started-6", "completed-7", "started-8"]

    def test_a_large_event_pushes_out_as_many_as_it_needs(self) -> None:
        buffer = a_buffer(100, 1_000)
        put(buffer, "heartbeat-1", "heartbeat-2", "progress-3", "started-4", size=100)

        assert put(buffer, "completed-5", size=800) == [True]

        assert all_of(buffer) == ["started-4", "completed-5"]
        assert buffer.bytes == 0

    def test_nothing_is_pushed_out_for_one_that_finds_no_room_all_the_same(self) -> None:
        buffer = a_buffer(100, 1_000)
        put(buffer, "heartbeat-1", "completed-2", size=300)

        assert put(buffer, "started-3", size=800) == [False]

        assert all_of(buffer) == ["heartbeat-1", "completed-2"]

    def test_what_is_under_way_to_the_storage_is_not_pushed_out(self) -> None:
        buffer = a_buffer()
        put(buffer, "heartbeat-1", "heartbeat-2", "heartbeat-3", "heartbeat-4")
        under_way = list(buffer.batch(3))

        assert put(buffer, "completed-5", "completed-6") == [True, False]

        assert buffer.batch(3) == under_way, "it is tried again as it was"
        assert all_of(buffer) == ["heartbeat-1", "heartbeat-2", "heartbeat-3", "completed-5"]


def test_what_finalizers_log_in_the_midst_of_it_is_kept_once() -> None:
    buffer = a_buffer(10_000, 10_000_000)

    class Cycle:
        def __init__(self, number: int) -> None:
            self.itself, self.number = self, number

        def __del__(self) -> None:
            put(buffer, f"started-late{self.number}")

    before = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for number in range(300):
            Cycle(number)
            put(buffer, f"started-{number}")
    finally:
        gc.set_threshold(*before)
    gc.collect()

    assert buffer.count == 600
    assert sorted(all_of(buffer)) == sorted(f"started-{late}{n}" for late in ("", "late") for n in range(300))
    assert (buffer.count, buffer.bytes) == (0, 0)


@pytest.mark.parametrize("most", [1, 2, 3, 4])
def test_two_that_stand_the_wrong_way_round_are_stored_once_each(most: int) -> None:
    buffer = a_buffer()

    class Interrupted:
        """A rank; as it is looked up, a finalizer logs something."""

        def __index__(self) -> int:
            put(buffer, "started-in-between")
            return USUAL_RANK

    put(buffer, "completed-1")
    buffer.put("naq.events.job.j.q.started.2", b"x", cast("int", Interrupted()))
    put(buffer, "completed-3")

    assert sorted(all_of(buffer, most)) == ["completed-1", "completed-3", "started-2", "started-in-between"]
    assert (buffer.count, buffer.bytes) == (0, 0)


class TestDrops:
    @pytest.mark.parametrize("keys", [[f"job.t{n}" for n in range(10_000)], ["x" * 100_000], ['job."\x00']], ids=len)
    def test_names_that_are_many_or_improper_are_counted_together(self, keys: list[str]) -> None:
        drops = Drops(ManualClock(5))
        for key in keys:
            drops.add(key)

        counts = drops.take().counts
        assert sum(counts.values()) == drops.ever == len(keys)
        assert len(counts) <= 65
        assert "other" in counts


class WaryStorage(TroubledStorage):
    """Notes what is stored again though it is known to be stored."""

    def __init__(self) -> None:
        super().__init__()
        self.twice: list[str] = []
        self._in_doubt: Sequence[Outgoing] = ()

    async def store(self, entries: Sequence[Outgoing]) -> None:
        doubted = {entry.subject for entry in self._in_doubt}
        self.twice += [e.subject for e in entries if e.subject in self._subjects and e.subject not in doubted]
        self._in_doubt = tuple(entries)
        await super().store(entries)
        self._in_doubt = ()


class Story:
    """A logger with little room, and the count of what it was given."""

    def __init__(self, loop_time: LoopTime) -> None:
        self.storage = WaryStorage()
        self.given = self.reports = 0
        self._loop_time = loop_time
        self._numbers = count(1)
        config = EventsConfig(batch_size=5, flush_interval=1, max_buffer_size=12, max_buffer_bytes=BYTES)
        self.logger = AsyncJobEventLogger(self.storage, config, Names(), report=self._report)

    def _report(self, dropped: DroppedEvents) -> SystemEvent:
        self.reports += 1
        number = f"e-{next(self._numbers)}"
        return SystemEvent(
            event_type=SystemEventType.EVENTS_DROPPED,
            timestamp_ns=1,
            event_id=number,
            instance="i",
            dropped=dropped.counts,
        )

    def log(self, event_type: str, size: int) -> None:
        """One more event."""
        self.given += 1
        number = f"e-{next(self._numbers)}"
        if event_type == "heartbeat":
            self.logger.append(a_worker_event(event_id=number, hostname="h" * size))
        else:
            self.logger.append(a_job_event(JobEventType(event_type), event_id=number, text="x" * size))

    async def happens(self, step: tuple[str, str, int]) -> None:
        """Carry out one step."""
        what, event_type, number = step
        match what:
            case "log":
                for _ in range(number % 8 + 1):
                    self.log(event_type, number)
            case "fail":
                self.storage.stores_before_failing = number % 6
                self.storage.errors.append(ServerUnreachable("away"))
            case "hang":
                self.storage.open.clear()
            case "go on":
                self.storage.open.set()
            case "pass":
                await self._loop_time.advance(number / 500)
            case "stop":
                await self.logger.stop(deadline_s=0.001)
            case "start":
                await self.logger.start()

    def check(self) -> None:
        """What holds at any moment."""
        found = self.logger.statistics()
        assert found.buffered <= 12
        assert found.buffered_bytes <= BYTES
        assert found.stored + found.dropped + found.buffered == self.given + self.reports
        assert self.storage.twice == []


steps = st.tuples(
    st.sampled_from(["log", "log", "log", "fail", "hang", "go on", "pass", "stop", "start"]),
    st.sampled_from(["heartbeat", "progress", "started", "completed"]),
    st.integers(0, 3_000),
)


@given(st.lists(steps, max_size=40))
def test_whatever_happens_the_bounds_hold_and_each_event_is_stored_once_or_counted(
    what: list[tuple[str, str, int]],
) -> None:
    async def told() -> None:
        with pytest.MonkeyPatch.context() as patch:
            story = Story(LoopTime(asyncio.get_running_loop(), patch))
            await story.logger.start()
            for step in what:
                await story.happens(step)
                story.check()
            story.storage.errors.clear()
            story.storage.open.set()
            await story.logger.start()
            for _ in range(5):
                await story.happens(("pass", "", 3_000))
            await story.logger.flush()
            story.check()
            assert await story.logger.stop() == 0

        numbers = [int(name.removeprefix("e-")) for name in story.storage.ids]
        assert numbers == sorted(set(numbers)), "each once, in the order in which they came"
        reports = [stored.event for stored in story.storage.events if isinstance(stored.event, SystemEvent)]
        told = sum(sum((report.dropped or {}).values()) for report in reports)
        assert told == story.logger.statistics().dropped

    asyncio.run(told())
