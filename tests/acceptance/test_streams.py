"""Commands that go on: what they miss, how they end, and what they do when the server was away."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from naq_runtime import Job, NAQConfig, Queue
from tests.acceptance.test_top_in_a_terminal import Looked
from tests.support import sample_tasks as tasks
from tests.support.processes import environment, naq, started
from tests.support.restarting import restartable
from tests.support.server import config_for
from tests.support.waiting import eventually
from tests.tui.test_terminal import Terminal

NAQ = "naq_tui.cli.main"
ENDED = "connected again after"


class Lines:
    """The lines that a process has printed by now."""

    def __init__(self, stream: asyncio.StreamReader) -> None:
        self.lines: list[str] = []
        self._reading = asyncio.create_task(self._read(stream))

    async def _read(self, stream: asyncio.StreamReader) -> None:
        while line := await stream.readline():
            self.lines.append(line.decode().rstrip("\n"))

    async def all(self) -> list[str]:
        """Those that come until the process has ended."""
        await self._reading
        return self.lines


class Running:
    """A command that goes on."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self.process = process
        self.out, self.err = Lines(process.stdout), Lines(process.stderr)

    async def interrupted(self) -> int:
        """The code with which it ends after Ctrl-C, and once all is read."""
        self.process.send_signal(signal.SIGINT)
        return await self.ended()

    async def ended(self) -> int:
        """The code with which it ends, and once all is read."""
        await self.out.all()
        await self.err.all()
        return await self.process.wait()

    async def end(self) -> None:
        """End it, whatever it does."""
        if self.process.returncode is None:
            self.process.kill()
        await self.ended()


@asynccontextmanager
async def going_on(config: NAQConfig, *arguments: str) -> AsyncIterator[Running]:
    async with started(NAQ, *arguments, config=config) as process:
        running = Running(process)
        try:
            yield running
        finally:
            await running.end()


async def produce(config: NAQConfig, count: int) -> None:
    """Enqueue so many jobs, one after the other."""
    async with Queue("mail", config=config) as queue:
        for number in range(count):
            await queue.enqueue(tasks.add, number)


def sequences(lines: list[str]) -> list[int]:
    return [json.loads(line)["sequence"] for line in lines]


async def test_history_goes_over_into_what_comes_with_no_gap_and_no_repeat(config: NAQConfig) -> None:
    async with Queue("mail", config=config) as queue:
        await queue.enqueue_many(Job(tasks.add, (number,)) for number in range(1_500))
    async with started(NAQ, "events", "stream", "--since", "1h", "--format", "json", config=config) as process:
        assert process.stdout is not None
        first = (await process.stdout.readline()).decode()
        await produce(config, 100)  # while it waits for somebody who reads the history
        stream = Running(process)
        await produce(config, 200)  # and while it goes over
        await eventually(lambda: sum('"enqueued"' in line for line in stream.out.lines) >= 1_799, within=20)
        assert await stream.interrupted() == 130

    told = sequences([first, *stream.out.lines])
    assert told == list(range(1, len(told) + 1))
    assert stream.err.lines == []


async def test_a_restart_of_the_server_is_told_and_nothing_is_missed_or_told_twice(tmp_path: Path) -> None:
    async with restartable(tmp_path) as server:
        config = config_for(server.url)
        await produce(config, 20)
        async with (
            going_on(config, "events", "stream", "--since", "1h", "-f", "json") as stream,
            going_on(config, "queue", "list", "--watch", "0.2", "-f", "json") as queues,
            going_on(config, "stats", "--watch", "0.2", "-f", "json", "--fail-if", "queue_depth >= 60") as stats,
        ):
            commands = (stream, queues, stats)
            await eventually(lambda: all(one.out.lines for one in commands), within=20)

            await server.kill()
            await eventually(lambda: all(one.err.lines for one in commands))
            await server.start()
            await eventually(lambda: all(ENDED in one.err.lines[-1] for one in commands), within=20)
            await produce(config, 30)
            await eventually(lambda: '"waiting":50' in queues.out.lines[-1], within=20)
            await eventually(lambda: '"waiting":50' in stats.out.lines[-1], within=20)
            await eventually(lambda: sum('"enqueued"' in line for line in stream.out.lines) == 50, within=20)
            await produce(config, 10)

            assert await stats.ended() == 5
            assert await queues.interrupted() == 130
            assert await stream.interrupted() == 130

    for one in commands:
        lost, back, *more = one.err.lines
        assert lost.endswith("connection lost, reconnecting")
        assert re.search(ENDED + r" \d.* m?s$", back)
        assert len(more) == (one is stats), more
    assert "queue_depth{queue=mail} is 60, >= 60" in stats.err.lines[-1]
    told = sequences(stream.out.lines)
    assert told == list(range(1, len(told) + 1))


async def test_a_job_is_followed_from_its_beginning(config: NAQConfig) -> None:
    async with Queue("mail", config=config) as queue:
        one = await queue.enqueue_job(Job(tasks.add, (1,), job_id="one"))
        other = await queue.enqueue_job(Job(tasks.add, (1,), job_id="other"))
        async with going_on(config, "job", "events", "one", "--follow", "--format", "json") as told:
            await eventually(lambda: told.out.lines, within=20)
            assert await other.cancel()
            assert await one.cancel()
            await eventually(lambda: len(told.out.lines) >= 2, within=20)
            assert await told.interrupted() == 130

    events = [json.loads(line) for line in told.out.lines]
    assert [(event["job_id"], event["event_type"]) for event in events[:2]] == [
        ("one", "enqueued"),
        ("one", "cancelled"),
    ]
    assert {event["job_id"] for event in events} == {"one"}


@pytest.mark.parametrize("count", [1, 300], ids=["while nothing comes", "in the middle of a history"])
async def test_it_ends_at_once_and_without_a_word_when_its_reader_has_gone(config: NAQConfig, count: int) -> None:
    await produce(config, count)
    command = shlex.join([sys.executable, "-m", NAQ, "events", "stream", "--tail", str(count), "-f", "raw"])

    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", f"{command} | head -1; echo ended with ${{PIPESTATUS[0]}}"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(config),
    )
    async with asyncio.timeout(20):
        out, err = await process.communicate()

    assert out.decode().splitlines()[1:] == ["ended with 0"]
    assert err == b""


async def test_in_a_pipe_looks_follow_each_other_and_what_is_beside_them_is_said_once(config: NAQConfig) -> None:
    await produce(config, 1)
    watching = ("stats", "--watch", "0.1", "--format", "raw", "--fail-if", "queue_depth{queue=mial} > 9")
    async with going_on(config, *watching) as watch:
        await eventually(lambda: len(watch.out.lines) >= 8, within=20)
        assert await watch.interrupted() == 130

    assert [line.partition(" ")[0] for line in watch.out.lines[:8]] == [*["mail", "(all)", ""] * 2, "mail", "(all)"]
    assert watch.err.lines == ["naq: there is no queue mial, which --fail-if names"]


@pytest.mark.parametrize(
    ("group", "found"),
    [("worker", []), ("dead", []), ("schedule", []), ("alerts", []), ("job", ["one"])],
)
async def test_lists_are_watched_as_a_document_a_line(config: NAQConfig, group: str, found: list[str]) -> None:
    if found:
        async with Queue("mail", config=config) as queue:
            await queue.enqueue_job(Job(tasks.add, (1,), job_id="one"))

    async with going_on(config, group, "list", "--watch", "0.1", "--format", "json") as watch:
        await eventually(lambda: len(watch.out.lines) >= 2, within=20)
        assert await watch.interrupted() == 130

    assert [[one["job_id"] for one in json.loads(line)] for line in watch.out.lines[:2]] == [found, found]


def in_terminal(config: NAQConfig, *arguments: str) -> Terminal:
    given = {name: value for name, value in environment(config).items() if name.startswith("NAQ_")}
    return Terminal(*arguments, module=NAQ, **given)


async def test_in_a_terminal_a_watched_table_stays_in_its_place(config: NAQConfig) -> None:
    await produce(config, 1)
    terminal = in_terminal(config, "queue", "list", "--watch", "0.1")
    try:
        screen = Looked(terminal)
        await screen.shows(r"mail +no worker +1 ")
        await produce(config, 6)
        await screen.shows(r"mail +no worker +7 ")

        assert len(re.findall("^Queue ", screen.text, re.MULTILINE)) == 1
        assert re.search(r"^\d\d:\d\d:\d\d  every 0.1 s", screen.text, re.MULTILINE)
        assert b"\x1b[2J" not in terminal.output, "the screen was emptied: it flickers"
        terminal.process.send_signal(signal.SIGINT)
        await eventually(lambda: terminal.process.poll() is not None)
        assert terminal.process.returncode == 130
    finally:
        terminal.close()


async def test_in_a_terminal_a_stream_is_one_table_whose_columns_stay_where_they_are(config: NAQConfig) -> None:
    async with Queue("a-queue-of-a-long-name", config=config) as long, Queue("q", config=config) as short:
        await long.enqueue_job(Job(tasks.add, (1,), job_id="a-job-of-a-very-long-name-that-fits-nowhere"))
        terminal = in_terminal(config, "events", "stream", "--event-type", "enqueued")
        try:
            screen = Looked(terminal)
            await screen.shows("enqueued")
            await short.enqueue_job(Job(tasks.add, (1,), job_id="j"))
            await screen.shows("enqueued(.|\n)*enqueued")
            header, first, second = screen.text.splitlines()[:3]
        finally:
            terminal.close()

    assert header.split() == ["Time", "Job", "ID", "Event", "Queue", "Worker", "Message"]
    for name, wanted in (("Event", "+ enqueued"), ("Message", "tests.")):
        assert {first.index(wanted), second.index(wanted)} == {header.index(name)}


async def test_a_watch_that_cannot_be_read_at_first_ends_with_3() -> None:
    finished = await naq("queue", "list", "--watch", "--server", "nats://127.0.0.1:1")

    assert (finished.code, finished.out) == (3, "")
