"""Alerts on a server: they fire and end, are told of once, and outlive their leader."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from naq_runtime import EventService, Job, NAQConfig, Queue, ServiceManager
from naq_runtime.alerts.record import AlertRecord, AlertState
from naq_runtime.alerts.rules import parse_rule
from naq_runtime.alerts.store import Note, read_board, silence
from naq_runtime.alerts.watch import AlertWatch
from naq_runtime.errors import ServerError, ServerUnreachable
from naq_runtime.events.codec import encode_event, event_subject
from naq_runtime.events.models import AlertEvent, Event, JobEvent
from naq_runtime.naming import Names
from naq_runtime.nats.bucket import LeaseBucket
from naq_runtime.nats.publish import Outgoing, Stored
from naq_runtime.services.alerts import AlertService
from tests.acceptance.test_commands import worker_process
from tests.conftest import MakeConfig
from tests.integration.test_leading import scheduler
from tests.support import sample_tasks as tasks
from tests.support.history import all_events
from tests.support.published import address_of, mistakes
from tests.support.receiver import Reply, receiving
from tests.support.restarting import restartable
from tests.support.server import config_for
from tests.support.waiting import eventually
from tests.support.workers import MODULE, running_worker


def with_rule(make: MakeConfig, rule: str, **settings: Any) -> NAQConfig:
    """Settings with a rule of the name ``tested``."""
    own = {name: settings.pop(name) for name in ("webhook", "severity", "message", "min_samples") if name in settings}
    return make(alerts={"tested": {"rule": rule, **own}}, **{"scheduler__alerts_interval": 0.2, **settings})


async def told(config: NAQConfig) -> list[AlertEvent]:
    """What the log says of alerts, in order."""
    return [stored.event for stored in await all_events(config) if isinstance(stored.event, AlertEvent)]


async def kinds(config: NAQConfig) -> list[str]:
    return [event.event_type.value for event in await told(config)]


async def firing(config: NAQConfig) -> AlertEvent:
    """The first alert that fires, once it does."""

    async def fired() -> AlertEvent | None:
        return next(iter(await told(config)), None)

    event = await eventually(fired)
    assert event is not None
    assert event.event_type.value == "alert_firing"
    return event


async def record_of(config: NAQConfig) -> AlertRecord | None:
    async with ServiceManager(config, role="test") as services:
        board = await read_board(services.streams, services.names)
    return next(iter(board.records()), None)


class Watching:
    """A watch without a scheduler around it, evaluated by hand."""

    def __init__(self, services: ServiceManager, events: EventService, name: str) -> None:
        self.leads = True
        self.watch = AlertWatch(services, events, instance_id=name, may_act=lambda: self.leads)

    @classmethod
    async def on(cls, services: ServiceManager, name: str = "boris") -> Watching:
        return cls(services, await services.get_service(EventService), name)

    async def look(self) -> None:
        await self.watch.evaluate()

    async def stop(self) -> None:
        await self.watch._rest()


# From its beginning to its end


async def test_a_queue_whose_jobs_wait_too_long_fires_until_they_are_done(make_config: MakeConfig) -> None:
    rule = "queue_age > 200ms for 200ms clear for 200ms"
    config = with_rule(make_config, rule, severity="critical", message="look at {queue}: {value} above {threshold}")
    async with Queue("mail", config=config) as queue, scheduler(config, "boris"):
        before_ns = time.time_ns()
        handle = await queue.enqueue(tasks.add, 1)

        event = await firing(config)
        async with running_worker(config, "mail"):
            await handle.result(timeout=30)

            async def over() -> bool:
                return await kinds(config) == ["alert_firing", "alert_resolved"]

            await eventually(over)

    assert (event.alert, event.rule, event.severity, event.by) == ("tested", rule, "critical", "boris")
    assert event.labels == {"queue": "mail"}
    assert event.value is not None
    assert event.value > 0.2
    assert (event.threshold, event.unit) == (0.2, "seconds")
    assert event.since_ns is not None
    assert before_ns < event.since_ns < event.timestamp_ns
    assert event.text is not None
    assert event.text.startswith("look at mail: ")
    assert mistakes(json.loads(encode_event(event))) == []
    assert address_of(event_subject(Names("naq"), event))[0] == "alertEvents"
    resolved = (await told(config))[-1]
    assert resolved.duration_ms is not None
    assert resolved.value == 0


async def test_each_queue_is_an_alert_of_its_own(make_config: MakeConfig, caplog: pytest.LogCaptureFixture) -> None:
    config = with_rule(make_config, "queue_depth{queue=m*} > 1", severity="critical")
    async with ServiceManager(config) as services:
        for name, count in (("mail", 3), ("music", 2), ("more", 1), ("other", 9)):
            async with Queue(name, services=services) as queue:
                await queue.enqueue_many(Job(tasks.add, (number,)) for number in range(count))
        watching = await Watching.on(services)
        await watching.look()
        await watching.stop()

    assert {(event.labels or {})["queue"]: event.value for event in await told(config)} == {"mail": 3, "music": 2}
    said = "alert FIRING (critical) tested queue=mail: 3, queue_depth{queue=m*} > 1"
    assert said in [record.getMessage() for record in caplog.records]


async def test_failures_are_judged_by_their_share_once_there_are_enough_jobs(make_config: MakeConfig) -> None:
    config = with_rule(make_config, "failed_rate{function=*fail} > 40%", min_samples=3)
    async with Queue(config=config) as queue, ServiceManager(config) as services, running_worker(config):
        watching = await Watching.on(services)
        for number in range(3):
            handle = await queue.enqueue(tasks.fail)
            await handle.outcome(timeout=30)
            assert await told(config) == [], f"after {number}"
            await eventually(partial(counted, config, number + 1))
            await watching.look()
        await watching.stop()

    (event,) = await told(config)
    assert event.value == 1.0
    assert event.labels == {"queue": "default", "function": "tests.support.sample_tasks.fail"}


async def counted(config: NAQConfig, failures: int) -> bool:
    events = [stored.event for stored in await all_events(config)]
    return sum(isinstance(event, JobEvent) and event.event_type == "failed" for event in events) == failures


async def test_nothing_to_measure_is_not_well(make_config: MakeConfig) -> None:
    config = with_rule(make_config, "failed_rate > 5%")
    async with scheduler(config, "boris"):

        async def known() -> AlertRecord | None:
            return await record_of(config)

        record = await eventually(known)

    assert record is not None
    assert record.state is AlertState.NO_DATA
    assert record.is_watched(time.time_ns())


async def test_the_age_of_a_queue_is_that_of_jobs_that_wait_and_not_of_those_that_run(
    make_config: MakeConfig,
) -> None:
    config = make_config()
    async with Queue("mail", config=config) as queue, ServiceManager(config) as services:
        alerts = await services.get_service(AlertService)

        async def age() -> float:
            values = await alerts.values(parse_rule("queue_age > 1s"))
            return (values or {}).get((("queue", "mail"),)) or 0.0

        async with running_worker(config, "mail", concurrency=1) as worker:
            running = await queue.enqueue(tasks.nap, 60)
            await eventually(lambda: worker.active)
            await eventually(partial(_is_zero, age))

            queued_ns = time.time_ns()
            waiting = [await queue.enqueue(tasks.add, 1) for _ in range(2)]
            await eventually(age)
            assert await age() <= (time.time_ns() - queued_ns) / 1e9 + 0.5
            await running.cancel()
            await asyncio.gather(*(handle.result(timeout=30) for handle in waiting))
        await eventually(partial(_is_zero, age))


async def _is_zero(age: Callable[[], Awaitable[float]]) -> bool:
    return await age() == 0


# Workers


async def test_a_worker_that_is_killed_is_lost_and_one_that_stops_is_not(make_config: MakeConfig) -> None:
    config = with_rule(make_config, "worker_lost")
    async with scheduler(config, "boris"):
        async with running_worker(config, name="orderly"):
            async with worker_process(config, "-m", MODULE, "--name", "doomed") as doomed:
                await eventually(lambda: beaten(config, "doomed"))
                doomed.send_signal(signal.SIGKILL)
                await doomed.wait()
                killed_ns = time.time_ns()

                event = await firing(config)
        await lapsed(config)

    assert event.labels == {"worker": "doomed"}
    late_s = (event.timestamp_ns - killed_ns) / 1e9
    assert late_s < 20
    assert {(event.labels or {})["worker"] for event in await told(config)} == {"doomed"}


async def beaten(config: NAQConfig, worker: str) -> bool:
    """Whether a worker has beaten often enough to know how often it does."""
    events = [stored.event for stored in await all_events(config, event_type="heartbeat")]
    return [getattr(event, "worker_id", None) for event in events].count(worker) >= 3


async def lapsed(config: NAQConfig) -> None:
    """Return once no lease of a worker is there."""

    async def none() -> bool:
        async with ServiceManager(config, role="test") as services:
            return not await LeaseBucket(services.connection, services.names, services.names.workers_bucket).leases()

    await eventually(none)


async def test_a_worker_that_died_with_its_leader_is_found_by_the_next_one(make_config: MakeConfig) -> None:
    config = with_rule(make_config, "worker_lost")
    async with worker_process(config, "-m", MODULE, "--name", "doomed") as doomed:
        await eventually(lambda: beaten(config, "doomed"))
        doomed.send_signal(signal.SIGKILL)
        await doomed.wait()
    await lapsed(config)

    async with scheduler(config, "heir"):
        event = await firing(config)

    assert (event.labels, event.by) == ({"worker": "doomed"}, "heir")


@pytest.mark.parametrize("leads_on", [True, False], ids=["leads-on", "leads-anew"])
async def test_no_worker_is_lost_because_the_server_was_away(tmp_path: Path, leads_on: bool) -> None:
    async with restartable(tmp_path) as server:
        config = config_for(
            server.url,
            alerts={"lost": {"rule": "worker_lost"}},
            worker__heartbeat_interval=1,
            nats__request_timeout=1,
        )
        lease_s = 3.0
        async with (
            worker_process(config, "-m", MODULE, "--name", "steady") as steady,
            ServiceManager(config) as services,
        ):
            watching = await Watching.on(services)

            async def looked_for(seconds: float) -> None:
                end = time.monotonic() + seconds

                async def looked() -> bool:
                    with suppress(ServerError):
                        await watching.look()
                    return time.monotonic() > end

                await eventually(looked, within=20)

            await eventually(lambda: beaten(config, "steady"))
            await watching.look()
            await server.kill()
            steady.send_signal(signal.SIGSTOP)
            away = time.monotonic()
            if not leads_on:
                await watching.stop()  # as a leader does that loses the lead
            await eventually(lambda: time.monotonic() - away > lease_s + 1)  # nobody can renew a lease
            await server.start()
            await eventually(lambda: services.connection.is_connected)
            await lapsed(config)
            await looked_for(lease_s / 2)
            steady.send_signal(signal.SIGCONT)
            await looked_for(lease_s)
            await watching.stop()

        assert await told(config) == []


# Leaders


async def test_what_pends_goes_on_under_the_next_leader(make_config: MakeConfig) -> None:
    config = with_rule(make_config, "queue_depth > 0 for 3s", scheduler__lease=10)
    async with Queue("mail", config=config) as queue:
        await queue.enqueue(tasks.add, 1)
        async with scheduler(config, "first"):

            async def pending() -> AlertRecord | None:
                record = await record_of(config)
                return record if record is not None and record.state is AlertState.PENDING else None

            first = await eventually(pending)
        async with scheduler(config, "second"):
            event = await firing(config)

    assert first is not None
    assert event.since_ns == first.alerts[0].since_ns
    assert event.by == "second"
    assert (event.timestamp_ns - event.since_ns) / 1e9 >= 3.0


async def test_what_fires_is_neither_forgotten_nor_told_again_by_the_next_leader(make_config: MakeConfig) -> None:
    config = with_rule(make_config, "queue_depth > 0 clear for 0s", scheduler__lease=10)
    async with Queue("mail", config=config) as queue:
        handle = await queue.enqueue(tasks.add, 1)
        async with scheduler(config, "first"):
            await firing(config)
        async with scheduler(config, "second"):

            async def taken_over() -> bool:
                record = await record_of(config)
                return record is not None and record.by == "second"

            await eventually(taken_over)
            assert await kinds(config) == ["alert_firing"]
            async with running_worker(config, "mail"):
                await handle.result(timeout=30)

            async def over() -> bool:
                return await kinds(config) == ["alert_firing", "alert_resolved"]

            await eventually(over)

    assert [event.by for event in await told(config)] == ["first", "second"]


@pytest.mark.parametrize("is_stored", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("writes", range(1, 5))
async def test_wherever_a_leader_dies_the_log_is_told_once_and_the_webhook_at_least_once(
    make_config: MakeConfig, writes: int, is_stored: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It dies at one of its writes: its record, the event, or the record that says what was told."""
    with receiving() as receiver:
        config = with_rule(make_config, "queue_depth > 0", webhook=receiver.url)
        async with ServiceManager(config) as services, Queue("mail", services=services) as queue:
            await queue.enqueue(tasks.add, 1)
            first = await Watching.on(services, "first")
            with monkeypatch.context() as patch:
                deadly = Deadly(services.streams.publish, writes, is_stored=is_stored)
                patch.setattr(services.streams, "publish", deadly.publish)
                with suppress(ServerUnreachable):
                    for _ in range(3):
                        await first.look()
                        await eventually(lambda: deadly.is_over or not first.watch._deliveries._tasks)
            await first.stop()
            stored = await all_events(config, event_type="alert_firing")

            second = await Watching.on(services, "second")
            await second.look()
            await eventually(lambda: receiver.requests and not second.watch._deliveries._tasks)
            await second.look()
            await second.look()
            record = (await read_board(services.streams, services.names)).kept["tested"].record
            await second.stop()

        assert await kinds(config) == ["alert_firing"]
        assert stored in ([], await all_events(config, event_type="alert_firing")), "who follows would see it twice"
        assert {request.json["event"]["event_type"] for request in receiver.requests} == {"alert_firing"}
        assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1
        assert receiver.requests[0].json["text"].startswith("FIRING (warning) tested queue=mail: 1, ")
        assert [alert.labels for alert in record.firing] == [{"queue": "mail"}]
        assert record.notices == ()


class Deadly:
    """Publishes so many times, and no more: the last one may be stored, and nobody hears of it."""

    def __init__(
        self, publish: Callable[[Sequence[Outgoing]], Awaitable[list[Stored]]], writes: int, *, is_stored: bool
    ) -> None:
        self._publish = publish
        self._left = writes
        self._is_stored = is_stored

    @property
    def is_over(self) -> bool:
        return self._left <= 0

    async def publish(self, messages: Sequence[Outgoing]) -> list[Stored]:
        if not messages:
            return []
        self._left -= 1
        if self._left > 0:
            return await self._publish(messages)
        if self._left == 0 and self._is_stored:
            await self._publish(messages)
        return [ServerUnreachable("dead") for _ in messages]


async def test_of_two_that_take_themselves_for_the_leader_one_is_heard(make_config: MakeConfig) -> None:
    config = with_rule(make_config, "queue_depth > 0")
    async with ServiceManager(config) as services, Queue("mail", services=services) as queue:
        await queue.enqueue(tasks.add, 1)
        watching = [await Watching.on(services, name) for name in ("one", "other")]
        for _ in range(3):
            await asyncio.gather(*(each.look() for each in watching))
        for each in watching:
            await each.stop()

    assert await kinds(config) == ["alert_firing"]


async def test_who_does_not_lead_says_nothing(make_config: MakeConfig) -> None:
    config = with_rule(make_config, "queue_depth > 0")
    async with ServiceManager(config) as services, Queue("mail", services=services) as queue:
        await queue.enqueue(tasks.add, 1)
        watching = await Watching.on(services)
        watching.leads = False
        await watching.look()
        await watching.stop()

    assert await told(config) == []
    assert await record_of(config) is None


async def test_the_alerts_of_a_rule_that_was_removed_are_over(make_config: MakeConfig) -> None:
    config = with_rule(make_config, "queue_depth > 0")
    async with ServiceManager(config) as services, Queue("mail", services=services) as queue:
        await queue.enqueue(tasks.add, 1)
        watching = await Watching.on(services)
        await watching.look()
        await watching.stop()
    other = make_config(namespace=config.namespace, alerts={"other": {"rule": "queue_depth > 5"}})
    async with ServiceManager(other) as services:
        watching = await Watching.on(services)
        for _ in range(2):
            await watching.look()
        await watching.stop()
        board = await read_board(services.streams, services.names)

    resolved = (await told(config))[-1]
    assert (resolved.event_type.value, resolved.reason) == ("alert_resolved", "its rule was removed")
    assert [record.name for record in board.records()] == ["other"]


# Webhooks


async def test_a_webhook_is_called_again_until_it_answers_and_firing_comes_first(make_config: MakeConfig) -> None:
    with receiving() as receiver:
        receiver.replies += [Reply(503, (("Retry-After", "0"),))] * 3
        hook = {"url": "${ALERT_HOOK}", "secret": "${ALERT_SECRET}"}
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ALERT_HOOK", f"{receiver.url}/alerts")
            patch.setenv("ALERT_SECRET", "hush")
            rule = "queue_depth > 0 clear for 0s"
            config = with_rule(make_config, rule, webhook="chat", webhooks={"chat": hook})
            async with Queue("mail", config=config) as queue, scheduler(config, "boris"):
                handle = await queue.enqueue(tasks.add, 1)
                await firing(config)
                async with running_worker(config, "mail"):
                    await handle.result(timeout=30)
                await eventually(lambda: len(receiver.requests) >= 5, within=20)

    assert {request.path for request in receiver.requests} == {"/alerts"}
    said = [request.json["event"]["event_type"] for request in receiver.requests]
    assert said == ["alert_firing"] * 4 + ["alert_resolved"]
    assert len({request.headers["webhook-id"] for request in receiver.requests[:4]}) == 1
    assert all("webhook-signature" in request.headers for request in receiver.requests)


async def test_a_webhook_that_does_not_answer_holds_up_no_evaluation(make_config: MakeConfig) -> None:
    held = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wait(_: object) -> Reply:
        asyncio.run_coroutine_threadsafe(held.wait(), loop).result(30)
        return Reply()

    with receiving() as receiver:
        receiver.judge = wait
        config = with_rule(make_config, "queue_depth > 0", webhook=receiver.url)
        async with ServiceManager(config) as services, Queue("mail", services=services) as queue:
            await queue.enqueue(tasks.add, 1)
            watching = await Watching.on(services)
            await watching.look()
            await eventually(lambda: receiver.requests)
            begun = time.monotonic()
            for _ in range(10):
                await watching.look()
            took_s = time.monotonic() - begun
            held.set()
            await watching.stop()

    assert took_s < 8  # a webhook may take ten seconds to answer
    assert len(receiver.requests) == 1


async def test_a_silenced_rule_is_told_of_in_the_log_and_nowhere_else(make_config: MakeConfig) -> None:
    with receiving() as receiver:
        config = with_rule(make_config, "queue_depth > 0", webhook=receiver.url)
        async with ServiceManager(config) as services, Queue("mail", services=services) as queue:
            await queue.enqueue(tasks.add, 1)
            watching = await Watching.on(services)
            await services.topology.bucket(services.names.alerts_bucket)
            note = Note(until_ns=time.time_ns() + 60 * 10**9, by="ada")
            await silence(services.streams, services.names, "tested", note, 60)
            for _ in range(2):
                await watching.look()
            record = (await read_board(services.streams, services.names)).records()[0]
            await watching.stop()

        assert await kinds(config) == ["alert_firing"]
        assert receiver.requests == []
        assert record.silenced_until_ns == note.until_ns


# Processors


async def test_processors_of_the_leader_see_alerts(make_config: MakeConfig) -> None:
    config = with_rule(make_config, "queue_depth > 0")
    seen: list[Event] = []

    async def see(event: Event) -> None:
        seen.append(event)

    async with ServiceManager(config) as services, Queue("mail", services=services) as queue:
        await queue.enqueue(tasks.add, 1)
        events = await services.get_service(EventService)
        processing = events.register_event_processor(see, {"event_type": "alert_firing"})
        watching = await Watching.on(services)
        await watching.look()
        await processing.flush()
        await watching.stop()

    assert [event.message for event in seen] == ["tested queue=mail: 1, queue_depth > 0"]
