"""Storing chunks of messages: what both writers promise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from naq_runtime.config import NAQConfig
from naq_runtime.errors import JetStreamError, ServerError, ServerUnreachable
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.direct import messages_from
from naq_runtime.nats.publish import AckedPublish, FastIngest, Outgoing, StreamWriter, is_full, open_writer
from tests.contract.conftest import MakeStream


@pytest.fixture(params=[True, False], ids=["fast ingest", "acked publish"])
async def writer(request: pytest.FixtureRequest, connection: Connection) -> AsyncIterator[StreamWriter]:
    """Each of the two ways to store."""
    opened = await open_writer(connection, fast=request.param)
    yield opened
    await opened.close()


@pytest.fixture(params=[True, False], ids=["fast ingest", "acked publish"])
async def patient_writer(request: pytest.FixtureRequest, patient: Connection) -> AsyncIterator[StreamWriter]:
    """The same, waiting for an answer for longer than a test may last."""
    opened = await open_writer(patient, fast=request.param)
    yield opened
    await opened.close()


def a_chunk(stream: str, size: int, *, prefix: str = "m", payload: bytes = b"") -> list[Outgoing]:
    """So many messages, each with a subject of its own."""
    return [Outgoing(f"{stream}.{prefix}.{place}", payload or str(place).encode()) for place in range(size)]


async def stored_in(connection: Connection, stream: str) -> list[tuple[str, bytes]]:
    """Subject and payload of everything in the stream, in order."""
    return [(message.subject, message.data) async for page in messages_from(connection, stream, 1) for message in page]


class TestStoring:
    @pytest.mark.parametrize("size", [1, 2, 3, 499, 500, 501, 1000])
    async def test_a_chunk_is_stored_whole_and_in_order(
        self, writer: StreamWriter, connection: Connection, make_stream: MakeStream, size: int
    ) -> None:
        stream = await make_stream()
        chunk = a_chunk(stream, size)

        await writer.store(chunk)

        assert await stored_in(connection, stream) == [(message.subject, message.payload) for message in chunk]

    async def test_an_empty_chunk_stores_nothing(
        self, writer: StreamWriter, connection: Connection, make_stream: MakeStream
    ) -> None:
        stream = await make_stream()
        await writer.store([])
        assert await stored_in(connection, stream) == []

    async def test_everything_is_there_when_store_returns(
        self, writer: StreamWriter, connection: Connection, make_stream: MakeStream
    ) -> None:
        stream = await make_stream()
        for number in range(20):
            await writer.store(a_chunk(stream, 7, prefix=str(number)))
            state = (await connection.api(f"STREAM.INFO.{stream}"))["state"]
            assert state["messages"] == 7 * (number + 1)

    async def test_chunks_one_after_the_other_are_stored_in_order(
        self, writer: StreamWriter, connection: Connection, make_stream: MakeStream
    ) -> None:
        stream = await make_stream()
        chunks = [a_chunk(stream, 50, prefix=str(number)) for number in range(5)]

        for chunk in chunks:
            await writer.store(chunk)

        expected = [message.subject for chunk in chunks for message in chunk]
        assert [subject for subject, _ in await stored_in(connection, stream)] == expected

    async def test_chunks_at_the_same_time_are_stored_each_whole_and_in_its_order(
        self, writer: StreamWriter, connection: Connection, make_stream: MakeStream
    ) -> None:
        stream = await make_stream()

        await asyncio.gather(*(writer.store(a_chunk(stream, 100, prefix=str(number))) for number in range(10)))

        subjects = [subject for subject, _ in await stored_in(connection, stream)]
        assert len(subjects) == 1_000
        for number in range(10):
            own = [subject for subject in subjects if subject.split(".")[1] == str(number)]
            assert own == [message.subject for message in a_chunk(stream, 100, prefix=str(number))]

    @pytest.mark.parametrize("fast", [True, False])
    async def test_many_writers_of_several_processes_store_into_one_stream(
        self, connection: Connection, config: NAQConfig, make_stream: MakeStream, fast: bool
    ) -> None:
        stream = await make_stream()
        async with await Connection.open(config.nats, name="another process") as other:
            writers = [await open_writer(each, fast=fast) for each in (connection, other) * 4]
            for number in range(3):
                await asyncio.gather(
                    *(
                        writer.store(a_chunk(stream, 100, prefix=f"{place}-{number}"))
                        for place, writer in enumerate(writers)
                    )
                )
            for writer in writers:
                await writer.close()

        subjects = [subject for subject, _ in await stored_in(connection, stream)]
        assert len(subjects) == len(set(subjects)) == 8 * 3 * 100

    async def test_chunks_to_different_streams_at_the_same_time_do_not_mix(
        self, writer: StreamWriter, connection: Connection, make_stream: MakeStream
    ) -> None:
        streams = [await make_stream() for _ in range(3)]

        await asyncio.gather(*(writer.store(a_chunk(stream, 100)) for stream in streams))

        for stream in streams:
            assert len(await stored_in(connection, stream)) == 100

    async def test_headers_and_empty_payloads_are_stored(
        self, writer: StreamWriter, connection: Connection, make_stream: MakeStream
    ) -> None:
        stream = await make_stream()

        await writer.store([Outgoing(f"{stream}.a", b"", {"Colour": "red"}), Outgoing(f"{stream}.b", b"")])

        answer = await connection.request(f"$JS.API.DIRECT.GET.{stream}", b'{"seq":1}')
        assert answer.headers is not None
        assert answer.headers["Colour"] == "red"
        assert await stored_in(connection, stream) == [(f"{stream}.a", b""), (f"{stream}.b", b"")]


class TestRefusals:
    @pytest.mark.parametrize("size", [1, 3, 600])
    async def test_subjects_that_no_stream_takes_are_an_error(
        self, patient_writer: StreamWriter, make_stream: MakeStream, size: int
    ) -> None:
        stream = await make_stream()

        with pytest.raises(ServerUnreachable, match="no stream takes"):
            await asyncio.wait_for(patient_writer.store(a_chunk(f"not-{stream}", size)), 30)

    @pytest.mark.parametrize("place", [0, 1, 2])
    async def test_one_subject_that_no_stream_takes_spoils_the_chunk(
        self, writer: StreamWriter, make_stream: MakeStream, place: int
    ) -> None:
        chunk = a_chunk(await make_stream(), 3)
        chunk[place] = Outgoing("nowhere.at.all", b"")

        with pytest.raises(ServerError):
            await writer.store(chunk)

    async def test_a_taken_subject_is_an_error_that_can_be_told(
        self, writer: StreamWriter, connection: Connection, make_stream: MakeStream
    ) -> None:
        stream = await make_stream(discard="new", discard_new_per_subject=True, max_msgs_per_subject=1)
        await writer.store(a_chunk(stream, 3))

        with pytest.raises(JetStreamError, match="per subject"):
            await writer.store(a_chunk(stream, 5))

        assert (await stored_in(connection, stream))[:3] == [
            (message.subject, message.payload) for message in a_chunk(stream, 3)
        ]

    @pytest.mark.parametrize("limit", [{"max_bytes": 2_000}, {"max_msgs": 5}], ids=lambda limit: next(iter(limit)))
    async def test_a_full_stream_is_an_error_that_can_be_told(
        self, writer: StreamWriter, connection: Connection, make_stream: MakeStream, limit: dict[str, int]
    ) -> None:
        stream = await make_stream(discard="new", **limit)
        chunk = a_chunk(stream, 50, payload=b"x" * 100)

        with pytest.raises(JetStreamError) as refusal:
            await writer.store(chunk)

        assert is_full(refusal.value)
        stored = [subject for subject, _ in await stored_in(connection, stream)]
        assert stored == [message.subject for message in chunk[: len(stored)]], "what is stored is its beginning"
        assert len(stored) < 50

    @pytest.mark.parametrize("place", [0, 1, 2])
    async def test_a_payload_above_the_limit_of_the_server_is_an_error_of_the_server(
        self, writer: StreamWriter, connection: Connection, make_stream: MakeStream, place: int
    ) -> None:
        stream = await make_stream()
        chunk = a_chunk(stream, 3)
        chunk[place] = Outgoing(f"{stream}.large", b"x" * (connection.max_payload + 1))

        with pytest.raises(ServerError, match="larger than the server accepts"):
            await writer.store(chunk)

    async def test_a_connection_that_is_closed_is_an_error_at_once(
        self, patient_writer: StreamWriter, patient: Connection, make_stream: MakeStream
    ) -> None:
        stream = await make_stream()
        await patient.close()
        with pytest.raises(ServerUnreachable):
            await asyncio.wait_for(patient_writer.store(a_chunk(stream, 3)), 30)

    async def test_after_any_error_the_writer_goes_on(
        self, writer: StreamWriter, connection: Connection, make_stream: MakeStream
    ) -> None:
        stream = await make_stream()
        with pytest.raises(ServerError):
            await writer.store(a_chunk(f"not-{stream}", 3))

        await writer.store(a_chunk(stream, 3))

        assert len(await stored_in(connection, stream)) == 3

    async def test_an_error_of_one_chunk_leaves_those_at_the_same_time_alone(
        self, writer: StreamWriter, connection: Connection, make_stream: MakeStream
    ) -> None:
        good, full = await make_stream(), await make_stream(discard="new", max_msgs=5)

        outcomes = await asyncio.gather(
            writer.store(a_chunk(good, 200)), writer.store(a_chunk(full, 200)), return_exceptions=True
        )

        assert outcomes[0] is None
        assert isinstance(outcomes[1], JetStreamError)
        assert len(await stored_in(connection, good)) == 200

    async def test_after_a_cancelled_store_the_writer_goes_on(
        self, writer: StreamWriter, connection: Connection, make_stream: MakeStream
    ) -> None:
        stream = await make_stream()
        storing = asyncio.create_task(writer.store(a_chunk(stream, 1_000, prefix="cancelled")))
        await asyncio.sleep(0)
        storing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await storing

        await writer.store(a_chunk(stream, 10))

        subjects = [subject for subject, _ in await stored_in(connection, stream)]
        assert subjects[-10:] == [message.subject for message in a_chunk(stream, 10)]


class TestLifetime:
    async def test_closing_twice_is_closing_once(self, writer: StreamWriter) -> None:
        await writer.close()
        await writer.close()

    @pytest.mark.parametrize("kind", [FastIngest, AckedPublish])
    async def test_opening_twice_is_opening_once(
        self, kind: type[FastIngest | AckedPublish], connection: Connection, make_stream: MakeStream
    ) -> None:
        stream, writer = await make_stream(), kind(connection)
        await writer.open()
        prefix = writer.prefix
        await writer.open()

        assert writer.prefix == prefix
        await writer.store(a_chunk(stream, 2))
        await writer.close()


class TestTogether:
    async def test_what_is_stored_of_a_chunk_that_broke_is_its_beginning(
        self, connection: Connection, make_stream: MakeStream
    ) -> None:
        stream, writer = await make_stream(), FastIngest(connection)
        await writer.open()
        chunk = a_chunk(stream, 40)
        chunk[20] = Outgoing("nowhere.at.all", b"")

        with pytest.raises(ServerError):
            await writer.store(chunk)
        await writer.store([Outgoing(f"{stream}.after", b"")])
        await writer.close()

        *stored, after = [subject for subject, _ in await stored_in(connection, stream)]
        assert stored == [message.subject for message in chunk[:20]]
        assert after == f"{stream}.after"


class TestOneByOne:
    async def test_each_message_has_an_answer_of_its_own(self, connection: Connection, make_stream: MakeStream) -> None:
        stream = await make_stream(discard="new", discard_new_per_subject=True, max_msgs_per_subject=1)
        publisher = AckedPublish(connection)
        await publisher.open()
        await publisher.store([Outgoing(f"{stream}.taken", b"")])
        large = Outgoing(f"{stream}.large", b"x" * (connection.max_payload + 1))

        answers = await publisher.publish_all(
            [
                Outgoing(f"{stream}.free", b""),
                Outgoing(f"{stream}.taken", b""),
                Outgoing("nowhere.at.all", b""),
                large,
                Outgoing(f"{stream}.free2", b""),
            ]
        )
        await publisher.close()

        assert isinstance(answers[0], int)
        assert "per subject" in str(answers[1])
        assert isinstance(answers[2], ServerUnreachable)
        assert "larger than the server accepts" in str(answers[3])
        assert isinstance(answers[4], int)

    async def test_more_messages_than_may_be_under_way_are_answered_each(
        self, connection: Connection, make_stream: MakeStream
    ) -> None:
        stream, publisher = await make_stream(), AckedPublish(connection)
        await publisher.open()
        answers = await publisher.publish_all(a_chunk(stream, 2_345))
        assert answers == list(range(1, 2_346))
        await publisher.close()
