"""``naq worker``: who works, and how to send them home."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from naq_runtime import NAQConfig, Queue
from tests.acceptance.test_commands import worker_process
from tests.conftest import MakeConfig
from tests.support import sample_tasks as tasks
from tests.support.processes import naq, started
from tests.support.waiting import eventually
from tests.support.workers import MODULE, running_worker


async def test_workers_are_listed_with_what_they_do(config: NAQConfig, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    async with (
        Queue(config=config) as queue,
        running_worker(config, "default", "mail", name="anna", concurrency=3),
        running_worker(config, "post", name="bert"),
    ):
        handle = await queue.enqueue(tasks.nap, 60.0, mark)
        await eventually(mark.exists)

        async def told() -> bool:
            document = json.loads((await naq("worker", "list", "--format", "json", config=config)).out)
            return bool(document[0]["active_jobs"])

        await eventually(told)
        table = await naq("worker", "list", config=config)
        raw = await naq("worker", "list", "--format", "raw", config=config)
        page = await naq("worker", "show", "anna", config=config)
        document = json.loads((await naq("worker", "show", "anna", "--format", "json", config=config)).out)
        await handle.cancel()

    header, *rows = table.out.splitlines()
    titles = ["Worker", "State", "Host", "Queues", "Jobs", "Done", "Failed", "CPU", "Memory", "Seen", "Stuck"]
    assert header.split() == titles
    assert [row.split()[:2] for row in rows] == [["anna", "busy"], ["bert", "idle"]]
    assert "  default mail   1/3  " in rows[0]
    assert [line.split()[:2] for line in raw.out.splitlines()] == [["anna", "busy"], ["bert", "idle"]]
    assert raw.out.splitlines()[0].split()[3:] == ["1/3", "done=0", "failed=0", "stuck=0", "default,mail", "-"]
    assert "jobs        1 of 3 running  0 done, 0 failed" in page.out.splitlines()
    assert f"  {handle.job_id}" in page.out.splitlines()
    assert document["queue_names"] == ["default", "mail"]
    assert (document["running_job_ids"], document["stuck_job_ids"]) == ([handle.job_id], [])
    for name in ("started_at", "beat_at"):
        moment = datetime.fromisoformat(document[name])
        assert moment.tzinfo == UTC
        assert round(moment.timestamp() * 1e6) == document[f"{name}_ns"] // 1000


async def test_where_nobody_works_the_way_to_change_that_is_said(config: NAQConfig) -> None:
    table = await naq("worker", "list", config=config)

    assert (table.code, table.out) == (0, "")
    assert "'naq run-worker' starts one" in table.err
    assert (await naq("worker", "list", "--format", "json", config=config)).out == "[]\n"


async def test_a_worker_lets_its_jobs_end_and_leaves(config: NAQConfig, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    async with Queue(config=config) as queue, worker_process(config, "-m", MODULE, "--name", "anna") as worker:
        handle = await queue.enqueue(tasks.nap, 0.5, mark)
        await eventually(mark.exists)

        stopped = await naq("worker", "stop", "anna", "--reason", "new release", "--wait", config=config)
        async with asyncio.timeout(30):
            _, err = await worker.communicate()
        assert await handle.result(timeout=30) == "rested"

    assert stopped == (0, "", "")
    assert worker.returncode == 0
    assert "1 completed, 0 failed, 0 handed back" in err.decode()
    events = await naq("worker", "events", "anna", "--no-follow", "--format", "json", config=config)
    last = json.loads(events.out.splitlines()[-1])
    assert (last["event_type"], last["reason"]) == ("stopped", "new release")


async def test_a_worker_that_takes_its_time_is_not_waited_for_beyond_the_limit(
    config: NAQConfig, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    async with Queue(config=config) as queue, worker_process(config, "-m", MODULE, "--name", "anna"):
        await queue.enqueue(tasks.nap, 60.0, mark)
        await eventually(mark.exists)

        begun = time.monotonic()
        finished = await naq("worker", "stop", "anna", "--wait-timeout", "500ms", config=config)

    assert (finished.code, finished.out) == (5, "")
    assert "worker anna has not ended within 0.5 s" in finished.err
    assert time.monotonic() - begun < 20


async def test_a_second_stop_hands_the_jobs_back_at_once(make_config: MakeConfig, tmp_path: Path) -> None:
    config, mark = make_config(worker__shutdown_grace=60), tmp_path / "mark"
    async with Queue(config=config) as queue, worker_process(config, "-m", MODULE, "--name", "anna") as worker:
        await queue.enqueue(tasks.nap, 60.0, mark)
        await eventually(mark.exists)

        assert (await naq("worker", "stop", "anna", config=config)).code == 0
        assert (await naq("worker", "stop", "anna", "--wait", config=config)).code == 0
        async with asyncio.timeout(30):
            _, err = await worker.communicate()

    assert "1 handed back" in err.decode()


async def test_the_events_of_a_worker_are_its_own_and_those_of_its_jobs(config: NAQConfig) -> None:
    async with Queue(config=config) as queue:
        async with running_worker(config, name="anna"):
            await (await queue.enqueue(tasks.add, 1)).result(timeout=30)
        async with running_worker(config, name="bert"):
            await (await queue.enqueue(tasks.add, 1)).result(timeout=30)

        async with started(
            *("naq_tui.cli.main", "worker", "events", "bert", "--tail", "0", "--format", "json"), config=config
        ) as process:
            assert process.stdout is not None
            async with running_worker(config, name="bert"):
                await (await queue.enqueue(tasks.add, 1)).result(timeout=30)
                async with asyncio.timeout(30):
                    event = json.loads(await process.stdout.readline())
    past = await naq("worker", "events", "anna", "--no-follow", "--tail", "100", "--format", "json", config=config)
    some = ("--since", "1h", "--filter", "type:completed OR type:stopped", "--no-follow", "--format", "json")
    ends = await naq("worker", "events", "anna", *some, config=config)

    assert event["worker_id"] == "bert"
    events = [json.loads(line) for line in past.out.splitlines()]
    assert {event["worker_id"] for event in events} == {"anna"}
    assert {"started", "completed", "stopped"} <= {event["event_type"] for event in events}
    assert [json.loads(line)["event_type"] for line in ends.out.splitlines()] == ["completed", "stopped"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["show", "nobody"], 4, "no worker named nobody runs; 'naq worker list' shows those that do"),
        (["show", "a b"], 2, "worker 'a b' is not a valid name"),
        (["stop", "nobody"], 4, "no worker named nobody answers"),
        (["stop", "*"], 2, "worker '*' is not a valid name"),
        (["stop", "anna", "--wait-timeout", "x"], 2, "expected a span such as 90s"),
        (["events", "a.b"], 2, "worker 'a.b' is not a valid name"),
        (["list", "--server", "nats://127.0.0.1:1"], 3, "connection refused"),
    ],
)
async def test_what_is_wrong_is_said_by_line_and_exit_code(
    config: NAQConfig, arguments: list[str], code: int, message: str
) -> None:
    finished = await naq("worker", *arguments, config=config)

    assert (finished.code, finished.out) == (code, "")
    assert message in finished.err
    assert "Traceback" not in finished.err
