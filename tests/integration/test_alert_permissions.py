"""What a scheduler may do that watches rules of alerts, and what those may who look at them, silence or acknowledge."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from naq_runtime import EmbeddedServer, EventService, NAQConfig, Queue, ServiceManager
from naq_runtime.alerts.rules import parse_rule
from naq_runtime.errors import ServerUnreachable
from naq_runtime.services.alerts import AlertService
from tests.integration.test_alerts import told
from tests.integration.test_permissions import (
    MONITOR,
    OPERATOR,
    SCHEDULER,
    config_of,
    ready,
    refusals,
    running_scheduler,
)
from tests.support import sample_tasks as tasks
from tests.support.receiver import receiving
from tests.support.waiting import eventually
from tests.support.workers import running_worker

READS_EVENTS = '"$JS.API.DIRECT.GET.NAQ_EVENTS", '
PUBLISHES = (
    '"naq.events.alert.*.*.*", "$KV.NAQ_ALERTS.rule.*", "$JS.API.CONSUMER.LIST.NAQ_JOBS", '
    f'{READS_EVENTS}"$JS.API.DIRECT.GET.KV_NAQ_ALERTS"'
)
WATCHER = SCHEDULER.replace('publish: ["naq.schedules', f'publish: [{PUBLISHES}, "naq.schedules').replace(
    '"naq.control.schedules"]', '"naq.control.schedules", "naq.live.>"]'
)
SERVER = f"""
authorization {{
  users: [
    {{user: "admin", password: "x"}},
    {{user: "operator", password: "x", permissions: {{ {OPERATOR} }} }},
    {{user: "scheduler", password: "x", permissions: {{ {WATCHER} }} }},
    {{user: "monitor", password: "x", permissions: {{ {MONITOR} }} }}
  ]
}}
"""
RULES = {
    "depth": {"rule": "queue_depth > 0 clear for 0s", "webhook": "chat"},
    "age": {"rule": "queue_age > 1h"},
    "dead": {"rule": "dead_letters > 5"},
    "failing": {"rule": "failed_rate > 5%"},
    "lost": {"rule": "worker_lost"},
    "few": {"rule": "workers < 0"},
}


def watcher_of(url: str, hook: str, **settings: Any) -> NAQConfig:
    rules = {"alerts": RULES, "webhooks": {"chat": {"url": hook}}, "scheduler.alerts_interval": 0.2}
    return config_of(url, "scheduler", **rules, **settings)


async def test_each_role_does_its_part_in_alerts_with_its_own_permissions() -> None:
    with receiving() as receiver:
        async with EmbeddedServer(config=SERVER) as server, ServiceManager(config_of(server.url, "admin")) as admin:
            await ready(admin)
            await admin.topology.bucket(admin.names.alerts_bucket)
            async with (
                Queue("mail", services=admin) as queue,
                ServiceManager(watcher_of(server.url, receiver.url), role="scheduler") as services,
                running_scheduler(services),
            ):
                handle = await queue.enqueue(tasks.add, 1)
                await eventually(lambda: receiver.requests)
                async with (
                    ServiceManager(config_of(server.url, "operator")) as operators,
                    ServiceManager(config_of(server.url, "monitor"), role="monitor") as monitors,
                ):
                    await (await operators.get_service(AlertService)).silence("depth", 60, by="ada")
                    await (await operators.get_service(AlertService)).acknowledge("depth", by="ada")
                    seen = await monitors.get_service(AlertService)
                    records = {record.name: record for record in await seen.alerts()}
                    for rule in RULES.values():
                        assert await seen.values(parse_rule(rule["rule"])) is not None
                async with running_worker(config_of(server.url, "admin"), "mail"):
                    await handle.result(timeout=30)

                async def over() -> bool:
                    events = await told(config_of(server.url, "admin"))
                    kinds = [event.event_type.value for event in events]
                    return kinds == ["alert_firing", "alert_acknowledged", "alert_resolved"]

                await eventually(over)

            assert set(records) == set(RULES)
            assert records["depth"].alerts[0].acknowledged_by == "ada"
            assert records["depth"].silenced_until_ns
            assert refusals(server) == []
        assert len(receiver.requests) == 1


async def test_a_scheduler_can_neither_silence_nor_speak_for_others() -> None:
    async with EmbeddedServer(config=SERVER) as server, ServiceManager(config_of(server.url, "admin")) as admin:
        await ready(admin)
        await admin.topology.bucket(admin.names.alerts_bucket)
        impatient = config_of(server.url, "scheduler", **{"nats.request_timeout": 1.0})
        async with ServiceManager(impatient, role="scheduler") as services:
            forbidden = [
                "$KV.NAQ_ALERTS.silence.depth",
                "$KV.NAQ_ALERTS.ack.depth.key",
                "$JS.API.STREAM.DELETE.KV_NAQ_ALERTS",
                "$JS.API.STREAM.MSG.DELETE.NAQ_EVENTS",
                "naq.events.worker.anna.stopped.1",
            ]
            asked = await asyncio.gather(*map(services.connection.request, forbidden), return_exceptions=True)

            assert [type(answer) for answer in asked] == [ServerUnreachable] * len(forbidden)
            said = "\n".join(refusals(server))
            assert [subject for subject in forbidden if f'"{subject}"' not in said] == []


async def test_a_scheduler_that_may_not_read_events_keeps_schedules_and_says_what_is_wrong(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with (
        EmbeddedServer(config=SERVER.replace(READS_EVENTS, "")) as server,
        ServiceManager(config_of(server.url, "admin")) as admin,
    ):
        await ready(admin)
        await admin.topology.bucket(admin.names.alerts_bucket)
        await (await admin.get_service(EventService)).flush()
        async with Queue("mail", services=admin) as queue:
            await queue.enqueue(tasks.add, 1)
        config = watcher_of(server.url, "http://127.0.0.1:9", **{"nats.request_timeout": 0.5})
        async with ServiceManager(config, role="scheduler") as services, running_scheduler(services) as leading:
            await eventually(lambda: "alerts cannot be evaluated now" in caplog.text, within=20)
            assert leading.leads

    assert caplog.text.count("alerts cannot be evaluated now") == 1
