"""Tasks that note down, in a file that nothing but the disk can lose, each time that they begin and end."""

from __future__ import annotations

import asyncio
import os
import time
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from naq_runtime import JobStatus, Snooze, current_job, task

__all__ = ["LEDGER", "Note", "What", "dependant", "doomed", "endless", "flaky", "plain", "read", "snoozing", "threaded"]

LEDGER = "NAQ_TESTS_LEDGER"
"""The variable of the environment that names the file."""


class What(StrEnum):
    """What a note is about."""

    BEGUN = "begun"
    ENDED = "ended"


class Note(NamedTuple):
    """One line of the ledger."""

    time_ns: int
    what: What
    job_id: str
    attempt: int
    pid: int


def read(ledger: Path) -> list[Note]:
    """All notes, oldest first."""
    lines = ledger.read_text().splitlines() if ledger.exists() else []
    rows = (line.split() for line in lines)
    return sorted(Note(int(at), What(what), job_id, int(n), int(pid)) for at, what, job_id, n, pid in rows)


def _note(what: What) -> None:
    job = current_job()
    line = f"{time.time_ns()} {what} {job.job_id} {job.attempt} {os.getpid()}\n"
    file = os.open(os.environ[LEDGER], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(file, line.encode())  # one write to the end of a file is never mixed with another
    finally:
        os.close(file)


@task
async def plain(seconds: float) -> str:
    """Do some work."""
    _note(What.BEGUN)
    await asyncio.sleep(seconds)
    _note(What.ENDED)
    return current_job().job_id


@task
def threaded(seconds: float) -> str:
    """Do some work in a thread."""
    _note(What.BEGUN)
    time.sleep(seconds)
    _note(What.ENDED)
    return current_job().job_id


@task(retries=3, retry_delay=[0.0, 0.3, 1.2])
async def flaky(good_from: int) -> str:
    """Fail until a certain attempt."""
    _note(What.BEGUN)
    if current_job().attempt < good_from:
        raise ConnectionError("the other side is not there")
    _note(What.ENDED)
    return current_job().job_id


@task(retries=1, retry_delay=0.2)
async def doomed() -> None:
    """Fail always."""
    _note(What.BEGUN)
    raise ValueError("this can never be")


@task
async def snoozing(until_ns: int) -> str:
    """Come back until it is time."""
    _note(What.BEGUN)
    if time.time_ns() < until_ns:
        raise Snooze(for_=0.4)
    _note(What.ENDED)
    return current_job().job_id


@task
async def dependant() -> str:
    """Check that whatever this job depends on has ended, and can be read."""
    _note(What.BEGUN)
    job = current_job()
    for job_id, result in job.dependencies.items():
        assert result.status is not JobStatus.COMPLETED or result.result == job_id, f"{job_id}: {result.result!r}"
    _note(What.ENDED)
    return job.job_id


@task
async def endless() -> None:
    """Run until somebody cancels it."""
    _note(What.BEGUN)
    await asyncio.sleep(3_600)
