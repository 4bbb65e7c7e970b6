"""What comes from others reaches the terminal inert, and stops no command."""

from __future__ import annotations

import pytest

from naq_runtime import NAQConfig, ServiceManager
from naq_runtime.monitor import Monitor
from tests.support.processes import naq, naq_top

EVIL = "\\u001b]0;pwn\\u0007J\\nforged line"


async def put_hostile_events(config: NAQConfig) -> None:
    async with ServiceManager(config) as services:
        await services.get_service(Monitor)
        names, publish = config.names, services.connection.request
        head = '{"v":1,"category":"job","event_id":"e-1"'
        event = f'{head},"timestamp_ns":5,"event_type":"started","job_id":"{EVIL}","queue_name":"{EVIL}"}}'
        await publish(names.job_event("a", "b", "started", "e-1"), event.encode())
        other = f'{{"v":9,"category":"{EVIL}","event_type":"{EVIL}","timestamp_ns":6}}'
        await publish(names.job_event("a", "b", "started", "e-2"), other.encode())
        beyond = f'{{"v":9,"category":"x","event_type":"late","timestamp_ns":{10**30}}}'
        await publish(names.job_event("a", "b", "started", "e-3"), beyond.encode())
        worker = '{"worker_id":"w","state":"idle","hostname":"h","pid":1,"queue_names":[],"concurrency_limit":1,'
        worker += f'"started_at_ns":1,"beat_at_ns":1,"heartbeat_interval":1,"rss_bytes":{10**400}}}'
        await publish(names.bucket_key(names.workers_bucket, "w"), worker.encode())


@pytest.mark.parametrize("form", ["table", "raw", "json"])
async def test_events_of_others_are_printed_inert(config: NAQConfig, form: str) -> None:
    await put_hostile_events(config)

    stream = await naq("events", "stream", "--no-follow", "--format", form, config=config)
    once = await naq_top("--once", "--format", form, config=config)

    for finished in (stream, once):
        assert finished.code == 0, finished.err
        assert "\x1b" not in finished.out
        assert "\x07" not in finished.out
    assert not any(line.startswith("forged") for line in stream.out.splitlines())


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["enqueue", "a.b", "[" * 20_000], 0),
        (["enqueue", "a.b", "--server", ""], 2),
        (["enqueue", "a.b", "--server", " , "], 2),
        (["enqueue", "a.b", "--wait", "--wait-timeout", "nan"], 2),
        (["server", "--store", "/proc/nope", "--port", "0"], 3),
        (["server", "--store", "/dev/null", "--port", "0"], 3),
    ],
    ids=str,
)
async def test_odd_arguments_end_without_a_traceback(config: NAQConfig, arguments: list[str], code: int) -> None:
    finished = await naq(*arguments, config=config)

    assert finished.code == code, finished.err
    assert "Traceback" not in finished.err
