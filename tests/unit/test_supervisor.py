"""Keeping processes running: when one is started again, and what ends all of them. The processes are real and small."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from naq_runtime.clock import ManualClock
from naq_runtime.worker.supervisor import Backoff, Supervisor
from tests.support.waiting import eventually

UNTIL_SIGTERM = """
import os, pathlib, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
pathlib.Path(sys.argv[1]).open("a").write(f"{sys.argv[2]} {os.getpid()}\\n")
while True:
    signal.pause()
"""
"""Leaves its name and number in a file once it is ready for the signal."""
ONCE_9_THEN_3 = """
import pathlib, sys
mark = pathlib.Path("-".join(sys.argv[1:]))
again = mark.exists()
mark.touch()
sys.exit(3 if again else 9)
"""
ONCE_1_THEN_0 = ONCE_9_THEN_3.replace("3 if again else 9", "0 if again else 1")


def python(code: str, *arguments: object) -> Callable[[str, int], list[str]]:
    """Makes the command line of a process that runs some code, with the arguments and its name."""
    return lambda name, _: [sys.executable, "-S", "-c", code, *map(str, arguments), name]


class Sleeps:
    """Stands in for sleeping: writes down how long, and returns at once, but for the last time."""

    def __init__(self, most: int) -> None:
        self.seconds: list[float] = []
        self._most = most
        self.enough = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        if len(self.seconds) >= self._most:
            self.enough.set()
            await asyncio.Event().wait()


@asynccontextmanager
async def supervised(supervisor: Supervisor) -> AsyncIterator[asyncio.Task[int]]:
    """A supervisor at work; told to stop at the end of the block."""
    running = asyncio.create_task(supervisor.run())
    try:
        yield running
    finally:
        if not running.done():
            supervisor.stop()
        async with asyncio.timeout(20):
            await asyncio.wait({running})


def words(file: Path) -> list[str]:
    return file.read_text().split() if file.exists() else []


def up(file: Path, *names: str) -> Callable[[], bool]:
    """Whether these have left their names, in any order."""
    return lambda: sorted(words(file)[::2]) == sorted(names)


def kill_last(file: Path) -> None:
    os.kill(int(words(file)[-1]), signal.SIGKILL)


def none_is_left(file: Path) -> bool:
    return not any(psutil.pid_exists(int(pid)) for pid in words(file)[1::2])


def test_the_wait_doubles_up_to_half_a_minute() -> None:
    backoff = Backoff()

    assert [backoff.after(0.1) for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]


def test_the_wait_is_short_again_after_a_minute_of_good_running() -> None:
    backoff = Backoff()
    for _ in range(4):
        backoff.after(59.9)

    assert [backoff.after(60), backoff.after(1)] == [1, 2]


async def test_a_process_that_dies_is_started_again_and_again_with_growing_waits(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sleep = Sleeps(4)
    async with supervised(Supervisor(python("raise SystemExit(7)"), ["w"], sleep=sleep)) as running:
        await asyncio.wait_for(sleep.enough.wait(), 20)

    assert sleep.seconds == [1, 2, 4, 8]
    assert running.result() == 0
    messages = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert messages[0].startswith("worker w (pid ")
    assert messages[0].endswith(") ended with exit code 7")
    assert messages[1] == "worker w is started again in 1 s"


async def test_the_process_that_ran_well_for_a_minute_is_replaced_after_a_second(tmp_path: Path) -> None:
    clock, sleep, mark = ManualClock(), Sleeps(4), tmp_path / "up"
    command = python(UNTIL_SIGTERM, mark)

    async with supervised(Supervisor(command, ["w"], clock=clock, sleep=sleep)):
        for start in range(1, 5):
            await eventually(up(mark, *["w"] * start))
            clock.advance(1 if start < 3 else 61)
            kill_last(mark)
        await asyncio.wait_for(sleep.enough.wait(), 20)

    assert sleep.seconds == [1, 2, 1, 1]


@pytest.mark.parametrize("code", [2, 3])
async def test_a_first_start_without_hope_ends_all_with_its_exit_code(tmp_path: Path, code: int) -> None:
    mark = tmp_path / "up"
    given = python(UNTIL_SIGTERM, mark)

    def command(name: str, lifeline: int) -> list[str]:
        hopeless = [sys.executable, "-S", "-c", f"raise SystemExit({code})"]
        return hopeless if name == "bad" else given(name, lifeline)

    assert await asyncio.wait_for(Supervisor(command, ["good", "bad"]).run(), 20) == code
    assert none_is_left(mark)


async def test_the_same_exit_code_later_on_is_a_death_like_any_other(tmp_path: Path) -> None:
    sleep, once = Sleeps(2), tmp_path / "once"
    async with supervised(Supervisor(python(ONCE_9_THEN_3, once), ["w"], sleep=sleep)) as running:
        await asyncio.wait_for(sleep.enough.wait(), 20)

    assert running.result() == 0


async def test_a_process_that_ends_by_itself_is_replaced() -> None:
    sleep = Sleeps(2)
    async with supervised(Supervisor(python("pass"), ["w"], sleep=sleep)):
        await asyncio.wait_for(sleep.enough.wait(), 20)

    assert sleep.seconds == [1, 2]


async def test_in_a_burst_those_that_end_well_are_not_replaced_and_the_others_are(tmp_path: Path) -> None:
    sleep, once = Sleeps(99), tmp_path / "once"
    supervisor = Supervisor(python(ONCE_1_THEN_0, once), ["a", "b"], burst=True, sleep=sleep)

    exit_code = await asyncio.wait_for(supervisor.run(), 20)

    assert exit_code == 0
    assert sleep.seconds == [1, 1]


async def test_a_signal_is_passed_on_and_nothing_is_replaced(tmp_path: Path) -> None:
    mark = tmp_path / "up"
    running = asyncio.create_task(Supervisor(python(UNTIL_SIGTERM, mark), ["a", "b"]).run())
    await eventually(up(mark, "a", "b"))

    os.kill(os.getpid(), signal.SIGTERM)

    assert await asyncio.wait_for(running, 20) == 0
    assert none_is_left(mark)


async def test_every_further_signal_is_passed_on_as_it_came(tmp_path: Path) -> None:
    mark = tmp_path / "up"
    code = """
import pathlib, signal, sys
file = pathlib.Path(sys.argv[1])
def note(number, frame):
    file.open("a").write(signal.Signals(number).name + "\\n")
    if number == signal.SIGINT:
        sys.exit(0)
signal.signal(signal.SIGTERM, note)
signal.signal(signal.SIGINT, note)
file.open("a").write("up\\n")
while True:
    signal.pause()
"""
    running = asyncio.create_task(Supervisor(python(code, mark), ["w"]).run())
    await eventually(lambda: words(mark) == ["up"])

    os.kill(os.getpid(), signal.SIGTERM)
    await eventually(lambda: words(mark) == ["up", "SIGTERM"])
    os.kill(os.getpid(), signal.SIGINT)

    assert await asyncio.wait_for(running, 20) == 0
    assert words(mark) == ["up", "SIGTERM", "SIGINT"]


async def test_a_process_that_does_not_end_well_after_the_stop_tells_in_the_exit_code(tmp_path: Path) -> None:
    mark = tmp_path / "up"
    code = UNTIL_SIGTERM.replace("sys.exit(0)", "sys.exit(6)")
    async with supervised(Supervisor(python(code, mark), ["w"])) as running:
        await eventually(up(mark, "w"))

    assert running.result() == 6


async def test_a_process_killed_while_stopping_counts_as_a_shell_would_count_it(tmp_path: Path) -> None:
    mark = tmp_path / "up"
    code = UNTIL_SIGTERM.replace("lambda *_: sys.exit(0)", "signal.SIG_IGN")
    supervisor = Supervisor(python(code, mark), ["w"])
    async with supervised(supervisor) as running:
        await eventually(up(mark, "w"))
        supervisor.stop()
        kill_last(mark)

    assert running.result() == 128 + signal.SIGKILL


async def test_what_has_not_ended_a_while_after_the_second_signal_is_killed(tmp_path: Path) -> None:
    mark = tmp_path / "up"
    clock = ManualClock()
    code = UNTIL_SIGTERM.replace("lambda *_: sys.exit(0)", "signal.SIG_IGN")
    supervisor = Supervisor(python(code, mark), ["w"], clock=clock, patience_s=0.1)
    running = asyncio.create_task(supervisor.run())
    await eventually(up(mark, "w"))

    for _ in range(2):
        clock.advance(1)
        supervisor.stop()

    assert await asyncio.wait_for(running, 20) == 128 + signal.SIGKILL
    assert none_is_left(mark)


async def test_a_stop_during_the_wait_ends_it_at_once() -> None:
    sleep = Sleeps(1)
    running = asyncio.create_task(Supervisor(python("raise SystemExit(1)"), ["w"], sleep=sleep).run())
    await asyncio.wait_for(sleep.enough.wait(), 20)

    os.kill(os.getpid(), signal.SIGINT)

    assert await asyncio.wait_for(running, 20) == 0


async def test_one_that_is_called_off_during_the_wait_is_not_started_again(caplog: pytest.LogCaptureFixture) -> None:
    sleep, asked_for = Sleeps(2), list[str]()

    async def called_off(name: str) -> None:
        asked_for.append(name)
        if len(asked_for) < 2:
            await asyncio.Event().wait()
        await sleep.enough.wait()

    supervisor = Supervisor(python("raise SystemExit(1)"), ["w"], sleep=sleep, called_off=called_off)
    with caplog.at_level(logging.INFO):
        assert await asyncio.wait_for(supervisor.run(), 20) == 0

    assert asked_for == ["w", "w"]
    assert caplog.messages[-1] == "worker w was asked to stop, and is not replaced"


async def test_a_fault_in_finding_out_whether_it_is_called_off_keeps_none_from_being_started_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sleep = Sleeps(3)

    async def called_off(_: str) -> None:
        raise KeyError("a fault of ours")

    async with supervised(Supervisor(python("raise SystemExit(1)"), ["w"], sleep=sleep, called_off=called_off)):
        await asyncio.wait_for(sleep.enough.wait(), 20)

    assert sleep.seconds == [1, 2, 4]
    assert "nobody can call off worker w" in caplog.text


async def test_a_program_that_is_not_there_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    sleep = Sleeps(2)
    async with supervised(Supervisor(lambda *_: ["/no/such/python"], ["w"], sleep=sleep)):
        await asyncio.wait_for(sleep.enough.wait(), 20)

    assert sleep.seconds == [1, 2]
    assert "worker w cannot be started: [Errno 2] No such file" in caplog.text


async def test_the_signal_handlers_are_those_of_before_once_all_is_over() -> None:
    before = signal.getsignal(signal.SIGTERM)

    await Supervisor(python("pass"), ["w"], burst=True).run()

    assert signal.getsignal(signal.SIGTERM) == before
