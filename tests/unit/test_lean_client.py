"""Messages that are taken off the wire, among others that go the client's way, in whatever pieces they come."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.aio.subscription import Subscription

from naq_runtime.nats.lean import LeanClient

TAKEN, OTHER = 1, 2


@dataclass(frozen=True)
class Sent:
    """A message as a server sends it."""

    sid: int
    data: bytes
    headers: bytes = b"NATS/1.0\r\nNats-Sequence: 7\r\n\r\n"
    reply: str = ""

    @property
    def wire(self) -> bytes:
        subject = f"inbox.{self.sid} {self.sid}{' ' + self.reply if self.reply else ''}"
        if not self.headers:
            return b"MSG %s %d\r\n%s\r\n" % (subject.encode(), len(self.data), self.data)
        sizes = b"%d %d" % (len(self.headers), len(self.headers) + len(self.data))
        return b"HMSG %s %s\r\n%s%s\r\n" % (subject.encode(), sizes, self.headers, self.data)


def received(sent: list[Sent], piece: int) -> tuple[list[bytes], list[bytes]]:
    """The data that was taken, and that which came to another subscription, when a server's words come in pieces."""
    taken: list[bytes] = []

    async def feed() -> list[bytes]:
        client = LeanClient()
        other = Subscription(client, OTHER, "inbox.2", pending_msgs_limit=0, pending_bytes_limit=0)
        client._subs[OTHER] = other
        client.takers[TAKEN] = lambda headers, data: taken.append(data)
        wire = b"".join(message.wire for message in sent)
        for start in range(0, len(wire), piece):
            await client._ps.parse(wire[start : start + piece])
        return [other._pending_queue.get_nowait().data for _ in range(other.pending_msgs)]

    others = asyncio.run(feed())
    return taken, others


messages = st.builds(
    Sent,
    sid=st.sampled_from([TAKEN, OTHER]),
    data=st.binary(max_size=60) | st.just(b"HMSG inbox.1 1 10 20\r\nMSG inbox.2 2 5\r\n"),
    headers=st.sampled_from([b"NATS/1.0\r\nNats-Sequence: 7\r\n\r\n", b"NATS/1.0 204 EOB\r\n\r\n", b""]),
    reply=st.sampled_from(["", "answer.here"]),
)


@given(st.lists(messages, max_size=12), st.integers(1, 400))
def test_each_message_comes_once_and_in_order_to_whom_it_is_for(sent: list[Sent], piece: int) -> None:
    taken, others = received(sent, piece)

    assert taken == [message.data for message in sent if message.sid == TAKEN]
    assert others == [message.data for message in sent if message.sid == OTHER]


@pytest.mark.parametrize("size", [262_000, 262_144, 1_000_000])
def test_a_large_one_comes_whole_between_small_ones(size: int) -> None:
    sent = [Sent(TAKEN, b"a"), Sent(TAKEN, b"x" * size), Sent(TAKEN, b"b"), Sent(OTHER, b"c")]

    assert received(sent, 32_768) == ([b"a", b"x" * size, b"b"], [b"c"])
