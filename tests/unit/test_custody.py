"""The jobs that a worker holds, each once."""

from __future__ import annotations

import asyncio

import pytest
from nats.aio.client import Client

from naq_runtime.config import NatsConfig
from naq_runtime.nats.connection import Connection, Msg
from naq_runtime.nats.lean import LeanClient
from naq_runtime.nats.pull import Delivery
from naq_runtime.worker.custody import Custody
from tests.unit.looptime import LoopTime


def a_delivery(subject: str = "naq.jobs.mail.j1", deliveries: int = 1) -> Delivery:
    """A job as it comes from a server that is gone by now."""
    reply = f"$JS.ACK.NAQ_JOBS.queue-mail.{deliveries}.7.7.1700000000.0"
    return Delivery.of(Connection(NatsConfig(), LeanClient()), Msg(Client(), subject, reply, b"{}"))


@pytest.mark.parametrize("prefix", ["$JS.ACK", "$JS.ACK.hub.account"])
def test_a_delivery_says_how_often_it_was_delivered_and_which_message_it_is(prefix: str) -> None:
    reply = f"{prefix}.NAQ_JOBS.queue-mail.12.345.7.1700000000.0" + (".token" if "hub" in prefix else "")

    delivery = Delivery.of(Connection(NatsConfig(), LeanClient()), Msg(Client(), "naq.jobs.mail.j1", reply, b"{}"))

    assert (delivery.deliveries, delivery.sequence) == (12, 345)


def test_a_job_that_is_taken_is_held() -> None:
    custody, delivery = Custody(30), a_delivery()

    holding = custody.take(delivery)

    assert holding is not None
    assert holding.delivery is delivery
    assert list(custody) == [holding]
    assert len(custody) == 1


def test_a_job_that_is_delivered_again_is_not_held_twice_but_by_its_newest_delivery() -> None:
    custody, first, second = Custody(30), a_delivery(deliveries=1), a_delivery(deliveries=2)
    holding = custody.take(first)

    assert custody.take(second) is None

    assert holding is not None
    assert holding.delivery is second
    assert len(custody) == 1


def test_different_jobs_are_held_each() -> None:
    custody = Custody(30)

    assert custody.take(a_delivery("naq.jobs.mail.j1")) is not None
    assert custody.take(a_delivery("naq.jobs.mail.j2")) is not None
    assert custody.take(a_delivery("naq.jobs.reports.j1")) is not None

    assert len(custody) == 3


def test_a_released_job_may_be_taken_again() -> None:
    custody = Custody(30)
    holding = custody.take(a_delivery())
    assert holding is not None

    custody.release(holding)
    custody.release(holding)
    assert len(custody) == 0

    assert custody.take(a_delivery()) is not None


def test_a_job_delivered_again_is_released_by_its_one_holding() -> None:
    custody = Custody(30)
    holding = custody.take(a_delivery(deliveries=1))
    custody.take(a_delivery(deliveries=2))
    assert holding is not None

    custody.release(holding)

    assert len(custody) == 0


def test_a_stale_holding_does_not_release_the_job_that_was_taken_after_it() -> None:
    custody = Custody(30)
    stale = custody.take(a_delivery())
    assert stale is not None
    custody.release(stale)
    current = custody.take(a_delivery())

    custody.release(stale)

    assert list(custody) == [current]


def test_jobs_may_be_released_while_those_held_are_gone_through() -> None:
    custody = Custody(30)
    for number in range(5):
        custody.take(a_delivery(f"naq.jobs.mail.j{number}"))

    for holding in custody:
        custody.release(holding)

    assert len(custody) == 0


async def test_while_the_server_is_away_it_goes_on_signalling(loop_time: LoopTime) -> None:
    custody = Custody(30)
    custody.take(a_delivery())
    signalling = asyncio.create_task(custody.run())

    for _ in range(3):
        await loop_time.advance(11)

    assert not signalling.done()
    signalling.cancel()
    await asyncio.gather(signalling, return_exceptions=True)
