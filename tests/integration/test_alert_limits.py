"""Alerts when too much comes together: receivers that are down, records that are full, rules that are gone."""

from __future__ import annotations

import asyncio

import pytest

from naq_runtime import Queue, ServiceManager
from naq_runtime.alerts import delivery
from naq_runtime.alerts import watch as module
from naq_runtime.alerts.record import Alert, AlertRecord, AlertState
from naq_runtime.alerts.rules import parse_rule
from naq_runtime.alerts.store import Kept, read_board, write_records
from naq_runtime.alerts.windows import EventWindows
from naq_runtime.errors import MessageTooLarge
from naq_runtime.events.models import Event
from tests.conftest import MakeConfig
from tests.integration.test_alerts import Watching, kinds, told, with_rule
from tests.integration.test_leading import scheduler
from tests.support import sample_tasks as tasks
from tests.support.receiver import Reply, receiving
from tests.support.waiting import eventually
from tests.support.workers import running_worker


async def test_the_alerts_of_the_last_rule_are_over_when_it_is_removed(make_config: MakeConfig) -> None:
    config = with_rule(make_config, "queue_depth > 0")
    async with ServiceManager(config) as services, Queue("mail", services=services) as queue:
        await queue.enqueue(tasks.add, 1)
        watching = await Watching.on(services)
        await watching.look()
        await watching.stop()

        async with scheduler(make_config(namespace=config.namespace), "boris"):

            async def nothing_is_left() -> bool:
                return not (await read_board(services.streams, services.names)).records()

            await eventually(nothing_is_left)

    resolved = (await told(config))[-1]
    assert (resolved.event_type.value, resolved.reason) == ("alert_resolved", "its rule was removed")


async def test_a_fault_in_the_reading_of_events_is_told_and_they_are_read_anew(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    count, stumbled = EventWindows.take, asyncio.Event()

    def stumble_once(windows: EventWindows, event: Event, now_ns: int) -> None:
        if not stumbled.is_set():
            stumbled.set()
            raise LookupError("a fault of ours")
        count(windows, event, now_ns)

    monkeypatch.setattr(EventWindows, "take", stumble_once)
    config = with_rule(make_config, "failures > 0")
    async with ServiceManager(config) as services, Queue("mail", services=services) as queue:
        watching = await Watching.on(services)
        async with running_worker(config, "mail"):
            await (await queue.enqueue(tasks.fail, "no")).outcome(timeout=30)

        async def fires() -> bool:
            await watching.watch.look()
            return "alert_firing" in await kinds(config)

        await eventually(fires)
        await watching.stop()

    assert "alerts cannot be evaluated now: a fault of ours" in caplog.text


async def test_what_waits_for_a_webhook_that_is_down_does_not_fill_the_record(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_WAITING", 4)
    with receiving() as receiver:
        receiver.judge = lambda request: Reply(503)
        config = with_rule(make_config, "queue_depth > 0 clear for 0s", webhook=receiver.url)
        async with ServiceManager(config) as services, Queue("mail", services=services) as queue:
            watching = await Watching.on(services)
            for _ in range(6):
                await queue.enqueue(tasks.add, 1)
                await watching.look()
                await queue.purge()
                await watching.look()
            board = await read_board(services.streams, services.names)
            await watching.stop()

    waiting = board.kept["tested"].record.notices
    assert 4 <= len(waiting) <= 5
    assert waiting[-1].event.event_type.value == "alert_resolved"
    assert await kinds(config) == ["alert_firing", "alert_resolved"] * 6


async def test_a_rule_whose_record_cannot_be_stored_keeps_no_other_from_firing(make_config: MakeConfig) -> None:
    rule = "queue_depth > 0"
    config = make_config(alerts={"full": {"rule": rule}, "well": {"rule": rule}})
    async with ServiceManager(config) as services, Queue("mail", services=services) as queue:
        await services.topology.bucket(services.names.alerts_bucket)
        room = services.connection.max_payload // 100 - 100
        alerts = tuple(
            Alert(labels={"queue": f"q{number:03}" + "x" * room}, state=AlertState.FIRING, since_ns=1, fired_ns=1)
            for number in range(100)
        )
        record = AlertRecord(name="full", rule=parse_rule(rule).text, alerts=alerts)
        (stored,) = await write_records(services.streams, services.names, [Kept(record, 0)])
        assert isinstance(stored, int)
        await queue.enqueue(tasks.add, 1)
        watching = await Watching.on(services)

        with pytest.raises(MessageTooLarge):
            await watching.look()

        await watching.stop()
    assert [(event.alert, event.event_type.value) for event in await told(config)] == [("well", "alert_firing")]


async def test_a_webhook_that_does_not_answer_holds_up_no_other(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "_AT_A_TIME", 1)
    held, loop = asyncio.Event(), asyncio.get_running_loop()

    def wait(_: object) -> Reply:
        asyncio.run_coroutine_threadsafe(held.wait(), loop).result(30)
        return Reply()

    with receiving() as silent, receiving() as well:
        silent.judge = wait
        rule = "queue_depth > 0"
        config = make_config(
            alerts={"a": {"rule": rule, "webhook": silent.url}, "b": {"rule": rule, "webhook": well.url}}
        )
        async with ServiceManager(config) as services, Queue("mail", services=services) as queue:
            await queue.enqueue(tasks.add, 1)
            watching = await Watching.on(services)
            await watching.look()
            await eventually(lambda: silent.requests and well.requests)
            held.set()
            await watching.stop()
