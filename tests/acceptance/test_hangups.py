"""SIGHUP to real processes at any moment: it ends none that is starting, and what it asks for is done afterwards."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from naq_runtime import NAQConfig
from tests.integration.test_reloading import changes, told
from tests.support.processes import environment, started
from tests.support.waiting import eventually
from tests.support.workers import MODULE

ROLES = {
    "worker": ("run-worker", "-m", MODULE),
    "scheduler": ("run-scheduler",),
    "processor": ("run-processor", "audit", "--processor", f"{MODULE}:nap"),
}
SLOW = """
import asyncio, pathlib
from naq_runtime import on_startup, task

@on_startup
async def hook():
    pathlib.Path("begun").touch()
    while not pathlib.Path("go").exists():
        await asyncio.sleep(0.01)

@task
def one(): return 1
"""
IN_TERMINAL = """
import fcntl, os, signal, sys, termios
fcntl.ioctl(int(sys.argv[1]), termios.TIOCSCTTY, 0)
if sys.argv[2] == "nohup":
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
os.execv(sys.executable, [sys.executable, *sys.argv[3:]])
"""
"""Becomes a process whose terminal is that of the descriptor."""


async def line_with(text: str, process: asyncio.subprocess.Process) -> str:
    """What it has said on stderr, up to the line with this text."""
    assert process.stderr is not None
    said = ""
    async with asyncio.timeout(20):
        while text not in said:
            line = (await process.stderr.readline()).decode()
            assert line, said
            said += line
    return said


@pytest.mark.parametrize("role", ROLES)
async def test_one_that_is_still_connecting_is_not_ended(config: NAQConfig, role: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        url = f"nats://127.0.0.1:{listening.getsockname()[1]}"
        silent = replace(config, nats=replace(config.nats, url=url))
        async with started("naq_tui.cli.main", *ROLES[role], config=silent) as process:
            async with asyncio.timeout(20):
                connected, _ = await asyncio.get_running_loop().sock_accept(listening)
            process.send_signal(signal.SIGHUP)
            connected.close()
            listening.close()
            _, err = await process.communicate()

    assert process.returncode == 3, err.decode()


async def test_what_is_asked_for_while_hooks_run_is_done_when_the_worker_is_up(
    config: NAQConfig, tmp_path: Path
) -> None:
    file = tmp_path / "naq.toml"
    file.write_text("[worker]\nconcurrency = 1\n")
    (tmp_path / "slow.py").write_text(SLOW)
    arguments = ("run-worker", "-m", "slow", "--config", str(file))
    async with started("naq_tui.cli.main", *arguments, config=config, cwd=tmp_path) as process:
        await eventually((tmp_path / "begun").exists)
        file.write_text("[worker]\nconcurrency = 2\n")
        process.send_signal(signal.SIGHUP)
        (tmp_path / "go").touch()

        await eventually(lambda: changes(config))

        assert await changes(config) == {"worker.concurrency": ("1", "2")}
        process.terminate()
        assert await process.wait() == 0


async def test_a_worker_that_its_supervisor_has_just_started_reads_again_when_it_is_up(
    config: NAQConfig, tmp_path: Path
) -> None:
    file = tmp_path / "naq.toml"
    file.write_text("[log]\nlevel = 'info'\n")
    arguments = ("run-worker", "-m", MODULE, "--processes", "1", "--name", "crew", "--config", str(file))
    async with started("naq_tui.cli.main", *arguments, config=config) as process:
        await line_with("runs as pid", process)
        process.send_signal(signal.SIGHUP)  # before it can be heeded: Python itself takes longer to start

        said = await line_with("no setting has changed", process)

        assert "killed" not in said
        process.terminate()
        _, err = await process.communicate()
    assert process.returncode == 0
    assert "killed" not in err.decode()


@asynccontextmanager
async def scheduler_in_terminal(config: NAQConfig, *how: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """One that leads, and whose terminal is closed then."""
    master, slave = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", IN_TERMINAL, str(slave), *how, "-m", "naq_tui.cli.main", "run-scheduler"),
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        pass_fds=(slave,),
        start_new_session=True,
        env=environment(config),
    )
    os.close(slave)
    try:
        await eventually(lambda: told(config, "leader_elected"))
        os.close(master)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_it_stops_when_its_terminal_is_closed(config: NAQConfig) -> None:
    async with scheduler_in_terminal(config, "plain") as process:
        await line_with("stopped", process)
        assert await process.wait() == 0

    (shutdown,) = await told(config, "shutdown")
    assert shutdown.reason == "SIGHUP"


async def test_with_nohup_it_outlives_its_terminal(config: NAQConfig) -> None:
    async with scheduler_in_terminal(config, "nohup") as process:
        await line_with("no setting has changed", process)
        process.terminate()
        await process.wait()

    (shutdown,) = await told(config, "shutdown")
    assert shutdown.reason == "SIGTERM"
