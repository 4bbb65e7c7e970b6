"""Hooks that do not end: their workers can be seen and stopped all the same."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from naq_runtime import NAQConfig
from tests.acceptance.test_commands import worker_process
from tests.acceptance.test_processes import crew_of, foreground
from tests.conftest import MakeConfig
from tests.support.processes import is_gone, naq
from tests.support.waiting import eventually

HANGS = """
import asyncio, pathlib, time
from naq_runtime import on_{when}, task

@on_{when}
{how} hook():
    pathlib.Path("begun").touch()
    {what}

@task
def one(): return 1
"""
ASYNC = ("async def", "await asyncio.sleep(1000)")
PLAIN = ("def", "time.sleep(1000)")
BLOCKING = ("async def", "time.sleep(1000)")
DEAF = ("async def", "\n    while True:\n        try: await asyncio.sleep(1000)\n        except BaseException: pass")


def module(folder: Path, when: str, hook: tuple[str, str]) -> Path:
    """Write tasks with a hook that hangs; the mark that it leaves when it has begun."""
    (folder / "hung.py").write_text(HANGS.format(when=when, how=hook[0], what=hook[1]))
    return folder / "begun"


async def one_more_wish() -> None:
    """So much later, a signal is not the same one again."""
    soonest = time.monotonic() + 0.4
    await eventually(lambda: time.monotonic() > soonest)


async def state_of(config: NAQConfig, name: str) -> str:
    shown = await naq("worker", "show", name, "--format", "json", config=config)
    return str(json.loads(shown.out)["state"]) if shown.code == 0 else ""


async def end_of(process: asyncio.subprocess.Process, within: float = 30) -> tuple[int | None, str]:
    async with asyncio.timeout(within):
        _, err = await process.communicate()
    return process.returncode, err.decode()


class TestStart:
    @pytest.mark.parametrize("hook", [ASYNC, PLAIN, DEAF], ids=["async", "plain", "deaf to cancellation"])
    async def test_a_signal_ends_it(self, config: NAQConfig, tmp_path: Path, hook: tuple[str, str]) -> None:
        mark = module(tmp_path, "startup", hook)
        async with worker_process(config, "-m", "hung", cwd=tmp_path) as worker:
            await eventually(mark.exists)
            worker.send_signal(signal.SIGTERM)

            code, log = await end_of(worker)

        assert code == 0
        assert "on_startup has not ended in time: cut off" in log

    @pytest.mark.parametrize("hook", [ASYNC, PLAIN], ids=["async", "plain"])
    async def test_it_beats_says_that_it_starts_and_hears_that_it_should_stop(
        self, config: NAQConfig, tmp_path: Path, hook: tuple[str, str]
    ) -> None:
        mark = module(tmp_path, "startup", hook)
        async with worker_process(config, "-m", "hung", "--name", "anna", cwd=tmp_path) as worker:
            await eventually(mark.exists)
            gone = time.monotonic() + 2  # a lease that is not renewed is gone by then
            await eventually(lambda: time.monotonic() > gone)
            assert await state_of(config, "anna") == "starting"

            stopped = await naq("worker", "stop", "anna", "--wait", config=config)
            code, _ = await end_of(worker)

        assert (stopped.code, code) == (0, 0)

    async def test_one_that_holds_the_event_loop_up_is_ended_by_the_second_signal(
        self, config: NAQConfig, tmp_path: Path
    ) -> None:
        mark = module(tmp_path, "startup", BLOCKING)
        async with foreground(
            "-m", "naq_tui.cli.main", "run-worker", "-m", "hung", config=config, cwd=tmp_path
        ) as worker:
            await eventually(mark.exists)
            worker.send_signal(signal.SIGTERM)
            await one_more_wish()
            worker.send_signal(signal.SIGTERM)

            code, log = await end_of(worker)

        assert code == 128 + signal.SIGTERM
        assert "something holds the event loop up" in log

    @pytest.mark.parametrize("hook", [ASYNC, BLOCKING], ids=["async", "blocking"])
    async def test_two_signals_end_all_processes(
        self, config: NAQConfig, tmp_path: Path, hook: tuple[str, str]
    ) -> None:
        mark = module(tmp_path, "startup", hook)
        async with foreground(*crew_of(2, "hung"), config=config, cwd=tmp_path) as supervisor:
            await eventually(mark.exists)
            supervisor.send_signal(signal.SIGTERM)
            await one_more_wish()
            with suppress(ProcessLookupError):  # one that can be cancelled has ended by then
                supervisor.send_signal(signal.SIGTERM)

            await end_of(supervisor)

    @pytest.mark.parametrize("hook", [ASYNC, BLOCKING], ids=["async", "blocking"])
    async def test_processes_do_not_outlive_their_supervisor(
        self, make_config: MakeConfig, tmp_path: Path, hook: tuple[str, str]
    ) -> None:
        config, mark = make_config(worker__shutdown_grace=0.2), module(tmp_path, "startup", hook)
        async with foreground(*crew_of(2, "hung"), config=config, cwd=tmp_path) as supervisor:
            await eventually(mark.exists)
            children = [child.pid for child in psutil.Process(supervisor.pid).children()]
            supervisor.kill()

            await eventually(lambda: all(map(is_gone, children)))
        assert len(children) == 2


class TestEnd:
    @pytest.mark.parametrize("hook", [ASYNC, PLAIN], ids=["async", "plain"])
    async def test_it_has_its_grace_and_is_seen_meanwhile(
        self, make_config: MakeConfig, tmp_path: Path, hook: tuple[str, str]
    ) -> None:
        config, mark = make_config(worker__shutdown_grace=6), module(tmp_path, "shutdown", hook)
        async with worker_process(config, "-m", "hung", "--name", "anna", cwd=tmp_path) as worker:
            worker.send_signal(signal.SIGTERM)
            await eventually(mark.exists)
            assert await state_of(config, "anna") == "stopping"

            code, log = await end_of(worker)

        assert code == 0
        assert "on_shutdown has not ended in time: cut off" in log

    @pytest.mark.parametrize("hook", [ASYNC, PLAIN, BLOCKING], ids=["async", "plain", "blocking"])
    async def test_the_second_signal_cuts_it_off(
        self, make_config: MakeConfig, tmp_path: Path, hook: tuple[str, str]
    ) -> None:
        config, mark = make_config(worker__shutdown_grace=60), module(tmp_path, "shutdown", hook)
        async with worker_process(config, "-m", "hung", cwd=tmp_path) as worker:
            worker.send_signal(signal.SIGTERM)
            await eventually(mark.exists)
            await one_more_wish()
            os.kill(worker.pid, signal.SIGTERM)

            await end_of(worker)
