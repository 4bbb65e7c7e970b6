"""The commands as a shell sees them: what they print, and how they end."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from naq_runtime import Job, JobFailed, NAQConfig, Queue
from naq_runtime.monitor import Monitor
from naq_runtime.services.manager import ServiceManager
from tests.conftest import MakeConfig
from tests.support import sample_tasks as tasks
from tests.support.history import event_types
from tests.support.processes import naq, naq_top, started
from tests.support.waiting import eventually
from tests.support.workers import MODULE, running_worker

TASKS = """
from naq_runtime import task

@task
def count_words(text: str) -> int:
    return len(text.split())

@task
async def explode():
    raise RuntimeError("no \\x1b[31mway")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder of a user, with a module of tasks."""
    (tmp_path / "tasks.py").write_text(TASKS)
    return tmp_path


@asynccontextmanager
async def worker_process(
    config: NAQConfig, *arguments: str, cwd: Path | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker that is up: its lease can be read."""
    async with started("naq_tui.cli.main", "run-worker", *arguments, config=config, cwd=cwd) as process:
        async with ServiceManager(config) as services:
            monitor = await services.get_service(Monitor)

            async def up() -> bool:
                assert process.returncode is None, "the worker has ended"
                return any(record.pid == process.pid for record in await monitor.workers())

            await eventually(up)
        yield process


async def test_a_job_is_enqueued_runs_and_prints_its_result(config: NAQConfig, project: Path) -> None:
    async with worker_process(config, "default", "-m", "tasks", cwd=project):
        finished = await naq("enqueue", "tasks.count_words", '"some more text"', "--wait", config=config)

    assert (finished.code, finished.out) == (0, "3\n")


async def test_without_waiting_the_id_is_all_that_is_printed(config: NAQConfig) -> None:
    finished = await naq("enqueue", "tasks.count_words", "text", "--id", "my-job", config=config)

    assert finished == (0, "my-job\n", "")


async def test_waiting_for_a_job_that_fails_ends_with_5_and_its_error_in_one_inert_line(
    config: NAQConfig, project: Path
) -> None:
    async with worker_process(config, "-m", "tasks", cwd=project) as worker:
        finished = await naq("enqueue", "tasks.explode", "--wait", config=config)
        worker.send_signal(signal.SIGTERM)
        _, log = await worker.communicate()

    assert b"(tasks.explode) failed: RuntimeError: no " in log
    assert b"\x1b" not in log
    assert (finished.code, finished.out) == (5, "")
    assert "RuntimeError: no " in finished.err
    assert "\x1b" not in finished.err
    assert "Traceback" not in finished.err


async def test_a_worker_drains_on_sigterm_and_ends_with_0(config: NAQConfig, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    async with Queue(config=config) as queue, worker_process(config, "-m", MODULE) as worker:
        handle = await queue.enqueue(tasks.nap_plainly, 0.5, mark)
        await eventually(mark.exists)

        worker.send_signal(signal.SIGTERM)
        _, err = await worker.communicate()

        assert await handle.result(timeout=30) == "rested"
    assert worker.returncode == 0
    assert "1 completed, 0 failed, 0 handed back" in err.decode()


async def test_a_worker_whose_thread_never_ends_still_ends_after_its_grace(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    config, mark = make_config(worker__shutdown_grace=0.2), tmp_path / "mark"
    async with Queue(config=config) as queue, worker_process(config, "-m", MODULE) as worker:
        await queue.enqueue(tasks.nap_plainly, 60.0, mark)
        await eventually(mark.exists)

        worker.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            _, err = await worker.communicate()

    assert worker.returncode == 0
    assert "1 handed back" in err.decode()


async def test_a_second_signal_hands_everything_back_at_once(make_config: MakeConfig, tmp_path: Path) -> None:
    config, mark = make_config(worker__shutdown_grace=60), tmp_path / "mark"
    async with Queue(config=config) as queue, worker_process(config, "-m", MODULE) as worker:
        assert worker.stderr is not None
        await queue.enqueue(tasks.nap, 60.0, mark)
        await eventually(mark.exists)

        worker.send_signal(signal.SIGTERM)
        while b"draining" not in await worker.stderr.readline():
            pass
        soonest = time.monotonic() + 0.4  # before that it would be the same wish
        await eventually(lambda: time.monotonic() > soonest)
        worker.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            _, err = await worker.communicate()

    assert "1 handed back" in err.decode()


async def test_the_history_of_a_job_in_all_formats(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, running_worker(config, name="teller"):
        handle = await queue.enqueue(tasks.add, 1)
        await handle.result(timeout=30)

    table = await naq("events", "history", handle.job_id, config=config)
    raw = await naq("events", "history", handle.job_id, "--format", "raw", config=config)
    document = json.loads((await naq("events", "history", handle.job_id, "-f", "json", config=config)).out)

    kinds = ["enqueued", "started", "completed", "result_stored", "result_fetched"]
    header, *rows = table.out.splitlines()
    assert header.split() == ["Time", "Job", "ID", "Event", "Queue", "Worker", "Message"]
    assert [row.split()[2] for row in rows] == kinds
    assert all(row.split()[1] == handle.job_id for row in rows)
    first = raw.out.splitlines()[0].split()
    assert first[1:] == [handle.job_id, "enqueued", "queue=default", "tests.support.sample_tasks.add"]
    assert [event["event_type"] for event in document] == kinds
    assert document[1]["worker_id"] == "teller"


async def test_the_stream_shows_only_what_was_asked_for(config: NAQConfig) -> None:
    async with (
        Queue("mail", config=config) as mail,
        Queue("post", config=config) as post,
        running_worker(config, "mail"),
    ):
        await post.enqueue(tasks.add, 1)
        await (await mail.enqueue(tasks.add, 1)).result(timeout=30)
        await (await mail.enqueue(tasks.add, 2)).result(timeout=30)

    stream = ("events", "stream", "--no-follow", "--tail", "100", "--format", "json")
    finished = await naq(*stream, "--queue", "mail", "--event-type", "completed", config=config)

    events = [json.loads(line) for line in finished.out.splitlines()]
    assert [(event["queue_name"], event["event_type"]) for event in events] == [("mail", "completed")] * 2


@pytest.fixture
async def history_of_failures(config: NAQConfig) -> int:
    """Events of three jobs, one of which has failed; the moment before the last of them, in nanoseconds."""
    async with Queue("mail", config=config) as queue, running_worker(config, "mail", name="w-12"):
        await (await queue.enqueue_job(Job(tasks.add, (1,), job_id="one"))).result(timeout=30)
        with pytest.raises(JobFailed):
            await (await queue.enqueue_job(Job(tasks.fail, ("no such file",), job_id="two"))).result(timeout=30)
        await eventually(lambda: is_told(config, "two", "failed"))
        moment_ns = time.time_ns()
        await (await queue.enqueue_job(Job(tasks.add, (2,), job_id="three"))).result(timeout=30)
        await eventually(lambda: is_told(config, "three", "completed"))
    return moment_ns


async def is_told(config: NAQConfig, job_id: str, event_type: str) -> bool:
    """Whether an event of a job is stored."""
    return event_type in await event_types(config, job_id)


async def streamed(config: NAQConfig, *options: str) -> list[tuple[str, str]]:
    """Jobs and types of what a stream prints that is not followed."""
    finished = await naq("events", "stream", "--no-follow", "-f", "json", *options, config=config)
    assert finished.code == 0, finished.err
    events = [json.loads(line) for line in finished.out.splitlines()]
    return [(event.get("job_id", "-"), event["event_type"]) for event in events]


async def test_a_stream_is_filtered_by_the_grammar_and_by_wildcards(
    config: NAQConfig, history_of_failures: int
) -> None:
    failed = [("two", "failed")]
    tail = ("--tail", "100")
    assert await streamed(config, *tail, "--filter", "type:failed error:file duration<1m") == failed
    assert await streamed(config, *tail, "--filter", '"no such" !type:started', "--worker", "w-1*") == failed
    assert await streamed(config, *tail, "--event-type", "failed,timed_out", "--queue", "ma*") == failed
    assert await streamed(config, *tail, "--worker", "w-2*") == []


async def test_a_stream_has_all_since_a_time_or_until_one(config: NAQConfig, history_of_failures: int) -> None:
    jobs = ("--filter", "job:*")
    before = await streamed(config, *jobs, "--until", str(history_of_failures))
    after = await streamed(config, *jobs, "--since", str(history_of_failures))

    assert {job for job, _ in before} == {"one", "two"}
    assert {job for job, _ in after} >= {"three"}
    assert before + after == await streamed(config, *jobs, "--since", "1h")
    assert await streamed(config, *jobs, "--since", "1h", "--tail", "2") == after[-2:]


async def test_a_history_is_filtered(config: NAQConfig, history_of_failures: int) -> None:
    finished = await naq(
        "events", "history", "two", "--filter", "type:failed OR type:started", "-f", "raw", config=config
    )
    assert [line.split()[2] for line in finished.out.splitlines()] == ["started", "failed"]


async def test_a_history_can_begin_and_end_at_a_time(config: NAQConfig, history_of_failures: int) -> None:
    begun = await naq("events", "history", "three", "--since", str(history_of_failures), "-f", "raw", config=config)
    ended = await naq("job", "events", "three", "--until", str(history_of_failures), config=config)

    assert [line.split()[2] for line in begun.out.splitlines()][:3] == ["enqueued", "started", "completed"]
    assert (ended.code, ended.out) == (0, "")
    assert re.fullmatch("naq: none of the [0-9] events of job three matches\n", ended.err)


async def test_that_nothing_was_found_is_said_beside_the_data(config: NAQConfig, history_of_failures: int) -> None:
    elsewhere = ("--namespace", f"{config.namespace}x")
    asked = [
        await naq("events", "stream", "--no-follow", "--queue", "nosuch", config=config),
        await naq("events", "history", "two", "--filter", "type:progress", config=config),
        await naq("events", "stats", *elsewhere, config=config),
        await naq_top("--once", *elsewhere, config=config),
    ]

    assert [finished.code for finished in asked] == [0] * 4
    assert [re.sub("[0-9]+ events", "all events", finished.err.partition(": ")[2]) for finished in asked] == [
        f"no such event is stored in namespace {config.namespace}\n",
        "none of the all events of job two matches\n",
        "nothing of that time is in the log of this namespace\n",
        "there is no queue, no worker and no event: is it another --namespace?\n",
    ]
    assert asked[0].out + asked[1].out == ""


async def test_a_mistake_in_a_filter_is_pointed_at(config: NAQConfig) -> None:
    finished = await naq("events", "stream", "--filter", "日本 quue:a", "--server", "nats://127.0.0.1:1", config=config)

    assert finished.code == 2
    assert finished.err.splitlines() == [
        "main: the filter is wrong at column 4: unknown field 'quue', did you mean queue?",
        "  日本 quue:a",
        "       ^",
    ]


async def test_a_stream_that_is_interrupted_ends_with_130_and_no_traceback(config: NAQConfig) -> None:
    async with Queue(config=config) as queue:
        await queue.enqueue(tasks.add, 1)
        async with started("naq_tui.cli.main", "events", "stream", "-f", "raw", config=config) as process:
            assert process.stdout is not None
            await process.stdout.readline()
            process.send_signal(signal.SIGINT)
            _, err = await process.communicate()

    assert process.returncode == 130
    assert b"Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["enqueue", "noname"], 2, "'noname' is not the name of a function"),
        (["enqueue", "tasks.x", "-q", "a.b"], 2, "queue 'a.b' is not a valid name"),
        (["enqueue", "tasks.x", "--kwarg", "novalue"], 2, "expected NAME=VALUE"),
        (["enqueue", "tasks.x", "--id", "a b"], 2, "job id 'a b' is not a valid name"),
        (["enqueue", "tasks.x", "--namespace", "No Good"], 2, "namespace 'No Good' is not valid"),
        (["enqueue", "tasks.x", "--wait", "--wait-timeout", "0.2"], 5, "has not ended within 0.2 s"),
        (["enqueue", "tasks.x", "--server", "nats://127.0.0.1:1"], 3, "connection refused"),
        (["enqueue", "tasks.x", "--config", "/no/such/file"], 2, "cannot read the config file"),
        (["run-worker", "-m", "no_such_module"], 2, "there is no module 'no_such_module'"),
        (["run-worker", "a*b", "-m", MODULE], 2, "queue 'a*b' is not a valid name"),
        (["run-worker", "-m", MODULE, "--server", "nats://127.0.0.1:1"], 3, "connection refused"),
        (["run-worker"], 2, "missing option '--module'"),
        (["events", "history", "unheard-of"], 4, "no events of job unheard-of"),
        (["events", "stream", "--since", "noon"], 2, "expected a time such as -10m, 14:02 or 2026-11-27T14:02"),
        (["events", "stream", "--event-type", "faild"], 2, "unknown type 'faild', did you mean failed?"),
        (["events", "history", "one", "--filter", "a)"], 2, "expected the end, found ')'"),
        (["events", "history", "a b"], 2, "job id 'a b' is not a valid name"),
        (["events", "stream", "--server", "nats://127.0.0.1:1"], 3, "Start one with 'naq server'"),
        (["no-such-command"], 2, "no such command"),
    ],
)
async def test_what_is_wrong_is_said_in_a_line_and_by_the_exit_code(
    config: NAQConfig, arguments: list[str], code: int, message: str
) -> None:
    finished = await naq(*arguments, config=config)

    assert finished.code == code
    assert message in finished.err
    assert "Traceback" not in finished.err
    assert finished.out == ""


async def test_a_module_that_fails_at_import_is_named_with_the_line(config: NAQConfig, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import os\nos.no_such_thing\n")

    finished = await naq("run-worker", "-m", "broken", config=config, cwd=tmp_path)

    assert finished.code == 2
    assert "module 'broken' does not import: AttributeError" in finished.err
    assert "line 2" in finished.err


async def test_the_server_command_prints_its_address_and_ends_on_sigterm(tmp_path: Path) -> None:
    async with started("naq_tui.cli.main", "server", "--port", "0", "--store", str(tmp_path)) as process:
        assert process.stdout is not None
        url = (await process.stdout.readline()).decode().strip()
        finished = await naq("enqueue", "tasks.x", "--server", url)
        second = await naq("server", "--port", "0", "--store", str(tmp_path))

        process.send_signal(signal.SIGTERM)
        await process.communicate()

    assert finished.code == 0
    assert (second.code, process.returncode) == (3, 0)
    assert "another server is using the store" in second.err


async def test_one_snapshot_of_everything_as_json(config: NAQConfig) -> None:
    async with Queue("mail", config=config) as queue, running_worker(config, "mail", name="postman"):
        await (await queue.enqueue(tasks.add, 1)).result(timeout=30)
        finished = await naq_top("--once", "--format", "json", config=config)

    document = json.loads(finished.out)
    assert finished.code == 0
    assert document["server"]["version"].startswith("2.")
    assert [queue["name"] for queue in document["queues"]] == ["mail"]
    assert [worker["worker_id"] for worker in document["workers"]] == ["postman"]
    assert document["rates"]["events_missed"] == 0
    assert "completed" in [event["event_type"] for event in document["events"]]


async def test_a_snapshot_without_a_server_ends_with_3() -> None:
    finished = await naq_top("--once", "--server", "nats://127.0.0.1:1")

    assert finished.code == 3
    assert "connection refused" in finished.err
    assert finished.out == ""


async def test_without_a_terminal_the_monitor_says_what_to_do_instead(config: NAQConfig) -> None:
    finished = await naq_top(config=config)

    assert finished.code == 2
    assert "naq-top --once" in finished.err
    assert finished.out == ""
