"""Answers that the server cuts: whatever is left over is asked for again."""

from __future__ import annotations

import pytest

from naq_runtime.nats.connection import Connection
from naq_runtime.nats.direct import last_by_subject, messages_from
from naq_runtime.nats.publish import Outgoing, open_writer
from naq_runtime.nats.tail import StreamTail
from tests.contract.conftest import MakeStream

COUNT = 30
SIZE = 900_000
"""Together they are more than is asked for in one answer."""


@pytest.fixture
async def large(connection: Connection, make_stream: MakeStream) -> str:
    """A stream of large messages, one a subject."""
    stream = await make_stream(max_msgs_per_subject=1)
    writer = await open_writer(connection, fast=True)
    for start in range(0, COUNT, 10):
        await writer.store([Outgoing(f"{stream}.{n}", b"x" * SIZE) for n in range(start, start + 10)])
    await writer.close()
    return stream


async def test_all_messages_from_a_sequence_on_are_read(connection: Connection, large: str) -> None:
    found = [message.sequence async for page in messages_from(connection, large, 1) for message in page]

    assert found == list(range(1, COUNT + 1))


async def test_the_last_of_every_subject_is_found(connection: Connection, large: str) -> None:
    found = await last_by_subject(connection, large, [f"{large}.*"])

    assert [message.sequence for message in found] == list(range(1, COUNT + 1))


@pytest.mark.parametrize("whole", [True, False])
async def test_a_tail_catches_up_with_all(connection: Connection, large: str, whole: bool) -> None:
    tail = StreamTail(connection, large, f"{large}.*", "nowhere.>", whole=whole)
    await tail.start(after=0)
    seen, missed = 0, 0
    while seen + missed < COUNT:
        batch = await tail.next_batch()
        seen, missed = seen + len(batch.messages), missed + batch.missed
    await tail.stop()

    assert (seen, missed) == (COUNT, 0)
