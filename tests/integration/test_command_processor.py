"""A program that processes events."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path

import msgspec
import psutil
import pytest

from naq_runtime.errors import ProcessingError, Unavailable
from naq_runtime.events.models import JobEvent, JobEventType, StoredEvent
from naq_runtime.processors.command import Command
from naq_runtime.processors.settings import CommandSettings
from tests.support.processes import command_of, is_gone
from tests.support.waiting import eventually


def some(count: int) -> list[StoredEvent]:
    made = JobEvent(event_type=JobEventType.LOG, timestamp_ns=1, job_id="j", queue_name="q", text="x" * 1000)
    return [StoredEvent(sequence, made) for sequence in range(1, count + 1)]


def python(code: str, *arguments: object, **settings: object) -> Command:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return Command(CommandSettings(command=command, **settings))  # type: ignore[arg-type]


async def test_it_reads_the_events_as_lines_of_json(tmp_path: Path) -> None:
    command = python("import sys; open(sys.argv[1], 'w').write(sys.stdin.read())", tmp_path / "got")

    await command(some(500))

    lines = (tmp_path / "got").read_bytes().splitlines()
    assert [msgspec.json.decode(line)["sequence"] for line in lines] == list(range(1, 501))


async def test_a_text_runs_in_a_shell(tmp_path: Path) -> None:
    command = Command(CommandSettings(command=f"wc -l | cat > {tmp_path}/count", shell=True))

    await command(some(3))

    assert (tmp_path / "count").read_text().strip() == "3"


@pytest.mark.parametrize(
    ("code", "kind", "says"),
    [
        ("import sys; sys.exit('no\\nroom')", ProcessingError, "ended with exit code 1: no room"),
        ("import sys; sys.exit(75)", Unavailable, "ended with exit code 75"),
        ("import os; os.kill(os.getpid(), 9)", ProcessingError, "ended with signal 9"),
        ("import sys; sys.stderr.write('x' * 100_000); sys.exit(1)", ProcessingError, r"exit code 1: x{500}$"),
    ],
)
async def test_how_it_ends_says_what_becomes_of_the_events(code: str, kind: type[Exception], says: str) -> None:
    with pytest.raises(ProcessingError, match=says) as raised:
        await python(code)(some(1))

    assert type(raised.value) is kind


async def test_one_that_reads_nothing_is_no_fault_of_the_events() -> None:
    await python("pass")(some(1000))


async def test_one_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be started"):
        await Command(CommandSettings(command=[str(tmp_path / "none")]))(some(1))


@pytest.mark.parametrize("how", ["timeout", "cancel"])
async def test_one_that_takes_too_long_is_killed_with_all_that_it_started(tmp_path: Path, how: str) -> None:
    code = (
        "import subprocess, sys, time; child = subprocess.Popen(['sleep', '60']);"
        "open(sys.argv[1], 'w').write(f'{child.pid} '); time.sleep(60)"
    )
    pids = tmp_path / "pids"
    running = asyncio.create_task(python(code, pids, timeout=1.5 if how == "timeout" else 60)(some(1)))
    await eventually(lambda: pids.exists() and pids.read_text().endswith(" "))
    if how == "cancel":
        running.cancel()

    with pytest.raises(ProcessingError if how == "timeout" else asyncio.CancelledError):
        await running

    await eventually(lambda: is_gone(int(pids.read_text())))
    assert not [one for one in psutil.Process(os.getpid()).children() if str(pids) in command_of(one)]


@pytest.mark.parametrize("how", ["", "setsid "])
async def test_what_it_leaves_behind_does_not_hold_it_up(tmp_path: Path, how: str) -> None:
    left = f"{how}sh -c 'echo $$ > {tmp_path}/left; exec sleep 60' & until [ -s {tmp_path}/left ]; do :; done"
    command = Command(CommandSettings(command=f"{left}; echo done >&2; exit 3", shell=True, timeout=20))
    before = len(os.listdir("/dev/fd"))

    try:
        async with asyncio.timeout(30):
            with pytest.raises(ProcessingError, match="ended with exit code 3: done"):
                await command(some(1))
        await eventually(lambda: len(os.listdir("/dev/fd")) <= before)
    finally:
        with suppress(ProcessLookupError):
            os.kill(int((tmp_path / "left").read_text()), 9)
