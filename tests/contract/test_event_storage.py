"""The log of events: what is promised of every storage, in memory and on the server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest

from naq_runtime.errors import FilterError
from naq_runtime.events.codec import encode_event, event_subject
from naq_runtime.events.filters import EventFilter
from naq_runtime.events.memory import MemoryEventStorage
from naq_runtime.events.models import Event, JobEventType, StoredEvent, WorkerEventType
from naq_runtime.events.queries import EventQueries
from naq_runtime.events.storage import EventStorage, EventTail, NATSJobEventStorage
from naq_runtime.naming import Names
from naq_runtime.nats.publish import Outgoing
from naq_runtime.services.manager import ServiceManager
from tests.unit.samples import a_job_event, a_system_event, a_worker_event

ALL = EventFilter()

Follow = Callable[..., Awaitable[EventTail]]


class Log(NamedTuple):
    """A storage, and the namespace in which it stores."""

    storage: EventStorage
    names: Names

    def entries(self, events: list[Event]) -> list[Outgoing]:
        """The events as the logger hands them over."""
        return [Outgoing(event_subject(self.names, event), encode_event(event)) for event in events]

    async def store(self, *events: Event) -> None:
        """Store some events together."""
        await self.storage.store(self.entries(list(events)))

    async def recent(self, limit: int = 1_000, **wanted: Any) -> list[StoredEvent]:
        """The last events that match."""
        return (await self.queries.recent(limit, wanted)).events

    @property
    def queries(self) -> EventQueries:
        """What can be asked of it."""
        return EventQueries(self.storage)


@pytest.fixture(params=["memory", "jetstream"])
async def log(request: pytest.FixtureRequest, services: ServiceManager) -> AsyncIterator[Log]:
    """A log in which nothing was ever written."""
    storage: EventStorage = MemoryEventStorage()
    if request.param == "jetstream":
        storage = NATSJobEventStorage(services.connection, services.config, services.topology)
    yield Log(storage, services.names)
    await storage.close()


@pytest.fixture
async def follow(log: Log) -> AsyncIterator[Follow]:
    """Starts to follow the log."""
    tails: list[EventTail] = []

    async def start(after: int | None = None, **wanted: Any) -> EventTail:
        tails.append(await log.storage.tail(EventFilter(**wanted), after))
        return tails[-1]

    yield start
    for tail in tails:
        await tail.stop()


def ids(stored: list[StoredEvent]) -> list[str]:
    """The ids of events."""
    return [one.event.event_id for one in stored]


async def next_events(tail: EventTail, number: int) -> list[StoredEvent]:
    """So many events, in however many batches."""
    seen: list[StoredEvent] = []
    async with asyncio.timeout(20):
        while len(seen) < number:
            batch = await tail.next_batch()
            assert batch.missed == 0
            seen += batch.events
    return seen


class TestStoring:
    async def test_what_is_stored_can_be_read_as_it_was_and_in_order(self, log: Log) -> None:
        events: list[Event] = [
            a_job_event(),
            a_worker_event(queue_names=("a",)),
            a_system_event(dropped={"job.started": 2}),
        ]

        await log.store(*events)

        assert [stored.event for stored in await log.recent()] == events

    async def test_sequences_count_up_in_the_order_of_storing(self, log: Log) -> None:
        await log.store(*(a_job_event() for _ in range(5)))
        await log.store(*(a_job_event() for _ in range(5)))
        assert [stored.sequence for stored in await log.recent()] == list(range(1, 11))

    async def test_storing_nothing_is_no_error(self, log: Log) -> None:
        await log.store()
        await log.store(a_job_event(event_id="e1"))
        await log.store()
        assert ids(await log.recent()) == ["e1"]

    async def test_a_thousand_events_may_be_stored_together(self, log: Log) -> None:
        await log.store(*(a_job_event(event_id=f"n{number}") for number in range(1_000)))
        assert ids(await log.recent()) == [f"n{number}" for number in range(1_000)]

    async def test_storing_the_same_entries_again_leaves_one_of_each(self, log: Log) -> None:
        events: list[Event] = [a_job_event(), a_worker_event(), a_system_event()]

        await log.store(*events)
        await log.store(*events)

        assert sorted(ids(await log.recent())) == sorted(event.event_id for event in events)
        assert len(await log.storage.history("j1")) == 1

    async def test_a_part_that_was_stored_before_leaves_one_of_each(self, log: Log) -> None:
        events = [a_job_event() for _ in range(6)]

        await log.store(*events[:4])
        await log.store(*events)

        assert sorted(ids(await log.recent())) == sorted(event.event_id for event in events)

    async def test_a_closed_storage_may_be_used_again(self, log: Log) -> None:
        await log.store(a_job_event(event_id="e1"))
        await log.storage.close()
        await log.storage.close()

        await log.store(a_job_event(event_id="e2"))

        assert ids(await log.recent()) == ["e1", "e2"]


class TestRecent:
    @pytest.mark.parametrize("limit", [0, 1, 3, 10, 1_000])
    async def test_the_last_ones_come_oldest_first(self, log: Log, limit: int) -> None:
        await log.store(*(a_job_event(event_id=f"n{number}") for number in range(10)))
        assert ids(await log.recent(limit)) == [f"n{number}" for number in range(10)][10 - min(limit, 10) :]

    async def test_more_than_a_page_can_be_had(self, log: Log) -> None:
        for first in range(0, 2_500, 500):
            await log.store(*(a_job_event(event_id=f"n{number}") for number in range(first, first + 500)))
        assert ids(await log.recent(2_300)) == [f"n{number}" for number in range(200, 2_500)]

    async def test_the_sequence_up_to_which_was_looked_is_told_whatever_matched(self, log: Log) -> None:
        await log.store(*(a_job_event() for _ in range(7)))

        assert (await log.queries.recent(2)).last == 7
        assert await log.queries.recent(2, "job:other") == ([], 7)

    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            ({}, ["a", "b", "c", "d", "e", "f"]),
            ({"job_id": "j1"}, ["a", "c"]),
            ({"queue_name": "mail"}, ["a", "c"]),
            ({"event_type": "started"}, ["a", "b", "d"]),
            ({"worker_id": "w1"}, ["c", "d"]),
            ({"job_id": "j1", "event_type": "failed"}, ["c"]),
            ({"queue_name": "mail", "worker_id": "w1"}, ["c"]),
            ({"job_id": "j1", "queue_name": "reports"}, []),
        ],
        ids=str,
    )
    async def test_only_what_matches_is_found_and_followed(
        self, log: Log, follow: Follow, wanted: dict[str, Any], found: list[str]
    ) -> None:
        await log.store(
            a_job_event(event_id="a", job_id="j1", queue_name="mail"),
            a_job_event(event_id="b", job_id="j2", queue_name="reports"),
            a_job_event(JobEventType.FAILED, event_id="c", job_id="j1", queue_name="mail", worker_id="w1"),
            a_worker_event(event_id="d", event_type=WorkerEventType.STARTED, worker_id="w1", queue_names=("reports",)),
            a_worker_event(event_id="e", worker_id="w2", queue_names=("reports", "mail")),
            a_system_event(event_id="f"),
        )

        assert ids(await log.recent(**wanted)) == found
        assert ids(await next_events(await follow(after=0, **wanted), len(found))) == found

    async def test_few_that_match_are_found_among_many(self, log: Log) -> None:
        for first in range(0, 3_000, 1_000):
            await log.store(
                *(
                    a_job_event(event_id=f"n{n}", job_id="rare" if n % 900 == 7 else "other")
                    for n in range(first, first + 1_000)
                )
            )
        assert ids(await log.recent(3, job_id="rare")) == ["n907", "n1807", "n2707"]
        assert ids(await log.recent(10, job_id="rare")) == ["n7", "n907", "n1807", "n2707"]


class TestHistory:
    async def test_the_history_of_a_job_is_all_its_events_and_no_others(self, log: Log) -> None:
        await log.store(
            a_job_event(JobEventType.ENQUEUED, event_id="a", timestamp_ns=1),
            a_job_event(event_id="b", job_id="j2"),
            a_job_event(JobEventType.STARTED, event_id="c", timestamp_ns=2),
            a_worker_event(event_id="d", worker_id="j1"),
            a_job_event(JobEventType.COMPLETED, event_id="e", timestamp_ns=3),
        )
        assert ids(await log.storage.history("j1")) == ["a", "c", "e"]

    async def test_it_is_in_the_order_in_which_things_happened_whoever_stored_first(self, log: Log) -> None:
        await log.store(
            a_job_event(JobEventType.STARTED, event_id="started", timestamp_ns=20),
            a_job_event(JobEventType.COMPLETED, event_id="completed", timestamp_ns=30),
        )
        await log.store(a_job_event(JobEventType.ENQUEUED, event_id="enqueued", timestamp_ns=10))

        assert ids(await log.storage.history("j1")) == ["enqueued", "started", "completed"]

    async def test_events_of_the_same_moment_are_in_the_order_of_storing(self, log: Log) -> None:
        for name in "dacb":
            await log.store(a_job_event(event_id=name, timestamp_ns=5))
        assert ids(await log.storage.history("j1")) == ["d", "a", "c", "b"]

    async def test_two_events_of_one_type_are_both_kept(self, log: Log) -> None:
        await log.store(a_job_event(event_id="a"), a_job_event(event_id="b"))
        assert ids(await log.storage.history("j1")) == ["a", "b"]

    async def test_the_history_of_an_unknown_job_is_empty(self, log: Log) -> None:
        await log.store(a_job_event(job_id="j1"))
        assert await log.storage.history("j2") == []

    async def test_a_job_that_was_interrupted_very_often_has_a_history(self, log: Log) -> None:
        for first in (0, 700):
            await log.store(*(a_job_event(timestamp_ns=first + number) for number in range(700)))
        assert len(await log.storage.history("j1")) == 1_400


class TestNothingWritten:
    async def test_nothing_is_in_a_log_that_was_never_written(self, log: Log) -> None:
        assert await log.queries.recent(10) == ([], 0)
        assert await log.queries.recent(10, "job:j1") == ([], 0)

    async def test_no_job_has_a_history_in_a_log_that_was_never_written(self, log: Log) -> None:
        assert await log.storage.history("j1") == []

    @pytest.mark.parametrize("after", [None, 0])
    async def test_a_log_that_was_never_written_can_be_followed(
        self, log: Log, follow: Follow, after: int | None
    ) -> None:
        tail = await follow(after)
        await log.store(a_job_event(event_id="first"))
        assert ids(await next_events(tail, 1)) == ["first"]


class TestTail:
    async def test_from_now_on_only_what_comes_is_seen(self, log: Log, follow: Follow) -> None:
        await log.store(a_job_event(event_id="before"))
        tail = await follow()

        await log.store(a_job_event(event_id="a"), a_job_event(event_id="b"))
        await log.store(a_job_event(event_id="c"))

        assert ids(await next_events(tail, 3)) == ["a", "b", "c"]

    async def test_behind_a_sequence_all_that_is_there_and_all_that_comes_is_seen(
        self, log: Log, follow: Follow
    ) -> None:
        await log.store(*(a_job_event(event_id=f"n{number}") for number in range(1, 6)))
        tail = await follow(after=3)
        await log.store(a_job_event(event_id="n6"))

        seen = await next_events(tail, 3)

        assert ids(seen) == ["n4", "n5", "n6"]
        assert [stored.sequence for stored in seen] == [4, 5, 6]

    async def test_recent_and_then_the_tail_leave_no_gap_and_repeat_nothing_while_others_store(
        self, log: Log, follow: Follow
    ) -> None:
        async def keep_storing() -> None:
            for first in range(0, 1_000, 50):
                await log.store(*(a_job_event(event_id=f"n{number}") for number in range(first, first + 50)))
                await asyncio.sleep(0)

        await log.store(a_job_event(event_id="first"))
        storing = asyncio.create_task(keep_storing())
        before, last = await log.queries.recent(10_000)
        after = await next_events(await follow(after=last), 1_001 - len(before))
        await storing

        assert ids(before + after) == ["first", *(f"n{number}" for number in range(1_000))]

    async def test_several_follow_at_the_same_time_each_on_its_own(self, log: Log, follow: Follow) -> None:
        await log.store(a_job_event(event_id="a"))
        whole, new = await follow(after=0), await follow()
        await log.store(a_job_event(event_id="b"), a_job_event(event_id="c"))

        assert ids(await next_events(new, 2)) == ["b", "c"]
        assert ids(await next_events(whole, 3)) == ["a", "b", "c"]

    async def test_what_matches_is_seen_as_it_comes(self, log: Log, follow: Follow) -> None:
        tail = await follow(queue_name="mail")

        await log.store(
            a_job_event(event_id="a", queue_name="reports"),
            a_job_event(event_id="b", queue_name="mail"),
            a_worker_event(event_id="c", queue_names=("mail",)),
            a_job_event(event_id="d", queue_name="mail"),
        )

        assert ids(await next_events(tail, 2)) == ["b", "d"]

    async def test_stopping_twice_is_stopping_once(self, log: Log) -> None:
        tail = await log.storage.tail(ALL)
        await tail.stop()
        await tail.stop()


def kinds(number: int) -> list[Event]:
    """So many events; every hundredth is a failure."""
    return [
        a_job_event(
            JobEventType.FAILED if place % 100 == 50 else JobEventType.STARTED,
            event_id=f"n{place}",
            job_id=f"j{place % 7}",
            queue_name="mail" if place % 2 else "post",
        )
        for place in range(number)
    ]


async def store_all(log: Log, events: list[Event]) -> None:
    """Store any number of events."""
    for first in range(0, len(events), 1_000):
        await log.store(*events[first : first + 1_000])


class TestFilters:
    @pytest.mark.parametrize(
        "text",
        ["type:failed", "job:j3", "job:j3,j5 type:failed", "queue:mail", "n255", "queue:post !job:j1", "type:fail*"],
    )
    @pytest.mark.parametrize("limit", [1, 7, 5_000])
    async def test_the_last_ones_that_match_are_those_of_a_plain_search(self, log: Log, text: str, limit: int) -> None:
        await store_all(log, kinds(2_600))
        everything = (await log.queries.recent(5_000)).events
        wanted = EventFilter(text)

        found, last = await log.queries.recent(limit, text)

        assert found == [stored for stored in everything if wanted.matches(stored.event)][-limit:]
        assert last == 2_600

    async def test_what_cannot_match_is_not_found(self, log: Log) -> None:
        await log.store(*kinds(10))
        assert await log.queries.recent(10, "job:j1 job:j2") == ([], 10)
        assert [page.events async for page in log.queries.pages("job:j1 job:j2")] == [[]]

    async def test_a_rare_event_is_followed_by_several_subjects(self, log: Log, follow: Follow) -> None:
        tail = await follow(after=0, event_type=["failed", "busy"])
        await log.store(
            a_job_event(JobEventType.FAILED, event_id="a"),
            a_job_event(event_id="b"),
            a_worker_event(WorkerEventType.BUSY, event_id="c"),
            a_job_event(JobEventType.FAILED, event_id="d"),
        )
        assert ids(await next_events(tail, 3)) == ["a", "c", "d"]


class TestPages:
    @pytest.mark.parametrize("text", ["", "type:failed", "job:j3", "job:j3 OR job:j4", "queue:mail", "n2", "absent"])
    @pytest.mark.parametrize("limit", [7, 1_000, 10_000])
    async def test_pages_have_everything_that_matches_in_order(self, log: Log, text: str, limit: int) -> None:
        await store_all(log, kinds(2_600))
        everything = (await log.queries.recent(5_000)).events
        wanted = EventFilter(text)

        pages = [page async for page in log.queries.pages(text, limit=limit)]

        matching = [stored for stored in everything if wanted.matches(stored.event)]
        assert [stored for page in pages for stored in page.events] == matching
        assert all(len(page.events) <= limit for page in pages)
        assert [page.more for page in pages] == [True] * (len(pages) - 1) + [False]

    async def test_one_goes_on_behind_a_page_that_was_read_before(self, log: Log) -> None:
        await store_all(log, kinds(500))
        async with aclosing(log.queries.pages("job:j3", limit=10)) as pages:
            page = await anext(pages)

        rest = [stored async for later in log.queries.pages("job:j3", after=page.after) for stored in later.events]

        assert len(page.events) == 10
        assert ids(page.events + rest) == [f"n{place}" for place in range(500) if place % 7 == 3]

    async def test_what_comes_meanwhile_is_left_for_the_next_time(self, log: Log) -> None:
        await store_all(log, kinds(30))
        seen: list[StoredEvent] = []
        async for page in log.queries.pages(limit=10):
            seen += page.events
            await log.store(a_job_event())
        assert len(seen) == 30

    async def test_a_log_that_was_never_written_has_one_empty_page(self, log: Log) -> None:
        assert [page.events async for page in log.queries.pages("type:failed")] == [[]]


class TestTimes:
    @pytest.fixture
    async def moments(self, log: Log) -> list[int]:
        """Moments, in nanoseconds, around three batches: before, between, between, after."""
        moments = []
        for batch in ("a", "b", "c"):
            moments.append(time.time_ns())
            await log.store(a_job_event(event_id=f"{batch}1"), a_job_event(event_id=f"{batch}2", job_id="j2"))
        return [*moments, time.time_ns()]

    async def test_a_time_that_ends_before_it_begins_is_a_mistake(self, log: Log) -> None:
        with pytest.raises(FilterError, match="ends before it begins"):
            await log.queries.recent(10, since="1m", until="5m")

    async def test_since_and_until_bound_what_is_found(self, log: Log, moments: list[int]) -> None:
        before, first, second, after = moments

        async def between(since: Any = None, until: Any = None, filters: Any = None) -> list[str]:
            recent = ids((await log.queries.recent(100, filters, since=since, until=until)).events)
            pages = log.queries.pages(filters, since=since, until=until, limit=1)
            assert [one.event.event_id async for page in pages for one in page.events] == recent
            return recent

        assert await between(since=first) == ["b1", "b2", "c1", "c2"]
        assert await between(until=second) == ["a1", "a2", "b1", "b2"]
        assert await between(since=first, until=second) == ["b1", "b2"]
        assert await between(since=first, until=second, filters="job:j2") == ["b2"]
        assert await between(since=first, filters="event:*1") == ["b1", "c1"]
        assert await between(since=after) == []
        assert await between(until=before) == []
        assert len(await between(since=before, until=after)) == 6

    async def test_a_time_is_said_in_many_ways(self, log: Log, moments: list[int]) -> None:
        first = datetime.fromtimestamp(moments[1] / 1e9).astimezone()
        age = timedelta(hours=1)
        for since, found in ((first, 4), (first.isoformat(), 4), (age, 6), ("1h", 6), ("-1h", 6), ("2001-01-01", 6)):
            assert len((await log.queries.recent(100, since=since)).events) == found

    async def test_what_is_no_time_is_refused(self, log: Log) -> None:
        with pytest.raises(FilterError, match="expected a time such as -10m, 14:02 or 2026-11-27T14:02, found 'noon'"):
            await log.queries.recent(1, since="noon")

    async def test_a_stream_since_a_time_goes_on_with_what_comes(self, log: Log, moments: list[int]) -> None:
        seen = []
        async with aclosing(log.queries.stream("event:b1,c1,d1", since=moments[1])) as stream:
            seen += [await anext(stream), await anext(stream)]
            await log.store(a_job_event(event_id="d1"), a_job_event(event_id="d2"))
            seen.append(await anext(stream))
        assert ids(seen) == ["b1", "c1", "d1"]

    async def test_a_log_that_was_never_written_has_nothing_at_any_time(self, log: Log) -> None:
        assert await log.queries.recent(10, since="1h") == ([], 0)
        assert await log.queries.recent(10, until="1h") == ([], 0)
