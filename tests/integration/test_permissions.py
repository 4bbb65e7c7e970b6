"""Each role does its work with no more than the permissions that SECURITY.md lists for it."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

from naq_runtime import EmbeddedServer, Job, JobStatus, NAQConfig, Queue, QueueService, ServiceManager
from naq_runtime.monitor import Monitor
from naq_tui.live import LiveSource
from naq_tui.source import ConnectionState
from tests.support import sample_tasks as tasks
from tests.support.waiting import eventually
from tests.support.workers import running_worker

PRODUCER = """
    publish: ["naq.jobs.>", "naq.later.>", "naq.waiting.>", "naq.needs.>", "naq.met.>", "naq.events.>",
              "$JS.API.INFO", "$JS.API.STREAM.INFO.*", "$JS.API.CONSUMER.INFO.NAQ_JOBS.*",
              "$JS.API.DIRECT.GET.NAQ_JOBS", "$JS.API.DIRECT.GET.NAQ_RESULTS", "$JS.API.STREAM.MSG.DELETE.NAQ_JOBS",
              "$JS.API.DIRECT.GET.OBJ_NAQ_RESULTS"]
    subscribe: ["_INBOX_producer.>", "naq.done.*"]
"""
OPERATOR = """
    publish: ["naq.>", "$KV.NAQ_UNIQUE.*", "$JS.API.>"]
    subscribe: ["_INBOX_operator.>", "naq.done.*"]
"""
WORKER = """
    publish: ["naq.jobs.>", "naq.later.>", "naq.met.>", "naq.handed.*", "naq.dead.>", "naq.events.>", "naq.results.*",
              "naq.done.*", "naq.control.jobs", "$KV.NAQ_WORKERS.*", "$KV.NAQ_RATES.>", "$O.NAQ_RESULTS.>",
              "$JS.ACK.NAQ_JOBS.>",
              "$JS.API.INFO", "$JS.API.STREAM.INFO.*", "$JS.API.CONSUMER.INFO.NAQ_JOBS.*",
              "$JS.API.CONSUMER.MSG.NEXT.NAQ_JOBS.*", "$JS.API.STREAM.MSG.DELETE.NAQ_JOBS",
              "$JS.API.DIRECT.GET.NAQ_JOBS", "$JS.API.DIRECT.GET.NAQ_RESULTS", "$JS.API.DIRECT.GET.KV_NAQ_WORKERS",
              "$JS.API.DIRECT.GET.OBJ_NAQ_RESULTS", "$JS.API.DIRECT.GET.KV_NAQ_RATES"]
    subscribe: ["_INBOX_worker.>", "naq.needs.*.*", "naq.control.>"]
    allow_responses: true
"""
MONITOR = """
    publish: ["$JS.API.INFO", "$JS.API.STREAM.INFO.*", "$JS.API.CONSUMER.LIST.NAQ_JOBS", "$JS.API.DIRECT.GET.*"]
    subscribe: ["_INBOX_monitor.>", "naq.live.>"]
"""
SERVER = f"""
authorization {{
  users: [
    {{user: "admin", password: "x"}},
    {{user: "producer", password: "x", permissions: {{ {PRODUCER} }} }},
    {{user: "operator", password: "x", permissions: {{ {OPERATOR} }} }},
    {{user: "worker", password: "x", permissions: {{ {WORKER} }} }},
    {{user: "monitor", password: "x", permissions: {{ {MONITOR} }} }}
  ]
}}
"""


def config_of(url: str, user: str, **settings: Any) -> NAQConfig:
    arguments: dict[str, Any] = {
        "nats.url": url,
        "nats.user": user,
        "nats.password": "x",
        "nats.inbox_prefix": f"_INBOX_{user}",
    }
    arguments |= {"events.max_bytes": 10_000_000, **settings}
    return NAQConfig.load(arguments=arguments, environ={})


async def test_each_role_works_with_its_own_permissions() -> None:
    async with EmbeddedServer(config=SERVER) as server:
        async with ServiceManager(config_of(server.url, "admin")) as services:
            await services.get_service(Monitor)
            await services.topology.dead()
            await services.topology.objects()
            await services.topology.queue("default")
            await (await services.get_service(QueueService)).limit("limited", rate="1/s")
            await services.topology.bucket(services.names.rates_bucket)

        async with (
            Queue(config=config_of(server.url, "producer")) as queue,
            running_worker(
                config_of(server.url, "worker", **{"results.large": "store"}), "default", "limited", name="modest"
            ),
            LiveSource(config_of(server.url, "monitor")) as source,
            aclosing(source.__aiter__()) as batches,
        ):
            handle = await queue.enqueue(tasks.add, 20, 22)
            assert await handle.result(timeout=10) == 42

            seen: list[str] = []

            async def watched() -> bool:
                batch = await anext(batches)
                seen.extend(str(stored.event.event_type) for stored in batch.events)
                return batch.link.state is ConnectionState.LIVE and "result_stored" in seen

            await eventually(watched)
            detail = await source.job(handle.job_id)

            parent = await queue.enqueue(tasks.nap, 0.2)
            child = await queue.enqueue_job(Job(tasks.add, (1,), depends_on=parent))
            failing = await queue.enqueue_job(Job(tasks.fail, retries=1, retry_delay=0.1))
            endless = await queue.enqueue(tasks.nap, 60)
            assert await child.result(timeout=10) == 2
            assert (await failing.outcome(timeout=10)).attempt == 2
            large = await queue.enqueue(tasks.letters, 2_000_000)
            assert len(await large.result(timeout=10)) == 2_000_000
            limited = [await queue.enqueue_job(Job(tasks.add, (number,), queue_name="limited")) for number in range(2)]
            assert [await one.result(timeout=10) for one in limited] == [1, 2]
            async with Queue(config=config_of(server.url, "operator")) as operators:
                assert await operators.handle(endless.job_id).cancel("enough")
                assert (await endless.outcome(timeout=10)).status is JobStatus.CANCELLED

    assert {"enqueued", "started", "completed"} <= set(seen)
    assert detail.result is not None
    assert detail.result.result == 42
