"""The metrics of a namespace, scraped as Prometheus does."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from naq_runtime import EventService, NAQConfig, Queue, ServiceManager
from naq_runtime.errors import ConfigError, ServerUnreachable
from naq_runtime.events.models import JobEvent, JobEventType, StoredEvent
from naq_runtime.events.storage import TailedEvents
from naq_runtime.prometheus import counting
from naq_runtime.prometheus.counting import EventMetrics
from naq_runtime.prometheus.process import serving
from tests.conftest import MakeConfig
from tests.support import sample_tasks as tasks
from tests.support.processes import naq, started
from tests.support.restarting import restartable
from tests.support.scraping import samples, scraped
from tests.support.server import config_for
from tests.support.waiting import eventually
from tests.support.workers import running_worker


@asynccontextmanager
async def endpoint(config: NAQConfig) -> AsyncIterator[int]:
    async with ServiceManager(config, role="monitor") as services, serving(services) as port:
        yield port


async def test_jobs_are_counted_and_what_stands_is_shown(make_config: MakeConfig) -> None:
    config = make_config(metrics__port=0, metrics__interval=0.1)
    add, fail = (f"tests.support.sample_tasks.{name}" for name in ("add", "fail"))

    async with endpoint(config) as port, Queue("mail", config=config) as queue:
        async with running_worker(config, "mail"):
            for number in range(5):
                await (await queue.enqueue(tasks.add, number, 1)).result(timeout=30)
            await (await queue.enqueue(tasks.fail)).outcome(timeout=30)
            await eventually(lambda: _has(port, f"naq_job_events_total{{function={fail},queue=mail,type=failed}}", 1))
            busy = await eventually(lambda: _once(port, "naq_workers{state=idle}", 1))
        for number in range(3):
            await queue.enqueue(tasks.add, number, 1)
        await queue.pause()
        waiting = await eventually(lambda: _once(port, "naq_queue_paused{queue=mail}", 1))
        found = await eventually(lambda: _once(port, "naq_workers{state=idle}", 0))

    assert found[f"naq_job_events_total{{function={add},queue=mail,type=completed}}"] == 5
    assert found[f"naq_job_run_seconds_count{{function={add},queue=mail}}"] == 5
    assert found["naq_job_wait_seconds_count{queue=mail}"] == 6
    assert found["naq_events_missed_total"] == 0
    assert busy["naq_worker_slots"] == 4
    assert waiting["naq_queue_jobs{queue=mail,state=waiting}"] == 3
    assert 0 < waiting["naq_queue_oldest_seconds{queue=mail}"] < 10
    assert found["naq_up"] == 1
    assert found[f"naq_stream_messages{{stream={config.names.events_stream}}}"] > 0


async def _has(port: int, name: str, value: float) -> bool:
    return (await scraped(port)).get(name) == value


async def _once(port: int, name: str, value: float) -> dict[str, float]:
    found = await scraped(port)
    return found if found.get(name) == value else {}


async def test_an_outage_shows_and_nothing_is_counted_twice_or_lost(tmp_path: Path) -> None:
    async with restartable(tmp_path) as server:
        config = config_for(server.url, metrics__port=0, metrics__interval=0.1, nats__request_timeout=0.5)
        name = "naq_job_events_total{function=,queue=mail,type=log}"
        async with ServiceManager(config, role="test") as services, endpoint(config) as port:
            events = await services.get_service(EventService)
            for _ in range(500):
                events.job(JobEventType.LOG, job_id="j", queue_name="mail")
            await events.flush()
            await eventually(lambda: _has(port, name, 500))
            await server.stop()
            down = await eventually(lambda: _once(port, "naq_up", 0))
            for _ in range(500):
                events.job(JobEventType.LOG, job_id="j", queue_name="mail")
            await server.start()
            await events.flush()
            await eventually(lambda: _has(port, name, 1000), within=20)
            up = await eventually(lambda: _once(port, "naq_up", 1))

    assert not [sample for sample in down if sample.startswith("naq_queue")]
    assert down[name] == 500
    assert (up[name], up["naq_events_missed_total"]) == (1000, 0)


async def test_the_command_says_that_the_server_is_lost_and_back_and_shows_it_at_once(tmp_path: Path) -> None:
    async with restartable(tmp_path) as server:
        config = config_for(server.url)
        (tmp_path / "naq.toml").write_text("[metrics]\ninterval = 300")
        async with started("naq_tui.cli.main", "metrics", "--port", "0", config=config, cwd=tmp_path) as process:
            port = int((await _line(process, "metrics at")).rpartition(":")[2].partition("/")[0])
            await eventually(lambda: _once(port, "naq_up", 1))
            await server.stop()
            await _line(process, "connection lost, reconnecting")
            await eventually(lambda: _once(port, "naq_up", 0))
            await server.start()
            await _line(process, "connected again")
            await eventually(lambda: _once(port, "naq_up", 1))


async def _line(process: Process, said: str) -> str:
    """The next line on stderr that says so."""
    assert process.stderr is not None
    async with asyncio.timeout(20):
        async for line in process.stderr:
            if said in line.decode():
                return line.decode()
    raise AssertionError(f"it ended without saying: {said}")


async def test_a_port_that_is_taken_is_told(make_config: MakeConfig) -> None:
    async with endpoint(make_config(metrics__port=0)) as port:
        with pytest.raises(ConfigError, match=f"cannot be served on 127.0.0.1:{port}"):
            async with endpoint(make_config(metrics__port=port)):
                pass


async def test_what_ends_it_is_told_as_it_is(make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    config = make_config(metrics__port=0)
    with pytest.raises(ServerUnreachable, match="has ended the connection"):
        async with endpoint(config):
            raise ServerUnreachable("the server has ended the connection")

    def broken(metrics: EventMetrics, batch: TailedEvents) -> None:
        raise LookupError("a mistake in here")

    monkeypatch.setattr(EventMetrics, "apply", broken)

    async def served() -> None:
        async with endpoint(config), ServiceManager(config) as services:
            (await services.get_service(EventService)).job(JobEventType.COMPLETED, job_id="j", queue_name="q")
            await asyncio.Event().wait()

    with pytest.raises(LookupError, match="a mistake in here"):
        await served()


async def test_the_command_serves_until_it_is_ended(config: NAQConfig) -> None:
    async with started("naq_tui.cli.main", "metrics", "--port", "0", config=config) as process:
        port = int((await _line(process, "metrics at")).rpartition(":")[2].partition("/")[0])
        found = await eventually(lambda: _once(port, "naq_up", 1))
        process.terminate()
        assert await process.wait() == 0

    assert "naq_server_rtt_seconds" in found
    refused = await naq("metrics", "--host", "192.0.2.1", config=config)
    assert (refused.code, "cannot be served on 192.0.2.1:9464" in refused.err) == (2, True)


# Without a server


def tailed(*events: JobEvent, missed: int = 0) -> TailedEvents:
    return TailedEvents([StoredEvent(number, event) for number, event in enumerate(events, 1)], missed)


def log(queue: str, function: str) -> JobEvent:
    return JobEvent(event_type=JobEventType.LOG, timestamp_ns=1, job_id="j", queue_name=queue, function_name=function)


def test_events_that_could_not_be_read_are_counted_as_such() -> None:
    registry = CollectorRegistry()

    EventMetrics(registry).apply(tailed(log("q", "f"), missed=7))

    assert samples(generate_latest(registry).decode())["naq_events_missed_total"] == 7


def test_names_that_are_made_up_share_a_label_once_there_are_too_many() -> None:
    registry = CollectorRegistry()
    counted = EventMetrics(registry)

    counted.apply(tailed(*(log(f"q{number}", 'f"\n\\' + "x" * 10_000) for number in range(1000))))

    text = generate_latest(registry).decode()
    found = {name: value for name, value in samples(text).items() if name.startswith("naq_job_events_total")}
    assert len(found) == counting._MOST_QUEUES + 1
    assert sum(found.values()) == 1000
    assert max(map(len, found)) < 500


def test_queues_and_functions_that_are_made_up_do_not_multiply() -> None:
    registry = CollectorRegistry()
    counted = EventMetrics(registry)

    counted.apply(tailed(*(log(f"q{number}", f"f{function}") for number in range(100) for function in range(100))))

    text = generate_latest(registry).decode()
    found = {name: value for name, value in samples(text).items() if name.startswith("naq_job_events_total")}
    assert len(found) <= counting._MOST_PAIRS + counting._MOST_QUEUES
    assert sum(found.values()) == 10_000
