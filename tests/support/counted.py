"""A log of events in memory, writers of roll-ups that go on one operation at a time, and all counted by hand."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Sequence
from itertools import count
from typing import Any, NamedTuple

from naq_runtime.clock import ManualClock
from naq_runtime.config import NAQConfig
from naq_runtime.errors import SerializationError, ServerError
from naq_runtime.events.codec import encode_event, event_key, event_subject
from naq_runtime.events.models import Event, JobEvent, JobEventType
from naq_runtime.nats.publish import Outgoing
from naq_runtime.nats.streams import Streams
from naq_runtime.statistics.answer import EventStatistics, Latency
from naq_runtime.statistics.reader import StatisticsReader, StreamLog
from naq_runtime.statistics.rollup import Rollup, Unit, decode_rollup
from naq_runtime.statistics.sketch import RELATIVE_ERROR
from naq_runtime.statistics.store import RollupStore
from naq_runtime.statistics.writer import RollupWriter
from naq_runtime.testing.streams import MemoryStreams, MemoryTopology
from tests.support.interleaving import Crash, InTurns, Turns

__all__ = ["BEGUN_NS", "CountedLog", "Happened", "assert_counts", "job_event"]

BEGUN_NS = 1_700_000_000 * 10**9
"""When the clock begins: 2023-11-14, 22:13:20 UTC."""
_NUMBERS = count(1)


class Happened(NamedTuple):
    """An event, and when it happened as far as anybody can know."""

    time_ns: int
    event: Event


def job_event(event_type: str, time_ns: int, **fields: Any) -> JobEvent:
    """An event of a job, with an id of its own."""
    number = next(_NUMBERS)
    usual = {"job_id": f"j{number}", "queue_name": "mail", "function_name": "shop.send", "event_id": f"e-{number}"}
    return JobEvent(event_type=JobEventType(event_type), timestamp_ns=time_ns, **(usual | fields))


class CountedLog:
    """The log, and what was put into it.

    Args:
        settings: of the section ``statistics``.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, **settings: object) -> None:
        arguments = {f"statistics.{name}": value for name, value in settings.items()}
        self.config = NAQConfig.load(arguments=arguments, environ={})
        self.names = self.config.names
        self.clock = ManualClock(BEGUN_NS)
        self.streams = MemoryStreams(self.clock)
        self.topology = MemoryTopology(self.streams, self.config)
        self.turns = Turns(loop)
        self.happened: list[Happened] = []
        self._loop = loop
        self.run(self.topology.events())

    def run(self, doing: Coroutine[Any, Any, Any]) -> Any:
        """Do something that needs no turn."""
        return self._loop.run_until_complete(doing)

    def store(self, *events: Event) -> None:
        """Put events into the log, now."""
        now_ns = self.clock.time_ns()
        for event in events:
            self.streams.put(Outgoing(event_subject(self.names, event), encode_event(event)))
            self.happened.append(Happened(min(event.timestamp_ns, now_ns), event))

    def writer(
        self,
        *,
        in_turns: bool = True,
        may_act: Callable[[], bool] = lambda: True,
        mended: Callable[[SerializationError], object] = lambda _: None,
        ahead_ns: int = 0,
    ) -> RollupWriter:
        """One that has not read anything yet, as of a process of its own."""
        streams: Streams = InTurns(self.streams, self.turns, answers=True) if in_turns else self.streams
        return RollupWriter(
            streams,
            self.names,
            RollupStore(streams, self.names, self.config.statistics),
            ready=self.topology.stats,
            now_ns=lambda: self.clock.time_ns() + ahead_ns,
            most_groups=self.config.statistics.most_groups,
            may_act=may_act,
            mended=mended,
        )

    def catch_up(self) -> int:
        """Have everything rolled up that can be."""
        done: int = self.run(self.writer(in_turns=False).catch_up())
        return done

    def begin(self, writer: RollupWriter, ended: Callable[[BaseException | None], None] = lambda _: None) -> None:
        """Let a writer go on, one operation a turn."""

        async def act() -> None:
            try:
                await writer.catch_up()
                ended(None)
            except (Crash, ServerError) as error:
                ended(error)

        self.turns.act(act())

    def reader(self) -> StatisticsReader:
        """Who answers."""
        store = RollupStore(self.streams, self.names, self.config.statistics)
        return StatisticsReader(StreamLog(self.streams, self.names), store, now_ns=self.clock.time_ns)

    def read(self, since_ns: int, until_ns: int, by: Sequence[str] = ()) -> EventStatistics:
        """What is answered for a time."""
        answer: EventStatistics = self.run(self.reader().read(24, by, since_ns=since_ns, until_ns=until_ns))
        return answer

    def rollups(self, unit: Unit) -> list[Rollup]:
        """All of a unit, by range."""
        messages = self.streams.messages(self.names.stats_stream, f"{self.names.namespace}.stats.{unit.name}.workers.>")
        return sorted((decode_rollup(message.data) for message in messages), key=lambda one: (one.log, one.first))

    def forget_events(self, until: int) -> None:
        """The events up to a sequence are too old."""
        stream = self.names.events_stream
        self.run(self.streams.delete(stream, range(1, until + 1)))

    def shelf(self, stream: str) -> object:
        """What holds the messages of a stream."""
        return vars(self.streams)["_shelves"][stream]

    def forget_stream(self, stream: str) -> None:
        """Somebody deletes a whole stream."""
        vars(self.streams)["_shelves"].pop(stream, None)


def assert_counts(answer: EventStatistics, happened: Iterable[Happened], by: Sequence[str] = ()) -> None:
    """See that an answer is what one gets who counts all events of its time one by one."""
    there = [one.event for one in happened if answer.since_ns <= one.time_ns < answer.until_ns]
    assert answer.total.types == dict(Counter(map(event_key, there)))
    assert answer.rolled_up + answer.scanned == len(there)
    _assert_latency(answer.total.wait, _durations(there, "wait_ms", ("started",)))
    _assert_latency(answer.total.run, _durations(there, "duration_ms", ("completed", "failed", "timed_out")))
    if by:
        found = {tuple(getattr(group, name) for name in by): group.types for group in answer.groups}
        expected: dict[tuple[Any, ...], Counter[str]] = {}
        for event in there:
            names = tuple(getattr(event, _FIELDS[name], None) for name in by)
            expected.setdefault(names, Counter())[event_key(event)] += 1
        assert found == {names: dict(types) for names, types in expected.items()}


_FIELDS = {"queue": "queue_name", "function": "function_name", "worker": "worker_id"}


def _durations(events: Iterable[Event], name: str, event_types: Sequence[str]) -> list[float]:
    jobs = (event for event in events if isinstance(event, JobEvent) and event.event_type in event_types)
    return sorted(value for value in (getattr(event, name) for event in jobs) if value is not None)


def _assert_latency(latency: Latency | None, true: Sequence[float]) -> None:
    if not true:
        assert latency is None
        return
    assert latency is not None
    assert latency.count == len(true)
    assert math.isclose(latency.mean_ms, math.fsum(true) / len(true), rel_tol=1e-6, abs_tol=1e-5)
    assert math.isclose(latency.max_ms, true[-1], rel_tol=1e-6, abs_tol=1e-5)
    for share, found in ((0.5, latency.p50_ms), (0.95, latency.p95_ms), (0.99, latency.p99_ms)):
        exact = true[max(1, math.ceil(share * len(true))) - 1]
        assert abs(found - exact) <= exact * RELATIVE_ERROR + 1e-5
