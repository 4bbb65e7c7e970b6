"""Tasks that fail, ask for another time, take too long, are ended, or tell of themselves."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import signal
import time
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from naq_runtime import Cancel, Retry, Snooze, current_job, task
from naq_runtime.context import JobContext

log = logging.getLogger(__name__)


def note(file: Path, line: object) -> None:
    """Append a line."""
    with file.open("a") as opened:
        opened.write(f"{line}\n")


def notes(file: Path) -> list[str]:
    """The lines so far."""
    return file.read_text().splitlines() if file.exists() else []


@task(retries=5, retry_delay=0.1, jitter=0.0)
async def flaky(file: Path, good_at: int) -> int:
    """Succeed at this attempt."""
    note(file, current_job().attempt)
    if current_job().attempt < good_at:
        raise ConnectionError("not yet")
    return current_job().attempt


@task(retries=5, retry_delay=0.1, retry_on=[OSError], ignore_on=[FileNotFoundError])
def choosy(file: Path, kind: str) -> None:
    """Raise an error of this kind, in a thread."""
    note(file, kind)
    raise {"os": OSError, "missing": FileNotFoundError, "value": ValueError}[kind]("no")


@task(retries=3)
async def asking(file: Path, what: str) -> str:
    """Ask for another time at first."""
    note(file, f"{what} {current_job().attempt}")
    if len(notes(file)) == 1:
        raise Retry(after=0.1) if what == "retry" else Snooze(0.1) if what == "snooze" else Cancel("no use")
    return "done"


@task(process=True, retries=2)
def asking_in_process(file: Path) -> str:
    """The same, from another process."""
    note(file, current_job().attempt)
    if current_job().attempt == 1:
        raise Retry(after=0.1)
    return "done"


@task
async def waiting(file: Path) -> str:
    """Run until it is cancelled."""
    note(file, "begun")
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        note(file, "cancelled")
        raise
    return "never"


@task
def waiting_in_thread(file: Path) -> str:
    """Run until it is told to end."""
    note(file, "begun")
    until = time.monotonic() + 30
    while time.monotonic() < until:
        current_job().raise_if_cancelled()
        time.sleep(0.01)
    return "never"


@task
def deaf_in_thread(file: Path) -> str:
    """Run on, whatever it is told, while the file says nothing else."""
    note(file, "begun")
    until = time.monotonic() + 30
    while notes(file) == ["begun"] and time.monotonic() < until:
        time.sleep(0.01)
    return "over"


@task(process=True)
def waiting_in_process(file: Path) -> str:
    """Run until it is killed."""
    note(file, "begun")
    time.sleep(60)
    return "never"


@task
async def hasty() -> str:
    """Have a limit of its own."""
    async with asyncio.timeout(0.01):
        await asyncio.sleep(5)
    return "never"


@task(log="INFO")
async def talkative(lines: int) -> None:
    """Tell of itself."""
    for line in range(lines):
        log.info("line %d", line)
        await current_job().progress(line + 1, lines, "on it")


@task(process=True, log="WARNING")
def talkative_in_process() -> None:
    """Tell of itself from another process."""
    log.info("not wanted")
    log.warning("careful")
    current_job().progress(1, 2)


@task(log="DEBUG")
async def outspoken() -> None:
    """Write a line of each level."""
    _speak_out()


@task(log="DEBUG")
def outspoken_in_thread() -> None:
    """The same, in a thread."""
    _speak_out()


@task(process=True, log="DEBUG")
def outspoken_in_process() -> None:
    """The same, from another process."""
    _speak_out()


def _speak_out() -> None:
    log.debug("debug")
    log.info("info")
    log.warning("warning")


SAID: dict[str, Callable[[JobContext], object]] = {
    "whole": lambda job: job.progress(1, 2, "half"),
    "decimal": lambda job: job.progress(Decimal("1.5"), Fraction(3)),  # type: ignore[arg-type]
    "true": lambda job: job.progress(True),
    "large": lambda job: job.progress(10**30, 10**40),
    "surrogate": lambda job: job.progress(1, None, "\ud800"),
    "text": lambda job: job.progress("1"),  # type: ignore[arg-type]
    "nothing": lambda job: job.progress(None),  # type: ignore[arg-type]
    "huge": lambda job: job.progress(10**400),
    "nan": lambda job: job.progress(math.nan),
    "infinite": lambda job: job.progress(1, math.inf),
    "message": lambda job: job.progress(1, 2, 3),  # type: ignore[arg-type]
    "line": lambda job: job.log("\udcff" * 2_000),
    "level": lambda job: job.log("x", 20),
    "own level": lambda job: job.log("x", "\ud800"),
    "no line": lambda job: job.log({"a": 1}),  # type: ignore[arg-type]
    "no level": lambda job: job.log("x", None),  # type: ignore[arg-type]
}
"""What a job may say of itself, right and wrong."""


@task
async def say(what: str) -> None:
    """Say something."""
    SAID[what](current_job())


@task
def say_in_thread(what: str) -> None:
    """The same, in a thread."""
    SAID[what](current_job())


@task(process=True)
def say_in_process(what: str) -> None:
    """The same, from another process."""
    SAID[what](current_job())


@task
async def inherit() -> dict[str, object]:
    """What came of the jobs that it waited for."""
    return {job_id: result.result for job_id, result in current_job().dependencies.items()}


@task
async def untidy(file: Path) -> str:
    """Run until it is cancelled, and fail to clean up at first."""
    note(file, "begun")
    if len(notes(file)) > 1:
        return "done"
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError as error:
        raise ConnectionError("aborted") from error
    return "never"


@task
async def leave_as_a_generator(how: str) -> None:
    """Raise what a thread or a task of its own has raised, and no coroutine may catch."""
    try:
        await (asyncio.to_thread(_close) if how == "thread" else asyncio.create_task(_close_later()))
    finally:
        if "cleaning up" in how:
            await asyncio.sleep(0)


def _close() -> None:
    raise GeneratorExit("not a generator")


async def _close_later() -> None:
    await asyncio.sleep(0)
    _close()


@task
async def leave_by_a_task(how: str, waits: bool) -> str:
    """Start a task that tries to end the process."""
    leaving = asyncio.create_task(_leave({"SystemExit": SystemExit, "KeyboardInterrupt": KeyboardInterrupt}[how]))
    if waits:
        await leaving
    await asyncio.sleep(0.1)
    return "went on"


async def _leave(kind: type[BaseException]) -> None:
    await asyncio.sleep(0.01)
    raise kind(3)


@task
async def hold_on() -> str:
    """Use what else the loop is for."""
    await asyncio.to_thread(time.sleep, 0.01)
    process = await asyncio.create_subprocess_exec("true")
    assert await process.wait() == 0
    return "held on"


@task
async def kill_the_worker(file: Path) -> None:
    """A crash of the interpreter, or a kernel that is out of memory."""
    note(file, os.getpid())
    os.kill(os.getpid(), signal.SIGKILL)
