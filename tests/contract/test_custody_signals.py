"""Telling the server that a job is being worked on, over a real connection."""

from __future__ import annotations

import asyncio
from collections import Counter

from naq_runtime.nats.connection import Connection, Msg, subscribed
from naq_runtime.nats.pull import Delivery
from naq_runtime.worker.custody import Custody
from tests.support.waiting import eventually


async def test_every_job_that_is_held_is_signalled_by_its_newest_delivery_until_it_is_released(
    connection: Connection,
) -> None:
    signals: Counter[str] = Counter()
    inbox = connection.new_inbox()

    async def count(message: Msg) -> None:
        assert message.data == b"+WPI"
        signals[message.subject.rpartition(".")[2]] += 1

    def delivery(subject: str, name: str) -> Delivery:
        return Delivery(connection, b"{}", subject, f"{inbox}.{name}", 1, 1, 0)

    custody = Custody(ack_wait_s=0.03)
    async with subscribed(connection, f"{inbox}.*", count):
        one = custody.take(delivery("naq.jobs.mail.j1", "one"))
        custody.take(delivery("naq.jobs.mail.j2", "old"))
        custody.take(delivery("naq.jobs.mail.j2", "new"))
        signalling = asyncio.create_task(custody.run())
        await eventually(lambda: signals["one"] >= 3 and signals["new"] >= 3)
        assert signals["old"] == 0

        assert one is not None
        custody.release(one)
        await connection.flush()
        before = signals.copy()
        await eventually(lambda: signals["new"] >= before["new"] + 3)
        assert signals["one"] <= before["one"] + 1, "one signal may have been on its way"

        signalling.cancel()
        await asyncio.gather(signalling, return_exceptions=True)
