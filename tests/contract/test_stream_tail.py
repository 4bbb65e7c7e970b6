"""Following a stream: no gap, no repeat, whatever the live repetition leaves out."""

from __future__ import annotations

import asyncio

from naq_runtime.nats.connection import Connection
from naq_runtime.nats.tail import StreamTail, TailBatch
from tests.contract.conftest import MakeStream
from tests.contract.streamlog import Follow, Log, all_until, has_nothing, messages, next_of, seen_in


class TestStart:
    async def test_without_a_sequence_only_what_comes_is_seen(self, log: Log, follow: Follow) -> None:
        await log.store(5)
        tail = await follow()
        assert await has_nothing(log, tail)

        await log.store(2)
        await log.repeat(6, 7)

        assert await all_until(tail, 7) == (messages(6, 7), 0)

    async def test_after_a_sequence_everything_behind_it_is_seen(self, log: Log, follow: Follow) -> None:
        await log.store(5)
        batch = await next_of(await follow(after=2))
        assert (seen_in(batch), batch.missed, batch.restarted) == (messages(3, 4, 5), 0, False)

    async def test_after_zero_the_whole_stream_is_seen(self, log: Log, follow: Follow) -> None:
        await log.store(3)
        assert seen_in(await next_of(await follow(after=0))) == messages(1, 2, 3)

    async def test_after_the_last_sequence_only_what_comes_is_seen(self, log: Log, follow: Follow) -> None:
        await log.store(3)
        tail = await follow(after=3)
        assert await has_nothing(log, tail)

        await log.store(1)
        await log.repeat(4)
        assert seen_in(await next_of(tail)) == messages(4)

    async def test_a_sequence_beyond_the_end_is_the_end(self, log: Log, follow: Follow) -> None:
        await log.store(3)
        tail = await follow(after=99)

        await log.store(1)
        await log.repeat(4)

        assert seen_in(await next_of(tail)) == messages(4)

    async def test_an_empty_stream_is_waited_for(self, log: Log, follow: Follow) -> None:
        tail = await follow(after=0)
        await log.store(1)
        await log.repeat(1)
        assert seen_in(await next_of(tail)) == messages(1)


class TestGaps:
    async def test_what_the_repetition_left_out_is_read_from_the_stream(self, log: Log, follow: Follow) -> None:
        tail = await follow()
        await log.store(7)

        await log.repeat(1, 4, 7)

        assert await all_until(tail, 7) == (messages(*range(1, 8)), 0)

    async def test_what_is_repeated_twice_is_seen_once(self, log: Log, follow: Follow) -> None:
        tail = await follow()
        await log.store(4)

        await log.repeat(1, 1, 2, 1, 3, 2, 4, 4)

        assert await all_until(tail, 4) == (messages(1, 2, 3, 4), 0)

    async def test_what_was_seen_by_catching_up_is_not_seen_again_by_repetition(self, log: Log, follow: Follow) -> None:
        await log.store(4)
        tail = await follow(after=0)
        await log.repeat(3, 4)
        assert await all_until(tail, 4) == (messages(1, 2, 3, 4), 0)

        await log.repeat(1, 2, 3, 4)
        assert await has_nothing(log, tail)

    async def test_after_a_reconnect_everything_that_was_not_repeated_is_read(self, log: Log, follow: Follow) -> None:
        tail = await follow()
        await log.store(3)
        await log.repeat(1)
        assert seen_in(await next_of(tail)) == messages(1)

        await log.reconnect()

        assert seen_in(await next_of(tail)) == messages(2, 3)

    async def test_a_reconnect_without_anything_new_brings_nothing(self, log: Log, follow: Follow) -> None:
        await log.store(3)
        tail = await follow(after=0)
        await next_of(tail)

        await log.reconnect()

        assert await has_nothing(log, tail)

    async def test_a_message_that_is_no_repetition_is_passed_over(self, log: Log, follow: Follow) -> None:
        tail = await follow()
        await log.connection.publish(f"{log.live}.a", b"hello")
        await log.connection.publish(f"{log.live}.a", b"hello", headers={"Colour": "red"})
        assert await has_nothing(log, tail)

    async def test_many_messages_are_caught_up_with_while_more_are_stored(self, log: Log, follow: Follow) -> None:
        await log.store(4_500)
        tail = await follow(after=0)
        storing = asyncio.create_task(log.store(1_000))
        seen, missed = await all_until(tail, 4_500)
        await storing
        await log.reconnect()

        more, missed_later = await all_until(tail, 5_500)

        assert seen + more == messages(*range(1, 5_501))
        assert missed + missed_later == 0

    async def test_a_reader_that_gives_up_while_it_catches_up_misses_nothing(self, log: Log, follow: Follow) -> None:
        await log.store(3_500)
        tail = await follow(after=0)
        seen = seen_in(await next_of(tail))
        for _ in range(20):
            reading = asyncio.ensure_future(tail.next_batch())
            await asyncio.sleep(0)
            if not reading.done():
                reading.cancel()
            for batch in await asyncio.gather(reading, return_exceptions=True):
                seen += seen_in(batch) if isinstance(batch, TailBatch) else []

        if len(seen) < 3_500:
            seen += (await all_until(tail, 3_500))[0]

        assert seen == messages(*range(1, 3_501))


class TestPart:
    async def test_only_the_subject_asked_for_is_read(self, log: Log, follow: Follow) -> None:
        await log.store(2, topic="a")
        await log.store(2, topic="b")
        await log.store(1, topic="a")

        batch = await next_of(await follow(after=0, topic="a"))

        assert (seen_in(batch), batch.missed) == (messages(1, 2, 5), 0)

    async def test_sequences_of_other_subjects_are_no_gap(self, log: Log, follow: Follow) -> None:
        tail = await follow(topic="a")
        for topic in "abba":
            await log.store(1, topic=topic)

        await log.repeat(1, topic="a")
        await log.repeat(2, 3, topic="b")
        await log.repeat(4, topic="a")

        assert await all_until(tail, 4) == (messages(1, 4), 0)

    async def test_after_a_reconnect_what_was_not_repeated_of_the_subject_is_read(
        self, log: Log, follow: Follow
    ) -> None:
        tail = await follow(topic="a")
        for topic in "abab":
            await log.store(1, topic=topic)

        await log.reconnect()

        assert seen_in(await next_of(tail)) == messages(1, 3)


class TestServer:
    async def test_what_the_server_repeats_is_seen_in_order_while_several_write(
        self, connection: Connection, make_stream: MakeStream
    ) -> None:
        prefix = f"live-{id(connection)}"
        stream = await make_stream(republish={"src": ">", "dest": f"{prefix}.>"})
        tail = StreamTail(connection, stream, f"{stream}.>", f"{prefix}.>", whole=True)
        await tail.start()
        logs = [Log(connection, stream) for _ in range(4)]

        await asyncio.gather(*(log.store(500, topic=str(place)) for place, log in enumerate(logs)))
        seen, missed = await all_until(tail, 2_000)

        assert [sequence for sequence, _ in seen] == list(range(1, 2_001))
        assert missed == 0
        await tail.stop()
        await asyncio.gather(*(log.close() for log in logs))
