"""What JetStream tells of itself: streams, their consumers, the account; and what it is not allowed to tell."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from naq_runtime import EmbeddedServer, EventService, Job, NAQConfig, Queue, QueueService, ServiceManager
from naq_runtime.errors import ServerUnreachable
from naq_runtime.jetstream import Consumer, ServerDetail, Stream
from naq_runtime.monitor import Monitor
from naq_runtime.nats.inspecting import Inspector, read_consumers, stream_of
from naq_tui.sources.live import LiveSource
from tests.support import sample_tasks as tasks
from tests.support.waiting import eventually
from tests.support.workers import running_worker

SERVER = """
jetstream {{ max_file_store: 100MB }}
accounts {{
  A {{
    jetstream {{ max_file: 50MB, max_streams: 20 }}
    users: [
      {{ user: all, password: x }},
      {{ user: few, password: x, permissions: {{
          publish: ["$JS.API.INFO", "$JS.API.STREAM.INFO.NAQ_JOBS"], subscribe: ["_INBOX.>"] }} }}
    ]
  }}
}}
""".replace("{{", "{").replace("}}", "}")


@pytest.fixture
async def monitor(services: ServiceManager) -> Monitor:
    return await services.get_service(Monitor)


def stream(detail: ServerDetail, name: str) -> Stream:
    return next(one for one in detail.streams if one.name.endswith(name))


def consumer(consumers: tuple[Consumer, ...], name: str) -> Consumer:
    return next(one for one in consumers if one.name == name)


async def test_a_stream_says_what_is_in_it_and_how_far_its_limits_are_used(config: NAQConfig, monitor: Monitor) -> None:
    begun_ns = time.time_ns() - 10**9
    async with Queue("mail", config=config) as queue:
        await queue.enqueue_many(Job(tasks.add, (n,)) for n in range(30))

    detail = await monitor.server()

    jobs, events = stream(detail, "_JOBS"), stream(detail, "_EVENTS")
    assert (jobs.purpose, jobs.messages, jobs.consumers) == ("waiting jobs, schedules", 30, 1)
    assert (jobs.retention, jobs.share, jobs.subjects[0]) == ("workqueue", 0.0, config.names.job("*", "*"))
    assert begun_ns < jobs.first_ns <= jobs.last_ns < time.time_ns() + 10**9
    assert events.max_messages == config.events.max_count
    assert events.max_age_s == config.events.max_age
    assert events.max_bytes == 0, "the tests have none"
    assert 0 < events.share == events.messages / events.max_messages
    assert (events.is_clustered, events.troubles) == (False, ())


async def test_the_account_says_what_all_streams_use_together(monitor: Monitor) -> None:
    detail = await monitor.server()

    assert detail.account is not None
    used = {usage.what: usage.used for usage in detail.account.usages}
    assert used["streams"] >= len(detail.streams) > 0, "the server is that of other tests, too"
    assert detail.account.api_calls > 0
    assert detail.missing == ()


async def test_a_stream_that_is_not_there_is_asked_for_only_now_and_then(monitor: Monitor) -> None:
    first = (await monitor.server()).account
    again = [(await monitor.server()).account for _ in range(5)][-1]

    assert first is not None
    assert again is not None
    assert again.api_errors - first.api_errors <= 13  # each of the streams is missed once


async def test_a_consumer_says_how_far_it_is(config: NAQConfig, monitor: Monitor) -> None:
    async with Queue("mail", config=config) as queue, running_worker(config, "mail", concurrency=2):
        await queue.enqueue_many(Job(tasks.nap, (30,)) for _ in range(5))

        async def both_run() -> bool:
            mail = consumer(await monitor.consumers(config.names.jobs_stream), "queue-mail")
            return mail.unacknowledged >= 2

        await eventually(both_run)
        mail = consumer(await monitor.consumers(config.names.jobs_stream), "queue-mail")

    assert mail.purpose == "workers of queue mail"
    assert mail.pending + mail.unacknowledged == 5
    assert mail.delivered - mail.acknowledged >= 2
    assert mail.max_unacknowledged == config.jobs.max_ack_pending
    assert (mail.redelivered, mail.paused, mail.subjects) == (0, False, (config.names.job("mail", "*"),))


async def test_a_paused_queue_and_a_processor_are_told_by_their_consumers(
    config: NAQConfig, services: ServiceManager, monitor: Monitor
) -> None:
    async def see(event: object) -> None: ...

    events = await services.get_service(EventService)
    async with Queue("mail", config=config) as queue, events.process_events("billing", see):
        await queue.enqueue(tasks.add, 1)
        await (await services.get_service(QueueService)).pause("mail")

        assert consumer(await monitor.consumers(config.names.jobs_stream), "queue-mail").paused
        assert [one.purpose for one in await monitor.consumers(config.names.events_stream)] == ["processor billing"]
        assert await monitor.consumers(config.names.dead_stream) == ()


async def test_the_monitor_on_the_screen_asks_the_same(config: NAQConfig) -> None:
    async with Queue("mail", config=config) as queue, LiveSource(config) as source:
        await queue.enqueue_many(Job(tasks.add, (n,)) for n in range(30))
        batches = source.__aiter__()
        while (await anext(batches)).snapshot is None:
            pass

        detail = await source.questions.server()
        listed = await source.questions.consumers(config.names.jobs_stream)

        async def counted() -> bool:
            trends = await source.questions.statistics(300, ("queue",))
            return [(one.queue, one.enqueued) for one in trends.statistics.groups if one.queue] == [("mail", 30)]

        await eventually(counted)
        await batches.aclose()

    assert stream(detail, "_JOBS").messages == 30
    assert [one.pending for one in listed] == [30]


def config_of(url: str, user: str, **settings: Any) -> NAQConfig:
    arguments = {"nats.url": url, "nats.user": user, "nats.password": "x", "events.max_bytes": 10_000_000}
    return NAQConfig.load(arguments=arguments | {"dead.max_bytes": -1} | settings, environ={})


@pytest.fixture
async def limited() -> AsyncIterator[EmbeddedServer]:
    async with EmbeddedServer(config=SERVER) as server:
        yield server


async def test_limits_of_the_account_are_told(limited: EmbeddedServer) -> None:
    async with ServiceManager(config_of(limited.url, "all"), role="monitor") as services:
        account = (await (await services.get_service(Monitor)).server()).account

    assert account is not None
    usages = {usage.what: usage for usage in account.usages}
    assert usages["set aside"].limit == usages["storage"].limit == 50 * 2**20
    assert usages["set aside"].share == pytest.approx(0.2, abs=0.05)
    assert (usages["streams"].limit, usages["consumers"].limit) == (20, 0)


async def test_what_the_permissions_deny_is_said_and_the_rest_is_told(limited: EmbeddedServer) -> None:
    async with Queue("mail", config=config_of(limited.url, "all")) as queue:
        await queue.enqueue(tasks.add, 1)

    async with ServiceManager(config_of(limited.url, "few", **{"nats.request_timeout": 3})) as services:
        inspector = Inspector(services.connection, services.names)
        detail = await inspector.server(time.time_ns())
        begun_s = time.monotonic()
        again = await inspector.server(time.time_ns())
        took_s = time.monotonic() - begun_s
        with pytest.raises(ServerUnreachable, match=r"the role needs \$JS\.API\.CONSUMER\.LIST\.NAQ_JOBS"):
            await read_consumers(services.connection, services.names, "NAQ_JOBS")

    for told in (detail, again):
        assert [one.name for one in told.streams] == ["NAQ_JOBS"]
        assert told.account is not None
        assert any("NAQ_EVENTS" in why and "may not be allowed" in why for why in told.missing)
    assert took_s < 2.9, "what is not allowed is not waited for again"


def test_a_cluster_is_told_by_its_leader_and_its_peers() -> None:
    replicas = [
        {"name": "n2", "current": True, "active": 400_000_000, "lag": 0},
        {"name": "n3", "current": False, "offline": True, "active": 9_000_000_000, "lag": 77},
        {"name": "n4", "current": False, "active": 100_000_000, "lag": 1200},
        {"name": "n5", "current": True, "active": 8_201_814_539, "lag": 0},
        {"name": "n6", "current": False, "active": 0, "lag": 3},
    ]
    info = {
        "config": {"name": "NAQ_JOBS", "num_replicas": 6, "max_msgs": 10, "max_bytes": -1, "discard": "new"},
        "state": {"messages": 9, "bytes": 100, "first_seq": 1, "last_seq": 9, "first_ts": "0001-01-01T00:00:00Z"},
        "cluster": {"name": "C1", "leader": "n1", "replicas": replicas},
    }

    found = stream_of(info, "jobs")

    assert (found.is_clustered, found.leader, found.share, found.discards_new) == (True, "n1", 0.9, True)
    assert found.troubles == ("n3 is offline", "n4 is behind by 1,200", "n5 is silent for 8 s")
    assert stream_of({**info, "cluster": {"name": "C1"}}, "jobs").troubles == ("no leader",)
