"""Reading many stored messages by one request."""

from __future__ import annotations

import asyncio

import pytest

from naq_runtime.errors import StreamMissing
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.direct import last_by_subject, messages_from, page_from, stream_bounds
from naq_runtime.nats.publish import AckedPublish, Outgoing
from tests.contract.conftest import MakeStream


async def fill(connection: Connection, *subjects: str) -> None:
    """Store a message of each subject; the n-th says n."""
    publisher = AckedPublish(connection)
    await publisher.open()
    await publisher.store([Outgoing(subject, str(place).encode()) for place, subject in enumerate(subjects, 1)])
    await publisher.close()


async def sequences(connection: Connection, stream: str, first: int, **which: object) -> list[list[int]]:
    """The sequences of what is read, page by page."""
    pages = messages_from(connection, stream, first, **which)  # type: ignore[arg-type]  # until and subject
    return [[message.sequence for message in page] async for page in pages]


class TestLastBySubject:
    async def test_the_last_message_of_each_subject_is_read_by_sequence(
        self, connection: Connection, make_stream: MakeStream
    ) -> None:
        stream = await make_stream()
        await fill(connection, *(f"{stream}.{name}" for name in "abcab"))

        found = await last_by_subject(connection, stream, [f"{stream}.>"])

        assert [(message.subject[-1], message.sequence, message.data) for message in found] == [
            ("c", 3, b"3"),
            ("a", 4, b"4"),
            ("b", 5, b"5"),
        ]

    async def test_more_subjects_than_one_request_takes_may_be_asked_for(
        self, connection: Connection, make_stream: MakeStream
    ) -> None:
        stream = await make_stream()
        subjects = [f"{stream}.{number}" for number in range(2_500)]
        await fill(connection, *subjects)

        found = await last_by_subject(connection, stream, subjects[::-1])

        assert [message.subject for message in found] == subjects, "by sequence, however they were asked for"

    async def test_subjects_without_a_message_are_left_out(
        self, connection: Connection, make_stream: MakeStream
    ) -> None:
        stream = await make_stream()
        assert await last_by_subject(connection, stream, [f"{stream}.none"]) == []
        assert await last_by_subject(connection, stream, []) == []

    async def test_a_pattern_of_more_subjects_than_one_answer_holds_may_be_asked_for(
        self, connection: Connection, make_stream: MakeStream
    ) -> None:
        stream = await make_stream(max_msgs_per_subject=1)
        subjects = [f"{stream}.{number}" for number in range(2_500)]
        await fill(connection, *subjects)

        found = await last_by_subject(connection, stream, [f"{stream}.>"])

        assert [message.subject for message in found] == subjects

    async def test_a_stream_that_is_not_there_has_none(self, patient: Connection) -> None:
        assert await asyncio.wait_for(last_by_subject(patient, "NONE", ["a"]), 30) == []

    async def test_a_read_that_is_cancelled_is_cancelled_at_whatever_moment(
        self, connection: Connection, make_stream: MakeStream
    ) -> None:
        stream = await make_stream()
        await fill(connection, f"{stream}.a", f"{stream}.b")
        cut_short = 0
        for turns in [*range(120)] * 5:
            reading = asyncio.create_task(last_by_subject(connection, stream, [f"{stream}.>"]))
            for _ in range(turns):
                await asyncio.sleep(0)
            if not reading.cancel():
                continue  # it was over before
            await asyncio.wait({reading})
            assert reading.cancelled(), f"after {turns} turns of the loop it went on as if nothing had been said"
            cut_short += 1
        assert cut_short > 20


class TestPages:
    async def test_everything_from_a_sequence_on_comes_in_pages_in_order(
        self, connection: Connection, make_stream: MakeStream
    ) -> None:
        stream = await make_stream()
        await fill(connection, *[f"{stream}.a"] * 2_300)

        pages = await sequences(connection, stream, 3)

        assert [number for page in pages for number in page] == list(range(3, 2_301))
        assert len(pages) == 3

    @pytest.mark.parametrize(("first", "until"), [(1, 1), (1, 5), (4, 9), (8, 99), (0, 3)])
    async def test_nothing_behind_the_end_asked_for_comes(
        self, connection: Connection, make_stream: MakeStream, first: int, until: int
    ) -> None:
        stream = await make_stream()
        await fill(connection, *[f"{stream}.a"] * 10)

        pages = await sequences(connection, stream, first, until=until)

        assert [number for page in pages for number in page] == list(range(max(1, first), min(10, until) + 1))

    async def test_an_end_before_the_beginning_is_nothing(
        self, connection: Connection, make_stream: MakeStream
    ) -> None:
        stream = await make_stream()
        await fill(connection, *[f"{stream}.a"] * 3)
        assert await sequences(connection, stream, 3, until=2) == []

    async def test_only_the_subject_asked_for_comes(self, connection: Connection, make_stream: MakeStream) -> None:
        stream = await make_stream()
        await fill(connection, *(f"{stream}.{name}" for name in "abbaba"))
        assert await sequences(connection, stream, 2, subject=f"{stream}.a") == [[4, 6]]

    async def test_messages_that_were_removed_are_passed_over(
        self, connection: Connection, make_stream: MakeStream
    ) -> None:
        stream = await make_stream()
        await fill(connection, *[f"{stream}.a"] * 5)
        for sequence in (1, 3):
            await connection.api(f"STREAM.MSG.DELETE.{stream}", {"seq": sequence})
        assert await sequences(connection, stream, 1, until=4) == [[2, 4]]

    async def test_an_empty_stream_has_no_pages(self, connection: Connection, make_stream: MakeStream) -> None:
        stream = await make_stream()
        assert await sequences(connection, stream, 1) == []

    async def test_a_stream_that_is_not_there_is_an_error_at_once(self, patient: Connection) -> None:
        with pytest.raises(StreamMissing, match="stream NONE does not exist"):
            await asyncio.wait_for(page_from(patient, "NONE", 1, 10), 30)

    @pytest.mark.parametrize(("size", "pending"), [(1, 9), (4, 6), (10, 0), (50, 0)])
    async def test_a_page_says_how_many_are_behind_it(
        self, connection: Connection, make_stream: MakeStream, size: int, pending: int
    ) -> None:
        stream = await make_stream()
        await fill(connection, *[f"{stream}.a"] * 10)

        page = await page_from(connection, stream, 1, size)

        assert len(page.messages) == min(10, size)
        assert page.pending == pending


class TestBounds:
    async def test_the_bounds_are_the_first_and_the_last_sequence(
        self, connection: Connection, make_stream: MakeStream
    ) -> None:
        stream = await make_stream()
        await fill(connection, *[f"{stream}.a"] * 5)
        await connection.api(f"STREAM.PURGE.{stream}", {"seq": 3})
        assert (await stream_bounds(connection, stream))[:2] == (3, 5)

    async def test_a_stream_that_is_not_there_ends_before_it_begins(self, connection: Connection) -> None:
        assert (await stream_bounds(connection, "NONE"))[:2] == (1, 0)
