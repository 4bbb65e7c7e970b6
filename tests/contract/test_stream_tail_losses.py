"""Following a stream of which something was removed, that was made anew, or that nobody waits for any more."""

from __future__ import annotations

import asyncio

from tests.contract.streamlog import Follow, Log, Seen, all_until, has_nothing, messages, next_of, seen_in


class TestMissed:
    async def test_messages_that_were_purged_before_they_were_read_are_counted(self, log: Log, follow: Follow) -> None:
        await log.store(6)
        tail = await follow(after=2)

        await log.purge(before=5)
        batch = await next_of(tail)

        assert (seen_in(batch), batch.missed) == (messages(5, 6), 2)

    async def test_messages_that_were_taken_out_of_the_middle_are_counted(self, log: Log, follow: Follow) -> None:
        await log.store(6)
        await log.delete(2)
        await log.delete(4)

        batch = await next_of(await follow(after=0))

        assert (seen_in(batch), batch.missed) == (messages(1, 3, 5, 6), 2)

    async def test_messages_that_were_removed_within_a_gap_are_counted(self, log: Log, follow: Follow) -> None:
        tail = await follow()
        await log.store(5)
        await log.delete(3)

        await log.repeat(1, 5)

        assert await all_until(tail, 5) == (messages(1, 2, 4, 5), 1)

    async def test_when_everything_was_purged_everything_is_counted(self, log: Log, follow: Follow) -> None:
        await log.store(6)
        tail = await follow(after=1)

        await log.purge(before=7)
        batch = await next_of(tail)

        assert (seen_in(batch), batch.missed) == ([], 5)

    async def test_what_is_missed_is_counted_once(self, log: Log, follow: Follow) -> None:
        await log.store(6)
        tail = await follow(after=0)
        await log.purge(before=4)
        assert (await next_of(tail)).missed == 3

        await log.store(1)
        await log.reconnect()

        batch = await next_of(tail)
        assert (seen_in(batch), batch.missed) == (messages(7), 0)


class TestRetired:
    async def test_what_was_removed_on_purpose_from_among_old_messages_is_not_missed(
        self, log: Log, follow: Follow
    ) -> None:
        await log.store(2)
        await log.store(3, topic="beat")
        await log.store(2)
        await log.retire("beat", before=7)

        batch = await next_of(await follow(after=0, retired_after_s=0.0))

        assert (seen_in(batch), batch.missed, batch.retired) == (messages(1, 2, 6, 7), 0, 3)

    async def test_neither_is_what_was_removed_between_an_old_message_and_a_young_one(
        self, log: Log, follow: Follow
    ) -> None:
        await log.store(1)
        await log.store(3, topic="beat")
        await asyncio.sleep(0.3)  # those grow old
        await log.store(1)
        await log.retire("beat", before=5)

        batch = await next_of(await follow(after=0, retired_after_s=0.25))

        assert (seen_in(batch), batch.missed, batch.retired) == (messages(1, 5), 0, 3)

    async def test_nor_what_was_removed_from_the_end(self, log: Log, follow: Follow) -> None:
        await log.store(2)
        await log.store(3, topic="beat")
        await log.retire("beat", before=6)

        batch = await next_of(await follow(after=0, retired_after_s=0.0))

        assert (seen_in(batch), batch.missed, batch.retired) == (messages(1, 2), 0, 3)

    async def test_what_was_removed_behind_what_came_live_is_not_missed(self, log: Log, follow: Follow) -> None:
        tail = await follow(retired_after_s=0.0)
        await log.store(1)
        await log.repeat(1)
        assert seen_in(await next_of(tail)) == messages(1)
        await log.store(2, topic="beat")
        await log.store(1)
        await log.retire("beat", before=4)

        await log.repeat(4)

        assert await all_until(tail, 4) == (messages(4), 0)

    async def test_what_is_gone_from_among_young_ones_is_missed(self, log: Log, follow: Follow) -> None:
        await log.store(2)
        await log.store(3, topic="beat")
        await log.store(2)
        await log.retire("beat", before=7)

        batch = await next_of(await follow(after=0, retired_after_s=60.0))

        assert (batch.missed, batch.retired) == (3, 0)

    async def test_what_had_to_go_from_the_beginning_of_the_stream_is_missed_however_old_the_rest_is(
        self, log: Log, follow: Follow
    ) -> None:
        await log.store(4)
        await log.store(2, topic="beat")
        await log.store(1)
        await log.purge(before=4)
        await log.retire("beat", before=7)

        batch = await next_of(await follow(after=0, retired_after_s=0.0))

        assert (seen_in(batch), batch.missed, batch.retired) == (messages(4, 7), 3, 2)


class TestTrouble:
    async def test_a_stream_that_was_made_anew_is_followed_from_its_beginning(self, log: Log, follow: Follow) -> None:
        await log.store(5)
        tail = await follow(after=0)
        await next_of(tail)

        await log.make_anew()
        await log.store(2)
        await log.reconnect()
        batch = await next_of(tail)

        assert batch.restarted
        assert seen_in(batch) == [(1, b"6"), (2, b"7")]

    async def test_that_a_stream_was_made_anew_is_told_even_when_reading_it_was_cancelled(
        self, log: Log, follow: Follow
    ) -> None:
        await log.store(5)
        tail = await follow(after=0)
        await next_of(tail)
        await log.make_anew()
        await log.store(2)
        await log.reconnect()

        batches = []
        for turns in range(40):
            reading = asyncio.create_task(tail.next_batch())
            for _ in range(turns):
                await asyncio.sleep(0)
            reading.cancel()
            await asyncio.wait({reading})
            if not reading.cancelled():
                batches.append(reading.result())
        if not batches:
            batches.append(await next_of(tail))

        assert [message for batch in batches for message in seen_in(batch)] == [(1, b"6"), (2, b"7")]
        assert [batch.restarted for batch in batches if batch.messages or batch.restarted] == [True]

    async def test_nothing_is_lost_when_waiting_for_a_batch_is_cancelled(self, log: Log, follow: Follow) -> None:
        tail = await follow()
        assert await has_nothing(log, tail)  # that cancelled one
        await log.store(3)
        await log.repeat(1, 2, 3)
        assert await all_until(tail, 3) == (messages(1, 2, 3), 0)

    async def test_nothing_is_lost_when_reading_a_batch_is_cancelled(self, log: Log, follow: Follow) -> None:
        await log.store(6_000)
        tail = await follow(after=0)
        seen: Seen = []
        for _ in range(3):
            reading, before = asyncio.create_task(tail.next_batch()), tail.last
            async with asyncio.timeout(20):
                while tail.last == before and not reading.done():  # noqa: ASYNC110  # the turn is what matters
                    await asyncio.sleep(0)
            reading.cancel()  # in the midst of several pages
            await asyncio.wait({reading})
            if not reading.cancelled():
                seen += seen_in(reading.result())
        await log.store(1)
        await log.repeat(6_001)

        more, missed = await all_until(tail, 6_001)

        assert (len(seen + more), missed) == (6_001, 0)
        assert seen + more == messages(*range(1, 6_002))

    async def test_a_stopped_tail_hears_nothing_more(self, log: Log, follow: Follow) -> None:
        tail = await follow()
        listeners = len(log.connection.on_restored)

        await tail.stop()
        await tail.stop()
        await log.store(1)
        await log.repeat(1)

        assert tail.pending == 0
        assert len(log.connection.on_restored) == listeners - 1
