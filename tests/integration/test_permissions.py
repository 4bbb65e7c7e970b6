"""Each role does its work with no more than the permissions that SECURITY.md lists for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from naq_runtime import (
    After,
    EmbeddedServer,
    EventService,
    Job,
    JobFailed,
    JobStatus,
    NAQConfig,
    Queue,
    QueueService,
    SchedulerService,
    ServiceManager,
)
from naq_runtime.errors import ServerUnreachable
from naq_runtime.events.models import JobEventType, StoredEvent
from naq_runtime.events.storage import NATSJobEventStorage
from naq_runtime.finding.query import JobQuery
from naq_runtime.jobs.overdue import Overdue
from naq_runtime.monitor import Monitor
from naq_runtime.nats.connection import Msg
from naq_runtime.processing import processor as processor_module
from naq_runtime.processing.dead import DeadEvents
from naq_runtime.prometheus.process import serving
from naq_runtime.scheduler.chores import chores_of
from naq_runtime.scheduler.scheduler import Scheduler
from naq_runtime.services.statistics import writer_of
from naq_tui.source import ConnectionState
from naq_tui.sources.live import LiveSource
from tests.support import sample_tasks as tasks
from tests.support.restarting import RestartableServer, restartable
from tests.support.scraping import scraped
from tests.support.waiting import eventually
from tests.support.workers import running_worker

PRODUCER = """
    publish: ["naq.jobs.>", "naq.later.>", "naq.waiting.>", "naq.needs.>", "naq.awaited.*", "naq.met.>", "naq.events.>",
              "$JS.API.INFO", "$JS.API.STREAM.INFO.*", "$JS.API.CONSUMER.INFO.NAQ_JOBS.*",
              "$JS.API.DIRECT.GET.NAQ_JOBS", "$JS.API.DIRECT.GET.NAQ_RESULTS", "$JS.API.STREAM.MSG.DELETE.NAQ_JOBS",
              "$JS.API.DIRECT.GET.OBJ_NAQ_RESULTS"]
    subscribe: ["_INBOX_producer.>", "naq.done.*"]
"""
OPERATOR = """
    publish: ["naq.>", "$KV.NAQ_UNIQUE.*", "$KV.NAQ_ALERTS.silence.*", "$KV.NAQ_ALERTS.ack.*.*", "$JS.API.>"]
    subscribe: ["_INBOX_operator.>", "naq.done.*"]
"""
WORKER = """
    publish: ["naq.jobs.>", "naq.later.>", "naq.met.>", "naq.handed.*", "naq.dead.>", "naq.events.>", "naq.results.*",
              "naq.done.*", "naq.control.jobs", "$KV.NAQ_WORKERS.>", "$KV.NAQ_RATES.>", "$O.NAQ_RESULTS.>",
              "$JS.ACK.NAQ_JOBS.>",
              "$JS.API.INFO", "$JS.API.STREAM.INFO.*", "$JS.API.CONSUMER.INFO.NAQ_JOBS.*",
              "$JS.API.CONSUMER.MSG.NEXT.NAQ_JOBS.*", "$JS.API.STREAM.MSG.DELETE.NAQ_JOBS",
              "$JS.API.DIRECT.GET.NAQ_JOBS", "$JS.API.DIRECT.GET.NAQ_RESULTS", "$JS.API.DIRECT.GET.KV_NAQ_WORKERS",
              "$JS.API.DIRECT.GET.OBJ_NAQ_RESULTS", "$JS.API.DIRECT.GET.KV_NAQ_RATES", "$JS.API.DIRECT.GET.NAQ_EVENTS"]
    subscribe: ["_INBOX_worker.>", "naq.awaited.*", "naq.control.>"]
    allow_responses: true
"""
SCHEDULER = """
    publish: ["naq.schedules.*", "naq.jobs.*.*", "naq.later.*.*", "naq.met.*.*", "naq.results.*", "naq.done.*",
              "naq.events.schedule.>", "naq.events.system.>",
              "naq.events.job.*.*.enqueued.*", "naq.events.job.*.*.scheduled.*", "naq.events.job.*.*.cancelled.*",
              "naq.events.job.*.*.result_stored.*", "naq.events.job.*.*.dependency_satisfied.*",
              "naq.events.job.*.*.dependency_failed.*", "naq.events.job.*.*.started.*",
              "naq.events.job.*.*.completed.*", "naq.events.job.*.*.failed.*",
              "naq.events.job.*.*.timed_out.*", "naq.events.job.*.*.dead_lettered.*",
              "naq.events.worker.*.lost.*",
              "naq.control.schedules", "naq.control.jobs", "naq.stats.>", "$KV.NAQ_LEADER.scheduler",
              "$JS.API.INFO", "$JS.API.STREAM.INFO.*", "$JS.API.CONSUMER.INFO.NAQ_JOBS.*",
              "$JS.API.DIRECT.GET.NAQ_JOBS", "$JS.API.DIRECT.GET.NAQ_RESULTS", "$JS.API.DIRECT.GET.KV_NAQ_LEADER",
              "$JS.API.DIRECT.GET.NAQ_EVENTS", "$JS.API.DIRECT.GET.NAQ_STATS", "$JS.API.STREAM.PURGE.NAQ_EVENTS",
              "$JS.API.DIRECT.GET.KV_NAQ_WORKERS", "$JS.API.DIRECT.GET.KV_NAQ_ALERTS",
              "$JS.API.STREAM.MSG.DELETE.NAQ_JOBS"]
    subscribe: ["_INBOX_scheduler.>", "naq.control.schedules"]
"""
MONITOR = """
    publish: ["$JS.API.INFO", "$JS.API.STREAM.INFO.*", "$JS.API.CONSUMER.LIST.NAQ_JOBS",
              "$JS.API.CONSUMER.LIST.NAQ_EVENTS", "$JS.API.CONSUMER.LIST.NAQ_PROCESSORS", "$JS.API.DIRECT.GET.*"]
    subscribe: ["_INBOX_monitor.>", "naq.live.>"]
"""
PROCESSOR = """
    publish: ["naq.processors.*.dead.*", "naq.events.system.>",
              "$JS.API.INFO", "$JS.API.STREAM.INFO.*",
              "$JS.API.CONSUMER.INFO.NAQ_EVENTS.*", "$JS.API.CONSUMER.INFO.NAQ_PROCESSORS.*",
              "$JS.API.CONSUMER.MSG.NEXT.NAQ_EVENTS.*", "$JS.API.CONSUMER.MSG.NEXT.NAQ_PROCESSORS.*",
              "$JS.ACK.NAQ_EVENTS.>", "$JS.ACK.NAQ_PROCESSORS.>",
              "$JS.API.DIRECT.GET.NAQ_EVENTS", "$JS.API.DIRECT.GET.NAQ_PROCESSORS",
              "$JS.API.STREAM.MSG.DELETE.NAQ_PROCESSORS"]
    subscribe: ["_INBOX_processor.>"]
"""
SERVER = f"""
authorization {{
  users: [
    {{user: "admin", password: "x"}},
    {{user: "producer", password: "x", permissions: {{ {PRODUCER} }} }},
    {{user: "operator", password: "x", permissions: {{ {OPERATOR} }} }},
    {{user: "worker", password: "x", permissions: {{ {WORKER} }} }},
    {{user: "scheduler", password: "x", permissions: {{ {SCHEDULER} }} }},
    {{user: "monitor", password: "x", permissions: {{ {MONITOR} }} }},
    {{user: "processor", password: "x", permissions: {{ {PROCESSOR} }} }}
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
            assert await handle.result(timeout=30) == 42

            seen: list[str] = []

            async def watched() -> bool:
                batch = await anext(batches)
                seen.extend(str(stored.event.event_type) for stored in batch.events)
                return batch.link.state is ConnectionState.LIVE and "result_stored" in seen

            await eventually(watched)
            detail = await source.questions.job(handle.job_id)
            pages = source.questions.find_jobs(JobQuery("state:completed,dead,queued,running"))
            found = [job.job_id async for page in pages for job in page.jobs]
            assert found == [handle.job_id]
            assert await source.questions.failures(0) == []

            parent = await queue.enqueue(tasks.nap, 0.2)
            child = await queue.enqueue_job(Job(tasks.add, (1,), depends_on=parent))
            failing = await queue.enqueue_job(Job(tasks.fail, retries=1, retry_delay=0.1))
            endless = await queue.enqueue(tasks.nap, 60)
            assert await child.result(timeout=30) == 2
            assert (await failing.outcome(timeout=30)).attempt == 2
            large = await queue.enqueue(tasks.letters, 2_000_000)
            assert len(await large.result(timeout=30)) == 2_000_000
            limited = [await queue.enqueue_job(Job(tasks.add, (number,), queue_name="limited")) for number in range(2)]
            assert [await one.result(timeout=30) for one in limited] == [1, 2]
            async with Queue(config=config_of(server.url, "operator")) as operators:
                assert await operators.handle(endless.job_id).cancel("enough")
                assert (await endless.outcome(timeout=30)).status is JobStatus.CANCELLED

    assert {"enqueued", "started", "completed"} <= set(seen)
    assert detail.result is not None
    assert detail.result.result == 42


async def test_who_only_reads_says_nothing_also_when_the_server_was_away(tmp_path: Path) -> None:
    async with restartable(tmp_path, SERVER) as server:
        async with ServiceManager(config_of(server.url, "admin")) as services:
            await ready(services)
        reading, back = config_of(server.url, "monitor"), asyncio.Event()
        async with (
            LiveSource(reading) as source,
            aclosing(source.__aiter__()) as batches,
            ServiceManager(reading, role="monitor") as services,
            serving(services),
        ):
            events = await services.get_service(EventService)

            async def note() -> None:
                back.set()

            async def shown(state: ConnectionState) -> bool:
                return (await anext(batches)).link.state is state

            services.connection.on_restored.append(note)
            await eventually(lambda: shown(ConnectionState.LIVE))
            await server.kill()
            await eventually(lambda: shown(ConnectionState.RECONNECTING))
            await server.start()
            await back.wait()
            await eventually(lambda: shown(ConnectionState.LIVE))
            assert events.statistics().buffered == events.statistics().failed_flushes == 0
        assert refusals(server) == []


def refusals(server: EmbeddedServer | RestartableServer) -> list[str]:
    """What the server has refused, as it says itself."""
    return [line for line in server.log.read_text().splitlines() if "Violation" in line]


async def ready(services: ServiceManager) -> None:
    """Make what the roles need."""
    await services.get_service(Monitor)
    await services.topology.dead()
    await services.topology.queue("default")
    await services.topology.stats()
    await services.topology.bucket(services.names.leader_bucket)
    await services.topology.bucket(services.names.queues_bucket)


@asynccontextmanager
async def running_scheduler(services: ServiceManager) -> AsyncIterator[Scheduler]:
    """One that leads, stopped at the end of the block."""
    scheduler = Scheduler(services, instance_id="boris")
    running = asyncio.create_task(scheduler.run())
    try:
        await eventually(lambda: scheduler.leads)
        yield scheduler
    finally:
        scheduler.request_stop()
        await running


async def test_a_scheduler_does_the_whole_job_with_its_own_permissions() -> None:
    async with EmbeddedServer(config=SERVER) as server, ServiceManager(config_of(server.url, "admin")) as admin:
        await ready(admin)
        schedules = await admin.get_service(SchedulerService)
        queue = Queue("default", services=admin)
        async with (
            queue,
            ServiceManager(config_of(server.url, "scheduler"), role="scheduler") as services,
            running_scheduler(services),
        ):
            await schedules.schedule_job(Job(tasks.add, (1,)), {"every": 0.2, "repeat": 2, "schedule_id": "twice"})
            endless = {"every": 0.5, "overlap": "cancel", "schedule_id": "endless"}
            await schedules.schedule_job(Job(tasks.nap, (60,)), endless)
            await admin.connection.request("naq.schedules.broken", b"{no schedule")
            await schedules.modify("twice", args=(5,))
            parent = await queue.enqueue(tasks.fail)
            async with running_worker(config_of(server.url, "admin"), "default"):
                with pytest.raises(JobFailed):
                    await parent.result(timeout=30)
                await eventually(lambda: event_of(admin, "twice", "schedule_finished"))
                await eventually(lambda: event_of(admin, "endless", "schedule_triggered", 3))
                await eventually(lambda: event_of(admin, "broken", "scheduler_error"))
                assert (await schedules.get("endless")).missed_ticks == 0
                await schedules.cancel("endless")

            late_ns = time.time_ns() + 3600 * 10**9  # by which the chores look: everything is overdue
            heirs = [
                Job(tasks.add, (1,), job_id="success", depends_on=After(parent.job_id, on="success")),
                Job(tasks.add, (1,), job_id="failure", depends_on=After(parent.job_id, on="failure")),
                Job(
                    tasks.add,
                    (1,),
                    job_id="always",
                    depends_on=After(parent.job_id, on="always"),
                    run_at_ns=2 * late_ns,
                ),
            ]
            for heir in heirs:  # as of a producer that died before it had looked for the parent's outcome
                stored = heir.evolve(function="tests.support.sample_tasks.add", queue_name="default")
                payload = admin.serializer.encode_job(stored)
                await admin.connection.request(f"naq.waiting.default.{heir.job_id}", payload)
            await queue.enqueue_job(Job(tasks.add, (1,), job_id="later", run_at_ns=late_ns - 60 * 10**9))
            rules = (await services.get_service(SchedulerService)).rules
            overdue = Overdue(services.streams, services.names, lambda: late_ns)
            due_retries, dependency_release, expired_records = chores_of(overdue, rules.dependencies)
            assert await dependency_release.do() == 3
            assert await due_retries.do() == 1
            await expired_records.do()
            assert await rolled_up(services) > 0
            assert await queue.handle("failure").status() is JobStatus.QUEUED
            assert await queue.handle("always").status() is JobStatus.SCHEDULED
            assert (await queue.handle("success").outcome(timeout=30)).status is JobStatus.CANCELLED

        assert await event_of(admin, "boris", "leader_resigned")
        assert refusals(server) == []


async def rolled_up(services: ServiceManager) -> int:
    """How many events a scheduler rolls up, as if two minutes had passed; and that a monitor can read it."""
    writer = writer_of(services, ahead_ns=120 * 10**9)
    counted = await writer.catch_up()
    monitor = config_of(services.config.nats.url, "monitor")
    async with ServiceManager(monitor, role="monitor") as reading:
        answer = await (await reading.get_service(EventService)).get_event_statistics(
            until_ns=time.time_ns() + 3600 * 10**9
        )
        watching = await reading.get_service(Monitor)
        trends, told = await watching.trends(3600, ("queue",)), await watching.server()
        listed = await watching.consumers("NAQ_JOBS")
    assert answer.rolled_up > 0
    assert trends.statistics.rolled_up + trends.statistics.scanned > 0
    assert told.missing == ()
    assert [one.name for one in listed] == ["queue-default"]
    return counted


async def event_of(services: ServiceManager, entity: str, event_type: str, times: int = 1) -> bool:
    """Whether somebody has said this of a schedule, or of a scheduler."""
    events = await services.get_service(EventService)
    await events.flush()
    stored = await services.streams.last(services.names.events_stream, [f"naq.events.*.*.{event_type}.*"])
    return len([one for one in stored if entity in one.data.decode()]) >= times


async def test_a_scheduler_can_do_nothing_else() -> None:
    async with EmbeddedServer(config=SERVER) as server, ServiceManager(config_of(server.url, "admin")) as admin:
        await ready(admin)
        impatient = config_of(server.url, "scheduler", **{"nats.request_timeout": 1.0})
        async with ServiceManager(impatient, role="scheduler") as services:
            forbidden = [
                "$JS.API.STREAM.DELETE.NAQ_JOBS",
                "$JS.API.STREAM.PURGE.NAQ_JOBS",
                "$JS.API.STREAM.UPDATE.NAQ_JOBS",
                "$JS.API.STREAM.MSG.DELETE.NAQ_RESULTS",
                "$JS.API.CONSUMER.MSG.NEXT.NAQ_JOBS.queue-default",
                "$JS.API.CONSUMER.DELETE.NAQ_JOBS.queue-default",
                "$JS.API.CONSUMER.CREATE.NAQ_JOBS",
                "$JS.API.STREAM.PURGE.NAQ_STATS",
                "$JS.API.DIRECT.GET.NAQ_DEAD",
                "$JS.API.DIRECT.GET.KV_NAQ_QUEUES",
                "naq.events.worker.anna.worker_started.1",
                "naq.events.job.one.default.progress.1",
                "naq.dead.default.job",
                "naq.control.worker.anna",
                "$KV.NAQ_WORKERS.anna",
                "$KV.NAQ_QUEUES.default",
                "$KV.NAQ_LEADER.somebody",
            ]
            asked = await asyncio.gather(*map(services.connection.request, forbidden), return_exceptions=True)
            for subject in ("naq.jobs.>", "naq.live.>", "naq.done.*", "_INBOX_worker.>"):
                await services.connection.subscribe(subject, ignore)
            await services.connection.flush()

            assert [type(answer) for answer in asked] == [ServerUnreachable] * len(forbidden)
            said = "\n".join(refusals(server))
            assert [subject for subject in forbidden if f'"{subject}"' not in said] == []
            assert said.count("Subscription Violation") == 4


async def test_a_processor_does_the_whole_job_with_its_own_permissions_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processor_module, "_RETRY_S", 0.02)
    seen: list[str] = []
    tried: list[int] = []

    async def see(stored: StoredEvent) -> None:
        job_id = str(getattr(stored.event, "job_id", ""))
        tried.append(stored.sequence)
        if job_id == "bad" and tried.count(stored.sequence) < 4:
            raise LookupError("not at first")
        seen.append(job_id)

    jobs = {"event_type": "completed"}
    async with EmbeddedServer(config=SERVER) as server, ServiceManager(config_of(server.url, "admin")) as admin:
        events = await admin.get_service(EventService)
        async with events.process_events("billing", see, filters=jobs):
            pass  # which makes what the processor may not make
        impatient = config_of(server.url, "processor", **{"nats.request_timeout": 1.0})
        async with ServiceManager(impatient, role="processor") as services:
            own = await services.get_service(EventService)
            async with own.process_events("billing", see, filters=jobs, retries=1) as processor:
                for job_id in ("good", "bad"):
                    events.job(JobEventType.COMPLETED, job_id=job_id, queue_name="mail")
                await eventually(lambda: processor.statistics().dead == 1)
                operators = DeadEvents(admin.streams, admin.names)
                await operators.retry(await anext(operators.list("billing")))
                await eventually(lambda: seen == ["good", "bad"])
                await eventually(lambda: processor.statistics().held == 0)
            log = NATSJobEventStorage(services.connection, services.config, services.topology)
            assert list(await log.histories(["good"])) == ["good"]
            dead = [one async for one in DeadEvents(services.streams, services.names).list("billing")]
            await own.flush()
            assert (dead, refusals(server)) == ([], [])

            forbidden = [
                "naq.processors.billing.again.1",
                "naq.jobs.default.job",
                "naq.events.job.one.default.completed.1",
                "$JS.API.CONSUMER.DELETE.NAQ_EVENTS.processor-billing",
                "$JS.API.CONSUMER.MSG.NEXT.NAQ_JOBS.queue-default",
                "$JS.API.STREAM.DELETE.NAQ_PROCESSORS",
                "$JS.API.STREAM.MSG.DELETE.NAQ_EVENTS",
                "$JS.API.DIRECT.GET.NAQ_JOBS",
                "$JS.API.DIRECT.GET.NAQ_RESULTS",
            ]
            asked = await asyncio.gather(*map(services.connection.request, forbidden), return_exceptions=True)

            assert [type(answer) for answer in asked] == [ServerUnreachable] * len(forbidden)
            assert [one for one in forbidden if not any(f'"{one}"' in line for line in refusals(server))] == []


async def test_the_metrics_are_served_with_the_permissions_of_a_monitor() -> None:
    async with EmbeddedServer(config=SERVER) as server, ServiceManager(config_of(server.url, "admin")) as admin:
        await ready(admin)
        await admin.topology.processors()
        config = config_of(server.url, "monitor", **{"metrics.port": 0, "metrics.interval": 0.1})
        async with ServiceManager(config, role="monitor") as services, serving(services) as port:

            async def is_up() -> bool:
                return (await scraped(port))["naq_up"] == 1

            await eventually(is_up)

        assert refusals(server) == []


async def ignore(_: Msg) -> None:
    pass
