"""``naq dead``: what failed for good, put back or forgotten, by name or by the hundred."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from naq_runtime import Job, NAQConfig, Queue
from naq_runtime.services.jobs import JobService
from naq_runtime.services.manager import ServiceManager
from tests.support import sample_tasks as tasks
from tests.support.processes import Finished, environment, naq
from tests.support.waiting import eventually
from tests.support.workers import running_worker

INTERRUPT = b"\x03"
FAIL = "tests.support.sample_tasks.fail"


async def bury(config: NAQConfig, *jobs: Job) -> None:
    """Let jobs fail for good, one after the other."""
    async with Queue(config=config) as queue, running_worker(config, "default", "mail", name="digger"):
        for job in jobs:
            handle = await queue.enqueue_job(job)
            await handle.outcome(timeout=30)


async def letters(config: NAQConfig) -> list[str]:
    async with ServiceManager(config) as services:
        jobs = await services.get_service(JobService)
        return [letter.job_id async for letter in jobs.dead_letters()]


def failing(job_id: str, message: str = "boom", queue: str = "default") -> Job:
    return Job(tasks.fail, (message,), job_id=job_id, queue_name=queue)


async def in_terminal(config: NAQConfig, *arguments: str, answer: bytes) -> Finished:
    """Run a command whose questions somebody answers: input and errors are a terminal."""
    return await asyncio.to_thread(_answered, config, arguments, answer)


def _answered(config: NAQConfig, arguments: tuple[str, ...], answer: bytes) -> Finished:
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "naq_tui.cli.main", *arguments],
        stdin=slave,
        stdout=subprocess.PIPE,
        stderr=slave,
        env=environment(config),
        start_new_session=True,
    )
    os.close(slave)
    try:
        said = b""
        while b"[y/N]" not in said:
            said += os.read(master, 4096)
        if answer == INTERRUPT:
            process.send_signal(signal.SIGINT)  # as the terminal of a shell would
        else:
            os.write(master, answer)
        out, _ = process.communicate(timeout=20)
        said += os.read(master, 65536)
    finally:
        process.kill()
        os.close(master)
    return Finished(process.returncode, out.decode(), said.decode())


async def test_dead_letters_are_listed_with_what_killed_them(config: NAQConfig) -> None:
    await bury(config, failing("one", "first \x1b[31mred"), failing("two", queue="mail"))

    table = await naq("dead", "list", config=config)
    raw = await naq("dead", "list", "--format", "raw", config=config)
    document = json.loads((await naq("dead", "list", "-f", "json", config=config)).out)

    header, *rows = table.out.splitlines()
    assert header.split() == ["Died", "Job", "Queue", "Function", "Tries", "Error"]
    assert [row.split()[1:5] for row in rows] == [["one", "default", FAIL, "1"], ["two", "mail", FAIL, "1"]]
    assert rows[1].endswith("ValueError: boom")
    assert "\x1b" not in table.out + raw.out
    assert [line.split()[1:6] for line in raw.out.splitlines()] == [
        ["one", "default", FAIL, "1", "ValueError"],
        ["two", "mail", FAIL, "1", "ValueError"],
    ]
    assert [letter["job_id"] for letter in document] == ["one", "two"]
    assert document[1]["error_message"] == "boom"
    moment = datetime.fromisoformat(document[1]["died_at"])
    assert moment.tzinfo == UTC
    assert round(moment.timestamp() * 1e6) == document[1]["died_at_ns"] // 1000


@pytest.mark.parametrize(
    ("arguments", "job_ids"),
    [
        (["--queue", "ma*"], ["two"]),
        (["--function", "*.fail"], ["one", "two", "three"]),
        (["--function", "*.nap"], []),
        (["--error", "Value*", "--queue", "default"], ["one", "three"]),
        (["--before", "1h"], []),
        (["--before", "0"], ["one", "two", "three"]),
        (["--limit", "2"], ["two", "three"]),
        (["--limit", "0"], ["one", "two", "three"]),
    ],
    ids=str,
)
async def test_a_list_has_only_what_is_meant(config: NAQConfig, arguments: list[str], job_ids: list[str]) -> None:
    await bury(config, failing("one"), failing("two", queue="mail"), failing("three"))

    finished = await naq("dead", "list", "--format", "json", *arguments, config=config)

    assert [letter["job_id"] for letter in json.loads(finished.out)] == job_ids
    assert ("not shown: 1 older" in finished.err) == ("2" in arguments)


async def test_where_nothing_is_dead_nothing_is_printed(config: NAQConfig) -> None:
    table = await naq("dead", "list", config=config)
    document = await naq("dead", "list", "--format", "json", config=config)

    assert table == (0, "", "naq: there are no such dead letters\n")
    assert document == (0, "[]\n", "")


async def test_a_dead_letter_is_shown_with_arguments_and_traceback(config: NAQConfig) -> None:
    await bury(config, failing("one", "no \x1b[31mway"))

    page = await naq("dead", "show", "one", config=config)
    document = json.loads((await naq("dead", "show", "one", "--format", "json", config=config)).out)

    lines = page.out.splitlines()
    assert f"function    {FAIL}" in lines
    assert "worker      digger" in lines
    assert any(line.startswith("  ValueError: no ") for line in lines)
    assert "  Traceback (most recent call last):" in lines
    assert "\x1b" not in page.out
    assert (document["args"], document["attempts"], document["error_type"]) == (["no \x1b[31mway"], 1, "ValueError")
    assert document["traceback"].startswith("Traceback")


async def test_letters_that_are_named_are_put_back_without_a_question(config: NAQConfig) -> None:
    await bury(config, failing("one"), failing("two"))

    finished = await naq("dead", "retry", "two", "unheard-of", config=config)

    assert (finished.code, finished.out) == (1, "two\n")
    assert finished.err == "naq: there is no dead letter of job unheard-of\n"
    assert await letters(config) == ["one"]
    status = json.loads((await naq("job", "show", "two", "--format", "json", config=config)).out)["status"]
    assert status == "queued"


async def test_a_job_that_is_put_back_can_die_again(config: NAQConfig) -> None:
    await bury(config, failing("one"))
    assert (await naq("dead", "retry", "--all", "--yes", config=config)).out == "one\n"
    assert await letters(config) == []

    async with running_worker(config):
        await eventually(lambda: letters(config))

    events = json.loads((await naq("job", "events", "one", "--format", "json", config=config)).out)
    requeued = next(event for event in events if event["event_type"] == "requeued")
    assert "@" in requeued["by"]


async def test_a_dry_run_shows_what_would_go_and_leaves_it(config: NAQConfig) -> None:
    await bury(config, failing("one"), failing("two", queue="mail"))

    chosen = await naq("dead", "delete", "--queue", "mail", "--dry-run", "--format", "json", config=config)
    named = await naq("dead", "retry", "one", "unheard-of", "--dry-run", config=config)

    assert [letter["job_id"] for letter in json.loads(chosen.out)] == ["two"]
    assert named.code == 1
    assert named.out.splitlines()[1].split()[1] == "one"
    assert "no dead letter of job unheard-of" in named.err
    assert await letters(config) == ["one", "two"]


async def test_a_yes_in_the_terminal_deletes_and_anything_else_does_not(config: NAQConfig) -> None:
    await bury(config, failing("one"), failing("two", queue="mail"))

    for answer in (b"n\n", b"\n", b"\x04"):
        refused = await in_terminal(config, "dead", "delete", "--all", answer=answer)
        assert (refused.code, refused.out) == (130, "")
        assert "nothing was done" in refused.err
    assert await letters(config) == ["one", "two"]
    agreed = await in_terminal(config, "dead", "delete", "--queue", "mail", answer=b"y\n")

    assert "ValueError: boom" in agreed.err
    assert "Delete 1 dead letter for good? [y/N]" in agreed.err
    assert (agreed.code, agreed.out) == (0, "two\n")
    assert await letters(config) == ["one"]


async def test_an_interrupted_question_ends_with_130(config: NAQConfig) -> None:
    await bury(config, failing("one"))

    finished = await in_terminal(config, "dead", "delete", "one", answer=INTERRUPT)

    assert finished.code == 130
    assert "Traceback" not in finished.err
    assert await letters(config) == ["one"]


async def test_many_go_at_once(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, running_worker(config, concurrency=10):
        handles = await queue.enqueue_many(failing(f"job-{number}") for number in range(60))
        for handle in handles:
            await handle.outcome(timeout=20)

    finished = await naq("dead", "delete", "--all", "--yes", config=config)

    assert finished.code == 0
    assert len(finished.out.splitlines()) == 60
    assert await letters(config) == []


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["delete", "--all"], 2, "there is no terminal to ask on: say --yes"),
        (["delete", "one"], 2, "there is no terminal to ask on: say --yes"),
        (["retry", "--queue", "mail"], 2, "there is no terminal to ask on: say --yes"),
        (["delete", "--yes"], 2, "name jobs, or else choose"),
        (["retry"], 2, "name jobs, or else choose"),
        (["retry", "one", "--all"], 2, "name jobs, or else choose"),
        (["delete", "*", "--yes"], 2, "job id '*' is not a valid name"),
        (["delete", "--before", "soon", "--yes"], 2, "expected a span such as 90s"),
        (["delete", "unheard-of", "--yes"], 4, "there is no dead letter of job unheard-of"),
        (["retry", "unheard-of", "never-was"], 4, "there is no dead letter of job never-was"),
        (["show", "unheard-of"], 4, "there is no dead letter of job unheard-of"),
        (["show", "a.b"], 2, "job id 'a.b' is not a valid name"),
        (["list", "--server", "nats://127.0.0.1:1"], 3, "connection refused"),
    ],
)
async def test_what_is_wrong_is_said_by_line_and_exit_code(
    config: NAQConfig, arguments: list[str], code: int, message: str
) -> None:
    finished = await naq("dead", *arguments, config=config)

    assert (finished.code, finished.out) == (code, "")
    assert message in finished.err
    assert "Traceback" not in finished.err
