"""Real processes of ours, as a shell would start them."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import psutil

from naq_runtime.config import NAQConfig

__all__ = ["Finished", "command_of", "is_gone", "naq", "naq_top", "program", "started"]

ROOT = Path(__file__).parents[2]


class Finished(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


def environment(config: NAQConfig | None, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a command that is to use the test's server and namespace."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("NAQ_")}
    env |= {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "COLUMNS": "160", "NO_COLOR": "1"}
    if config is not None:
        env |= {
            "NAQ_NATS_URL": config.nats.url,
            "NAQ_NAMESPACE": config.namespace,
            "NAQ_JOBS_ACK_WAIT": str(config.jobs.ack_wait),
            "NAQ_JOBS_POISON_AFTER": str(config.jobs.poison_after),
            "NAQ_EVENTS_FLUSH_INTERVAL": str(config.events.flush_interval),
            "NAQ_EVENTS_METRICS_INTERVAL": str(config.events.metrics_interval),
            "NAQ_EVENTS_MAX_BYTES": str(config.events.max_bytes),
            "NAQ_DEAD_MAX_BYTES": str(config.dead.max_bytes),
            "NAQ_WORKER_SHUTDOWN_GRACE": str(config.worker.shutdown_grace),
            "NAQ_WORKER_HEARTBEAT_INTERVAL": str(config.worker.heartbeat_interval),
        }
    return env | dict(extra or {})


async def naq(
    *arguments: str,
    config: NAQConfig | None = None,
    cwd: Path | None = None,
    within: float = 30,
    extra: Mapping[str, str] | None = None,
) -> Finished:
    """Run one ``naq`` command to its end."""
    return await program("naq_tui.cli.main", *arguments, config=config, cwd=cwd, within=within, extra=extra)


async def naq_top(
    *arguments: str, config: NAQConfig | None = None, within: float = 30, extra: Mapping[str, str] | None = None
) -> Finished:
    """Run ``naq-top`` to its end."""
    return await program("naq_tui.cli.top", *arguments, config=config, within=within, extra=extra)


async def program(
    module: str,
    *arguments: str,
    config: NAQConfig | None = None,
    cwd: Path | None = None,
    within: float = 30,
    extra: Mapping[str, str] | None = None,
) -> Finished:
    """Run a module to its end."""
    running = started(module, *arguments, config=config, cwd=cwd, extra=extra)
    async with running as process, asyncio.timeout(within):
        out, err = await process.communicate()
    assert process.returncode is not None
    return Finished(process.returncode, out.decode(), err.decode())


@asynccontextmanager
async def started(
    module: str,
    *arguments: str,
    config: NAQConfig | None = None,
    cwd: Path | None = None,
    stdin: int = asyncio.subprocess.DEVNULL,
    extra: Mapping[str, str] | None = None,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A running module; killed at the end of the block when it has not ended by then."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=cwd,
        env=environment(config, extra),
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def is_gone(pid: int) -> bool:
    """Whether a process has ended, reaped or not."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def command_of(process: psutil.Process) -> list[str]:
    """What a process was started with; nothing for one that has ended, reaped or not."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:  # also what psutil raises for a zombie
        return []
