"""What the rules of jobs need of a server, told of the server and of its twin in memory alike."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from naq_runtime.clock import ManualClock, nanoseconds_of
from naq_runtime.errors import JetStreamError, MessageTooLarge, ServerError, ServerUnreachable, StreamMissing
from naq_runtime.naming import Names
from naq_runtime.nats.direct import StoredMessage
from naq_runtime.nats.publish import Outgoing, Stored, is_conflict, is_too_large
from naq_runtime.nats.streams import MESSAGE_ID, Streams, at_time, if_last_is, living_for, once
from naq_runtime.nats.topology import Topology
from naq_runtime.services.manager import ServiceManager
from naq_runtime.testing.streams import MemoryStreams, MemoryTopology
from tests.conftest import MakeConfig
from tests.support.server import config_for
from tests.support.waiting import eventually

SECOND_NS = 1_000_000_000


@dataclass
class Twin:
    """One of the two."""

    streams: Streams
    topology: Topology
    names: Names
    now_ns: Callable[[], int]
    advance: Callable[[float], None]
    """Lets time pass, where it can be told to."""

    async def ready(self) -> None:
        for make in (self.topology.jobs, self.topology.results, self.topology.dead):
            await make()

    async def put(self, subject: str, payload: bytes = b"", headers: dict[str, str] | None = None) -> Stored:
        (answer,) = await self.streams.publish([Outgoing(subject, payload, headers)])
        return answer

    async def under(self, *subjects: str) -> list[tuple[str, bytes]]:
        """What lies in the stream of jobs: subjects without the namespace, and payloads."""
        messages = await self.streams.last(self.names.jobs_stream, subjects)
        return [(message.subject.partition(".")[2], message.data) for message in messages]

    async def pages(self, subject: str, after: int = 0) -> list[list[StoredMessage]]:
        return [page async for page in self.streams.scan(self.names.jobs_stream, subject, after)]

    def later(self, seconds: float, job_id: str) -> dict[str, str]:
        return at_time(self.now_ns() + int(seconds * SECOND_NS), self.names.job("q", job_id))


@asynccontextmanager
async def a_twin(kind: str, make_config: MakeConfig, **settings: object) -> AsyncIterator[Twin]:
    """One of the two, without any stream."""
    if kind == "memory":
        config = config_for("nats://nowhere", **settings)
        clock = ManualClock()
        streams = MemoryStreams(clock)
        yield Twin(streams, MemoryTopology(streams, config), config.names, clock.time_ns, clock.advance)
        return
    config = make_config(**settings)
    async with ServiceManager(config, role="test") as services:
        yield Twin(services.streams, services.topology, config.names, time.time_ns, lambda _: None)


BOTH = pytest.mark.parametrize("kind", ["server", "memory"])


@pytest.fixture(params=["server", "memory"])
async def bare(request: pytest.FixtureRequest, make_config: MakeConfig) -> AsyncIterator[Twin]:
    """A twin without any stream."""
    async with a_twin(request.param, make_config) as twin:
        yield twin


@pytest.fixture
async def twin(bare: Twin) -> Twin:
    """A twin with the streams of a namespace."""
    await bare.ready()
    return bare


def code_of(answer: object) -> int:
    """The server's code for a refusal."""
    assert isinstance(answer, JetStreamError), answer
    return answer.code


# Messages


async def test_each_message_gets_the_next_sequence_and_the_last_of_a_subject_stands(twin: Twin) -> None:
    names = twin.names
    answers = await twin.streams.publish(
        [Outgoing(names.job("q", "a"), b"1"), Outgoing(names.job("q", "b"), b"2"), Outgoing(names.job("q", "a"), b"3")]
    )

    assert answers == [1, 2, 3]
    assert await twin.under(names.job("q", "*")) == [("jobs.q.b", b"2"), ("jobs.q.a", b"3")]


async def test_a_message_comes_back_as_it_was_sent_with_the_time_of_its_storage(twin: Twin) -> None:
    before_ns = twin.now_ns()
    await twin.put(twin.names.job("q", "a"), b"\x00\xff", {"Naq-Mine": 'a "b"'} | once("i1"))
    (message,) = await twin.streams.last(twin.names.jobs_stream, [twin.names.job("q", "a")])

    assert (message.subject, message.sequence, message.data) == (twin.names.job("q", "a"), 1, b"\x00\xff")
    assert (message.headers["Naq-Mine"], message.headers[MESSAGE_ID]) == ('a "b"', "i1")
    assert 0 <= nanoseconds_of(message.stored_at) - before_ns < 10 * SECOND_NS


async def test_messages_are_found_by_wildcards_once_each_and_by_sequence(twin: Twin) -> None:
    names = twin.names
    for subject in (names.later("q", "a"), names.job("r", "b"), names.job("q", "a"), names.needs("a", "x")):
        await twin.put(subject)

    assert await twin.under(names.anywhere("q", "a"), names.job("*", "*"), names.job("q", "a")) == [
        ("later.q.a", b""),
        ("jobs.r.b", b""),
        ("jobs.q.a", b""),
    ]
    assert [subject for subject, _ in await twin.under(f"{names.namespace}.>")] == [
        "later.q.a",
        "jobs.r.b",
        "jobs.q.a",
        "needs.a.x",
    ]
    assert await twin.under(names.job("*", "nobody")) == []
    assert await twin.under() == []


async def test_a_scan_goes_through_all_that_match_behind_a_sequence(twin: Twin) -> None:
    names = twin.names
    await twin.streams.publish([Outgoing(names.job("q", str(number)), b"") for number in range(1_500)])
    await twin.put(names.job("other", "x"))

    pages = await twin.pages(names.job("q", "*"))
    assert [message.sequence for page in pages for message in page] == list(range(1, 1_501))
    assert max(len(page) for page in pages) <= 1_000
    behind = await twin.pages(names.job("*", "*"), after=1_499)
    assert [[message.sequence for message in page] for page in behind] == [[1_500, 1_501]]
    assert await twin.pages(names.job("q", "*"), after=1_500) == []


async def test_deleting_says_which_were_there(twin: Twin) -> None:
    names = twin.names
    for job_id in ("a", "b", "a"):
        await twin.put(names.job("q", job_id))

    deleted = await twin.streams.delete(names.jobs_stream, [1, 2, 99])

    assert deleted == [False, True, False]  # the first was replaced by the third
    assert await twin.under(names.job("*", "*")) == [("jobs.q.a", b"")]
    assert await twin.streams.delete(names.jobs_stream, []) == []
    assert await twin.put(names.job("q", "c")) == 4


# Conditions


async def test_the_condition_on_its_own_subject(twin: Twin) -> None:
    subject = twin.names.job("q", "a")

    assert await twin.put(subject, b"1", if_last_is(0)) == 1
    assert code_of(await twin.put(subject, b"2", if_last_is(0))) == 10071
    assert await twin.put(subject, b"3", if_last_is(1)) == 2
    assert is_conflict(await twin.put(subject, b"4", if_last_is(1)))
    assert await twin.under(subject) == [("jobs.q.a", b"3")]


async def test_the_condition_on_another_subject_also_with_wildcards(twin: Twin) -> None:
    names = twin.names
    await twin.put(names.later("q", "a"))

    assert code_of(await twin.put(names.job("q", "a"), b"", if_last_is(0, names.anywhere("q", "a")))) == 10071
    assert await twin.put(names.job("q", "a"), b"", if_last_is(1, names.later("q", "a"))) == 2
    assert code_of(await twin.put(names.job("q", "b"), b"", if_last_is(1, names.anywhere("q", "a")))) == 10071
    assert await twin.put(names.job("q", "b"), b"", if_last_is(2, names.anywhere("q", "a"))) == 3
    assert await twin.put(names.job("q", "c"), b"", if_last_is(0, names.anywhere("q", "c"))) == 4


async def test_a_condition_holds_again_once_the_message_is_gone(twin: Twin) -> None:
    subject = twin.names.job("q", "a")
    await twin.put(subject)
    await twin.streams.delete(twin.names.jobs_stream, [1])

    assert await twin.put(subject, b"", if_last_is(0)) == 2


async def test_messages_sent_together_see_each_other(twin: Twin) -> None:
    subject = twin.names.job("q", "a")
    first, second, third = await twin.streams.publish(
        [
            Outgoing(subject, b"1", if_last_is(0)),
            Outgoing(subject, b"2", if_last_is(0)),
            Outgoing(twin.names.job("q", "b"), b"3"),
        ]
    )

    assert (first, code_of(second), third) == (1, 10071, 2)


async def test_a_subject_without_a_sequence_is_no_condition(twin: Twin) -> None:
    headers = {"Nats-Expected-Last-Subject-Sequence-Subject": twin.names.job("q", "a")}

    assert code_of(await twin.put(twin.names.job("q", "a"), b"", headers)) == 10193


# Ids


async def test_a_message_is_taken_once_under_its_id_wherever_it_goes(twin: Twin) -> None:
    names = twin.names

    assert await twin.put(names.job("q", "a"), b"1", once("i1")) == 1
    assert await twin.put(names.job("q", "a"), b"2", once("i1")) == 0
    assert await twin.put(names.job("q", "b"), b"3", once("i1")) == 0
    assert await twin.under(names.job("*", "*")) == [("jobs.q.a", b"1")]


async def test_an_id_is_remembered_although_its_message_is_gone(twin: Twin) -> None:
    await twin.put(twin.names.job("q", "a"), b"1", once("i1"))
    await twin.streams.delete(twin.names.jobs_stream, [1])

    assert await twin.put(twin.names.job("q", "a"), b"1", once("i1") | if_last_is(0)) == 0


async def test_a_broken_condition_is_said_before_a_known_id_and_leaves_no_id_behind(twin: Twin) -> None:
    subject = twin.names.job("q", "a")
    await twin.put(subject, b"1", once("i1"))

    assert code_of(await twin.put(subject, b"2", once("i1") | if_last_is(0))) == 10071
    assert code_of(await twin.put(subject, b"3", once("i2") | if_last_is(0))) == 10071
    assert await twin.put(subject, b"4", once("i2")) == 2


def test_an_id_is_forgotten_after_two_minutes() -> None:
    clock = ManualClock()
    streams = MemoryStreams(clock)
    streams.create("S", ["s.*"])
    known = Outgoing("s.a", b"", once("i1"))

    assert streams.put(known) == 1
    clock.advance(119)
    assert streams.put(known) == 0
    clock.advance(1)
    assert streams.put(known) == 2


# Time


async def test_a_message_leaves_when_its_time_to_live_is_over(twin: Twin) -> None:
    names = twin.names
    await twin.put(names.result("a"), b"", living_for(1))
    await twin.put(names.result("b"), b"")
    assert len(await twin.streams.last(names.results_stream, [names.results])) == 2

    twin.advance(1)

    async def left() -> bool:
        messages = await twin.streams.last(names.results_stream, [names.results])
        return [message.subject for message in messages] == [names.result("b")]

    assert await eventually(left)


async def test_a_message_that_is_stored_anew_lives_as_the_new_one_says(twin: Twin) -> None:
    names = twin.names
    await twin.put(names.result("a"), b"", living_for(1))
    await twin.put(names.result("marks-the-end"), b"", living_for(1))
    await twin.put(names.result("a"), b"", living_for(60))

    twin.advance(1)

    async def left() -> bool:
        messages = await twin.streams.last(names.results_stream, [names.results])
        return [message.subject for message in messages] == [names.result("a")]

    assert await eventually(left)


@pytest.mark.parametrize("ttl", ["0", "-1", "soon"])
async def test_a_time_to_live_that_is_none_is_refused(twin: Twin, ttl: str) -> None:
    assert code_of(await twin.put(twin.names.result("a"), b"", {"Nats-TTL": ttl})) == 10165


async def test_a_stream_that_knows_no_times_to_live_refuses_them(twin: Twin) -> None:
    assert code_of(await twin.put(twin.names.dead("q", "a"), b"", living_for(1))) == 10166


@BOTH
async def test_no_message_lives_longer_than_its_stream_lets_it(kind: str, make_config: MakeConfig) -> None:
    async with a_twin(kind, make_config, results__ttl=1.0) as twin:
        await twin.topology.results()
        await twin.put(twin.names.result("a"), b"", living_for(3_600))
        twin.advance(1)

        async def is_gone() -> bool:
            return not await twin.streams.last(twin.names.results_stream, [twin.names.results])

        assert await eventually(is_gone)


# Schedules


async def test_a_message_is_moved_when_its_time_has_come(twin: Twin) -> None:
    names = twin.names
    headers = {"Naq-Mine": "kept"} | once("i1") | if_last_is(0) | twin.later(0.5, "a")
    await twin.put(names.later("q", "a"), b"job", headers)
    assert await twin.under(names.anywhere("*", "a")) == [("later.q.a", b"job")]

    twin.advance(0.5)

    async def moved() -> bool:
        return await twin.under(names.anywhere("*", "a")) == [("jobs.q.a", b"job")]

    assert await eventually(moved)
    (message,) = await twin.streams.last(names.jobs_stream, [names.job("q", "a")])
    ours = {name: value for name, value in message.headers.items() if not name.startswith("Nats-")}
    assert ours == {"Naq-Mine": "kept"}
    assert MESSAGE_ID not in message.headers
    assert message.sequence == 2


async def test_a_message_that_is_moved_takes_the_place_of_what_is_there(twin: Twin) -> None:
    names = twin.names
    await twin.put(names.job("q", "a"), b"old")
    await twin.put(names.later("q", "a"), b"new", twin.later(0.5, "a"))

    twin.advance(0.5)

    async def moved() -> bool:
        return await twin.under(names.anywhere("*", "a")) == [("jobs.q.a", b"new")]

    assert await eventually(moved)


async def test_messages_are_moved_in_the_order_of_their_times(twin: Twin) -> None:
    names = twin.names
    for job_id, seconds in (("late", 0.9), ("soon", 0.3), ("past", -5.0)):
        await twin.put(names.later("q", job_id), b"", twin.later(seconds, job_id))

    twin.advance(0.9)

    async def moved() -> bool:
        order = [subject for subject, _ in await twin.under(names.job("q", "*"))]
        return order == ["jobs.q.past", "jobs.q.soon", "jobs.q.late"]

    assert await eventually(moved)


async def test_a_message_that_was_replaced_or_removed_is_not_moved(twin: Twin) -> None:
    names = twin.names
    await twin.put(names.later("q", "replaced"), b"", twin.later(0.3, "replaced"))
    await twin.put(names.later("q", "replaced"), b"stays")
    removed = await twin.put(names.later("q", "removed"), b"", twin.later(0.3, "removed"))
    assert isinstance(removed, int)
    await twin.streams.delete(names.jobs_stream, [removed])
    await twin.put(names.later("q", "moved"), b"", twin.later(0.6, "moved"))

    twin.advance(0.6)

    async def moved() -> bool:
        there = await twin.under(names.anywhere("*", "*"))
        return there == [("later.q.replaced", b"stays"), ("jobs.q.moved", b"")]

    assert await eventually(moved)


async def test_a_schedule_needs_a_stream_that_knows_them_a_target_in_it_and_a_time(twin: Twin) -> None:
    names, subject = twin.names, twin.names.later("q", "a")
    now_ns = twin.now_ns()

    assert code_of(await twin.put(names.result("a"), b"", at_time(now_ns, names.result("b")))) == 10188
    assert code_of(await twin.put(subject, b"", at_time(now_ns, names.result("a")))) == 10190
    assert code_of(await twin.put(subject, b"", at_time(now_ns, names.job("q", "*")))) == 10190
    assert code_of(await twin.put(subject, b"", at_time(now_ns, subject))) == 10190
    nonsense = {"Nats-Schedule": "@at noon", "Nats-Schedule-Target": names.job("q", "a")}
    assert code_of(await twin.put(subject, b"", nonsense)) == 10189


# Outcomes


async def test_outcomes_are_stored_in_order_each_in_place_of_the_one_before(twin: Twin) -> None:
    names = twin.names
    await twin.streams.store([Outgoing(names.result("a"), b"1"), Outgoing(names.result("b"), b"2", living_for(60))])
    await twin.streams.store([Outgoing(names.result("a"), b"3")])
    await twin.streams.store([])

    messages = await twin.streams.last(names.results_stream, [names.results])
    assert [(message.subject, message.data) for message in messages] == [
        (names.result("b"), b"2"),
        (names.result("a"), b"3"),
    ]


async def test_what_is_too_large_is_refused_alone_where_answers_are_given(twin: Twin) -> None:
    names, much = twin.names, b"x" * (twin.streams.largest + 1)
    large, small = await twin.streams.publish([Outgoing(names.job("q", "a"), much), Outgoing(names.job("q", "b"), b"")])

    assert isinstance(large, MessageTooLarge)
    assert small == 1
    with pytest.raises(MessageTooLarge):
        await twin.streams.store([Outgoing(names.result("a"), much)])


# Words


async def test_what_is_announced_is_heard_and_not_stored(twin: Twin) -> None:
    async with twin.streams.heard(twin.names.done("a")) as heard, twin.streams.heard(twin.names.done("b")) as other:
        await twin.streams.announce(twin.names.done("a"))

        async with asyncio.timeout(20):
            await heard.wait()
        assert not other.is_set()
    assert await twin.under(f"{twin.names.namespace}.>") == []


async def test_what_is_stored_is_heard_too_also_by_wildcards(twin: Twin) -> None:
    async with twin.streams.heard(twin.names.needs("*", "*")) as heard:
        await twin.put(twin.names.needs("a", "b"))

        async with asyncio.timeout(20):
            await heard.wait()


async def test_what_was_said_before_is_not_heard(twin: Twin) -> None:
    await twin.streams.announce(twin.names.done("a"))

    async with twin.streams.heard(twin.names.done("a")) as heard, twin.streams.heard(twin.names.done("b")) as later:
        await twin.streams.announce(twin.names.done("b"))
        async with asyncio.timeout(20):
            await later.wait()
        assert not heard.is_set()


# Streams that are not there


async def test_without_a_stream_nothing_is_taken_and_nothing_is_found(bare: Twin) -> None:
    names = bare.names

    assert isinstance(await bare.put(names.job("q", "a")), ServerUnreachable)
    assert await bare.under(names.job("*", "*")) == []
    with pytest.raises(StreamMissing):
        await bare.pages(names.job("*", "*"))
    with pytest.raises(JetStreamError, match="stream not found") as caught:
        await bare.streams.delete(names.jobs_stream, [1])
    assert caught.value.code == 10059


async def test_a_subject_that_no_stream_takes_is_refused(twin: Twin) -> None:
    assert isinstance(await twin.put("somewhere.else"), ServerUnreachable)
    with pytest.raises(ServerError):
        await twin.streams.store([Outgoing("somewhere.else", b"")])


async def test_both_clocks_agree(twin: Twin) -> None:
    assert abs(twin.streams.skew_ns) < SECOND_NS


# Several messages together


async def test_messages_that_are_published_together_are_all_stored(twin: Twin) -> None:
    schedule, job = twin.names.schedule("nightly"), twin.names.job("q", "nightly-1")
    first = await twin.put(schedule, b"due at 1")
    assert isinstance(first, int)

    stored = await twin.streams.publish_together(
        [Outgoing(schedule, b"due at 2", if_last_is(first)), Outgoing(job, b"job", if_last_is(0))]
    )

    assert stored == [first + 1, first + 2]
    assert await twin.under(schedule, job) == [("schedules.nightly", b"due at 2"), ("jobs.q.nightly-1", b"job")]


async def test_the_bounds_of_a_stream_say_where_it_ends_and_which_one_it_is(twin: Twin) -> None:
    stream = twin.names.jobs_stream
    jobs = [twin.names.job("q", name) for name in "abc"]
    sequences = [await twin.put(job) for job in jobs]
    await twin.streams.delete(stream, [one for one in sequences[:1] if isinstance(one, int)])

    bounds = await twin.streams.bounds(stream)

    assert [bounds.first, bounds.last] == sequences[1:]
    assert bounds.created
    assert await twin.streams.bounds(stream) == bounds
    assert await twin.streams.bounds("NONE") == (1, 0, "")


async def test_none_of_them_is_stored_when_one_condition_does_not_hold(twin: Twin) -> None:
    schedule, job = twin.names.schedule("nightly"), twin.names.job("q", "nightly-1")
    first = await twin.put(schedule, b"due at 1")
    assert isinstance(first, int)

    with pytest.raises(ServerError) as refused:
        await twin.streams.publish_together(
            [Outgoing(job, b"job", if_last_is(0)), Outgoing(schedule, b"due at 2", if_last_is(first + 7))]
        )

    assert is_conflict(refused.value)
    assert await twin.under(schedule, job) == [("schedules.nightly", b"due at 1")]


async def test_a_message_that_is_too_large_for_the_server_with_its_headers_is_stored_with_none_of_the_others(
    twin: Twin,
) -> None:
    schedule, job = twin.names.schedule("nightly"), twin.names.job("q", "nightly-1")
    for messages in (
        [Outgoing(schedule, b"x" * (twin.streams.largest - 5), if_last_is(0)), Outgoing(job, b"job", if_last_is(0))],
        [Outgoing(schedule, b"due at 2", if_last_is(0)), Outgoing(job, b"x" * twin.streams.largest, if_last_is(0))],
    ):
        with pytest.raises(ServerError) as refused:
            await twin.streams.publish_together(messages)

        assert is_too_large(refused.value)
    assert await twin.under(schedule, job) == []


# Reading from a time on


async def test_the_first_message_since_a_time_is_found_by_when_it_was_stored(twin: Twin) -> None:
    before = twin.now_ns()
    first = await twin.put(twin.names.job("q", "one"))
    twin.advance(1)
    (message,) = await twin.streams.last(twin.names.jobs_stream, [twin.names.job("q", "one")])
    second = await twin.put(twin.names.job("q", "two"))
    stored_ns = nanoseconds_of(message.stored_at)

    stream = twin.names.jobs_stream
    assert await twin.streams.since(stream, before - 10 * SECOND_NS) == first
    assert await twin.streams.since(stream, stored_ns) == first
    assert await twin.streams.since(stream, stored_ns + 1) == second
    assert await twin.streams.since(stream, twin.now_ns() + 3600 * SECOND_NS) == 0


async def test_a_stream_that_is_not_there_has_no_message_since_any_time(bare: Twin) -> None:
    with pytest.raises(StreamMissing):
        await bare.streams.since(bare.names.jobs_stream, 1)
