"""Every process that emits says when it begins and when it ends; long-lived ones what they cost."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from naq_runtime import EventService, JobStatus, NAQConfig, Queue, ServiceManager
from naq_runtime.events.models import JobEventType, SystemEvent
from naq_runtime.monitor import Monitor
from naq_runtime.version import VERSION
from tests.conftest import MakeConfig
from tests.support import sample_tasks as tasks
from tests.support.history import all_events
from tests.support.processes import naq, started
from tests.support.waiting import eventually
from tests.support.workers import MODULE, running_worker

RUN = ("naq_tui.cli.main", "run-worker")


async def of_processes(config: NAQConfig, *types: str) -> list[SystemEvent]:
    """What processes said of themselves."""
    events = [stored.event for stored in await all_events(config)]
    return [event for event in events if isinstance(event, SystemEvent) and event.event_type in types]


async def test_a_producer_says_so_with_its_first_event_and_at_its_end(config: NAQConfig) -> None:
    async with Queue(config=config) as queue:
        await queue.enqueue(tasks.add, 1)

    kinds = [str(stored.event.event_type) for stored in await all_events(config)]
    assert kinds == ["startup", "enqueued", "shutdown"]
    begun, ended = await of_processes(config, "startup", "shutdown")
    assert (begun.role, begun.version, begun.pid) == ("producer", VERSION, os.getpid())
    assert begun.instance == ended.instance
    assert ended.reason == "closed"
    enqueued = (await all_events(config))[1].event
    assert begun.timestamp_ns <= enqueued.timestamp_ns <= ended.timestamp_ns
    assert [event.event_id.rpartition("-")[2] for event in (begun, enqueued, ended)] == ["1", "2", "3"]


async def test_who_only_reads_says_nothing(config: NAQConfig) -> None:
    async with ServiceManager(config, role="monitor") as services:
        events = await services.get_service(EventService)
        await (await services.get_service(Monitor)).snapshot()
        assert await events.get_recent_events() == []

    assert await all_events(config) == []


async def test_who_does_not_log_says_nothing_either(make_config: MakeConfig) -> None:
    config = make_config(events__enabled=False)
    async with ServiceManager(config, role="worker") as services:
        await services.get_service(EventService)

    assert await all_events(config) == []


async def test_the_type_of_an_error_that_ends_a_process_is_its_reason_and_not_its_text(config: NAQConfig) -> None:
    async def fail_while_open() -> None:
        async with ServiceManager(config, role="producer") as services:
            events = await services.get_service(EventService)
            events.job(JobEventType.ENQUEUED, job_id="j1", queue_name="mail")
            raise LookupError("postgres://shop:secret@db/shop")

    with pytest.raises(LookupError):
        await fail_while_open()

    (ended,) = await of_processes(config, "shutdown")
    assert ended.reason == "LookupError"
    assert "secret" not in ended.message


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
async def test_a_worker_says_when_it_begins_what_it_costs_and_why_it_ends(
    make_config: MakeConfig, number: signal.Signals
) -> None:
    config = make_config(events__metrics_interval=0.2)
    async with started(*RUN, "mail", "--module", MODULE, config=config) as worker:

        async def has_told() -> bool:
            return len(await of_processes(config, "metrics")) >= 2

        await eventually(has_told, within=20)
        worker.send_signal(number)
        async with asyncio.timeout(20):
            await worker.wait()

    begun, ended = await of_processes(config, "startup", "shutdown")
    assert (begun.role, begun.version, begun.pid) == ("worker", VERSION, worker.pid)
    assert (ended.pid, ended.reason) == (worker.pid, number.name)
    costs = (await of_processes(config, "metrics"))[1]
    assert costs.rss_bytes is not None
    assert costs.rss_bytes > 10_000_000
    assert costs.open_files is not None
    assert costs.open_files > 3
    assert costs.loop_lag_ms is not None
    assert costs.events_dropped == 0


async def test_a_scheduler_says_that_it_is_there_and_why_it_ends(config: NAQConfig) -> None:
    async with started("naq_tui.cli.main", "run-scheduler", config=config) as scheduler:

        async def is_there() -> bool:
            return any(event.pid == scheduler.pid for event in await of_processes(config, "startup"))

        await eventually(is_there, within=20)
        scheduler.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            await scheduler.wait()

    told = await of_processes(config, "startup", "shutdown")
    assert [(str(event.event_type), event.role, event.reason) for event in told] == [
        ("startup", "scheduler", None),
        ("shutdown", "scheduler", "SIGTERM"),
    ]


async def test_a_worker_that_is_killed_says_nothing_more(config: NAQConfig) -> None:
    async with started(*RUN, "mail", "--module", MODULE, config=config) as worker:

        async def is_there() -> bool:
            return bool(await of_processes(config, "startup"))

        await eventually(is_there, within=20)
        worker.kill()
        await worker.wait()

    assert await of_processes(config, "shutdown") == []


async def test_a_command_that_enqueues_is_a_process_too(config: NAQConfig) -> None:
    finished = await naq("enqueue", "tests.support.sample_tasks.add", "1", config=config)
    assert finished.code == 0, finished.err

    told = await of_processes(config, "startup", "shutdown")
    assert [str(event.event_type) for event in told] == ["startup", "shutdown"]


async def test_a_log_that_refuses_events_although_its_server_is_there_is_told_once_it_takes_them_again(
    config: NAQConfig,
) -> None:
    async with ServiceManager(config, role="test") as services:
        events = await services.get_service(EventService)
        events.job(JobEventType.ENQUEUED, job_id="before", queue_name="mail")
        await events.flush()
        stream = services.names.events_stream
        settings = (await services.connection.api(f"STREAM.INFO.{stream}"))["config"]

        await services.connection.api(f"STREAM.UPDATE.{stream}", settings | {"max_msg_size": 10})
        events.job(JobEventType.ENQUEUED, job_id="meanwhile", queue_name="mail")
        await eventually(lambda: events.statistics().failed_flushes >= 2)
        await services.connection.api(f"STREAM.UPDATE.{stream}", settings | {"max_msg_size": -1})
        await events.flush()

    error, recovered = await of_processes(config, "error", "recovered")
    assert (error.part, recovered.part) == ("events", "events")
    assert error.error_message
    assert recovered.outage_ms is not None
    assert recovered.outage_ms > 0
    assert len(await all_events(config, job_id="meanwhile")) == 1


async def test_a_worker_that_cannot_store_outcomes_is_in_trouble_until_it_can(
    config: NAQConfig, tmp_path: Path
) -> None:
    async with ServiceManager(config) as services, Queue(services=services) as queue, running_worker(config):
        stream = services.names.results_stream
        settings = (await services.connection.api(f"STREAM.INFO.{stream}"))["config"]
        handle = await queue.enqueue(tasks.nap, 2.0, tmp_path / "begun")
        await eventually((tmp_path / "begun").exists)

        await services.connection.api(f"STREAM.UPDATE.{stream}", settings | {"max_msg_size": 10})

        async def is_in_trouble() -> bool:
            return bool(await of_processes(config, "error"))

        await eventually(is_in_trouble)
        assert await of_processes(config, "recovered") == []
        await services.connection.api(f"STREAM.UPDATE.{stream}", settings | {"max_msg_size": -1})
        assert (await handle.outcome(timeout=30)).status is JobStatus.FAILED  # its own result was refused once

    error, recovered = await of_processes(config, "error", "recovered")
    assert (error.role, error.part, recovered.part) == ("worker", "outcomes", "outcomes")
