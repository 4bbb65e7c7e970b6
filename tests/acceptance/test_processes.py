"""``naq run-worker --processes``: several real workers under one supervisor, and real signals."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from naq_runtime import Job, Monitor, NAQConfig, Queue, ServiceManager
from tests.acceptance.test_commands import worker_process
from tests.conftest import MakeConfig
from tests.support import sample_tasks as tasks
from tests.support.processes import environment, naq, started
from tests.support.server import config_for
from tests.support.waiting import eventually
from tests.support.wayward_tasks import hold_on, leave_by_a_task
from tests.support.workers import MODULE

WAYWARD = "tests.support.wayward_tasks"
ONE = "from naq_runtime import task\n@task\ndef one(): return 1\n"
UNSTEADY = """
import pathlib, sys
if "--name=w-2" in sys.argv and pathlib.Path("broken").exists():
    sys.exit(9)
"""
RUN = ("naq_tui.cli.main", "run-worker")


class Crew:
    """A supervisor and its workers, as the list of workers shows them."""

    def __init__(self, process: asyncio.subprocess.Process, monitor: Monitor) -> None:
        self.process = process
        self._monitor = monitor

    async def pids(self) -> dict[str, int]:
        """By name, of those that run."""
        return {w.worker_id: w.pid for w in await self._monitor.workers() if psutil.pid_exists(w.pid)}

    async def end(self) -> tuple[int, str]:
        """Wait for the end; the exit code and the log."""
        async with asyncio.timeout(20):
            _, err = await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode, err.decode()

    async def read_until(self, text: bytes) -> None:
        """Read the log up to a line with this in it."""
        assert self.process.stderr is not None
        async with asyncio.timeout(20):
            while text not in await self.process.stderr.readline():
                pass


@asynccontextmanager
async def foreground(
    *arguments: str, config: NAQConfig, cwd: Path | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Python as a shell starts it in a terminal: in a process group of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        cwd=cwd,
        env=environment(config),
        process_group=0,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def crew_of(count: int, module: str, *arguments: str, name: str = "w") -> tuple[str, ...]:
    """The arguments of Python that start so many workers."""
    return ("-m", *RUN, "-m", module, "--processes", str(count), "--name", name, *arguments)


@asynccontextmanager
async def crew(
    config: NAQConfig, count: int, *arguments: str, name: str = "w", cwd: Path | None = None
) -> AsyncIterator[Crew]:
    """Workers that are all up."""
    async with (
        foreground(*crew_of(count, MODULE, *arguments, name=name), config=config, cwd=cwd) as process,
        ServiceManager(config) as services,
    ):
        running = Crew(process, await services.get_service(Monitor))

        async def all_up() -> bool:
            assert process.returncode is None, "the supervisor has ended"
            return len(await running.pids()) == count

        await eventually(all_up, within=20)
        yield running


async def test_workers_of_numbered_names_share_the_jobs_and_end_with_0_on_sigterm(config: NAQConfig) -> None:
    async with Queue("mail", config=config) as queue, crew(config, 2, "mail", "-c", "2", name="post") as running:
        pids = await running.pids()
        handles = await queue.enqueue_many(Job(tasks.nap, (0.1,)) for _ in range(12))
        results = await asyncio.gather(*(handle.outcome(timeout=20) for handle in handles))

        running.process.send_signal(signal.SIGTERM)
        code, log = await running.end()

    assert sorted(pids) == ["post-1", "post-2"]
    assert running.process.pid not in pids.values()
    assert {result.worker_id for result in results} == {"post-1", "post-2"}
    assert code == 0
    assert f"worker post-1 runs as pid {pids['post-1']}" in log
    assert f"worker post-2 (pid {pids['post-2']}) ended with exit code 0" in log
    assert log.count("2 jobs at a time") == 2


async def test_a_worker_that_is_killed_is_replaced_under_its_name(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, crew(config, 2) as running:
        before = await running.pids()

        os.kill(before["w-2"], signal.SIGKILL)

        async def replaced() -> bool:
            now = await running.pids()
            return len(now) == 2 and now["w-2"] != before["w-2"]

        await eventually(replaced, within=20)
        assert (await running.pids())["w-1"] == before["w-1"]
        assert await (await queue.enqueue(tasks.add, 1)).result(timeout=30) == 2
        running.process.send_signal(signal.SIGTERM)
        code, log = await running.end()

    assert code == 0
    assert f"worker w-2 (pid {before['w-2']}) was killed by SIGKILL" in log
    assert "worker w-2 is started again in 1 s" in log


async def test_one_that_is_asked_to_stop_is_not_replaced_and_the_common_name_means_all(config: NAQConfig) -> None:
    async with crew(config, 3, name="pp") as running:
        before = await running.pids()

        assert (await naq("worker", "stop", "pp-2", "--wait", config=config)).code == 0
        await running.read_until(b"was asked to stop, and is not replaced")
        assert (await naq("worker", "stop", "pp", "--wait", config=config)).code == 0
        code, log = await running.end()

    assert sorted(before) == ["pp-1", "pp-2", "pp-3"]
    assert code == 0
    assert log.count("was asked to stop, and is not replaced") == 2
    assert "started again" not in log


async def test_one_that_waits_to_be_started_again_is_not_when_all_are_asked_to_stop(
    config: NAQConfig, tmp_path: Path
) -> None:
    (tmp_path / "unsteady.py").write_text(UNSTEADY)
    async with crew(config, 2, "-m", "unsteady", cwd=tmp_path) as running:
        (tmp_path / "broken").touch()
        os.kill((await running.pids())["w-2"], signal.SIGKILL)
        await running.read_until(b"worker w-2 is started again in 8 s")

        assert (await naq("worker", "stop", "w", config=config)).code == 0
        code, log = await running.end()

    assert code == 0
    assert "worker w-2 was asked to stop, and is not replaced" in log
    assert "worker w-2 runs as" not in log


async def test_the_stop_lets_running_jobs_end(config: NAQConfig, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    async with Queue(config=config) as queue, crew(config, 2) as running:
        handle = await queue.enqueue(tasks.nap, 0.5, mark)
        await eventually(mark.exists)

        running.process.send_signal(signal.SIGTERM)
        code, log = await running.end()

        assert await handle.result(timeout=30) == "rested"
    assert code == 0
    assert "1 completed, 0 failed, 0 handed back" in log


async def test_a_second_signal_hands_everything_back_at_once(make_config: MakeConfig, tmp_path: Path) -> None:
    config, mark = make_config(worker__shutdown_grace=60), tmp_path / "mark"
    async with Queue(config=config) as queue, crew(config, 1) as running:
        await queue.enqueue(tasks.nap, 60.0, mark)
        await eventually(mark.exists)

        running.process.send_signal(signal.SIGTERM)
        await running.read_until(b"draining")
        soonest = time.monotonic() + 0.4  # before that it would be the same wish
        await eventually(lambda: time.monotonic() > soonest)
        running.process.send_signal(signal.SIGTERM)
        code, log = await running.end()

    assert code == 0
    assert "1 handed back" in log


async def test_two_signals_in_the_same_moment_are_one(make_config: MakeConfig, tmp_path: Path) -> None:
    config, mark = make_config(worker__shutdown_grace=60), tmp_path / "mark"
    async with Queue(config=config) as queue, worker_process(config, "-m", MODULE) as process:
        handle = await queue.enqueue(tasks.nap, 1.0, mark)
        await eventually(mark.exists)

        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        await process.wait()

        assert await handle.result(timeout=30) == "rested"


@pytest.mark.parametrize("how", ["SystemExit", "KeyboardInterrupt"])
async def test_what_would_end_a_process_in_a_task_of_a_job_ends_the_job(config: NAQConfig, how: str) -> None:
    async with Queue(config=config) as queue, worker_process(config, "-m", WAYWARD) as process:
        waited_for, left_alone = await queue.enqueue_many(Job(leave_by_a_task, (how, waits)) for waits in (True, False))

        assert (await waited_for.outcome(timeout=30)).error_type == how
        assert await left_alone.result(timeout=30) == "went on"
        assert await (await queue.enqueue(hold_on)).result(timeout=30) == "held on"

        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


async def test_a_ctrl_c_in_the_terminal_reaches_the_workers_once(make_config: MakeConfig, tmp_path: Path) -> None:
    config, mark = make_config(worker__shutdown_grace=60), tmp_path / "mark"
    async with Queue(config=config) as queue, crew(config, 1) as running:
        handle = await queue.enqueue(tasks.nap, 1.0, mark)
        await eventually(mark.exists)

        os.killpg(running.process.pid, signal.SIGINT)
        code, _ = await running.end()

        assert await handle.result(timeout=30) == "rested"
    assert code == 0


async def test_workers_whose_supervisor_is_killed_drain_and_end(config: NAQConfig, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    async with Queue(config=config) as queue, crew(config, 2) as running:
        handle = await queue.enqueue(tasks.nap, 0.5, mark)
        await eventually(mark.exists)

        running.process.kill()
        _, log = await running.end()  # which the last of them closes

        assert await handle.result(timeout=30) == "rested"
    assert log.count("the supervisor is gone") == 2
    assert "1 completed, 0 failed, 0 handed back" in log


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["-m", "no_such_module"], 2, "there is no module 'no_such_module'"),
        (["a*b", "-m", MODULE], 2, "queue 'a*b' is not a valid name"),
        (["-m", MODULE, "--name", "no good"], 2, "worker 'no good-"),
        (["-m", MODULE, "--server", "nats://127.0.0.1:1"], 3, "connection refused"),
    ],
)
async def test_what_cannot_start_ends_at_once_with_its_exit_code(
    config: NAQConfig, arguments: list[str], code: int, message: str
) -> None:
    finished = await naq("run-worker", "--processes", "2", *arguments, config=config)

    assert finished.code == code
    assert message in finished.err
    assert "ending them all" in finished.err
    assert "Traceback" not in finished.err


async def test_all_other_options_reach_the_workers(config: NAQConfig, tmp_path: Path) -> None:
    (tmp_path / "naq.conf").write_text("[worker]\nheartbeat_interval = 0.2\n")
    (tmp_path / "more_tasks.py").write_text(ONE)
    options = ["-m", MODULE, "-m", "more_tasks", "-c", "3", "--processes=1", "--debug", "--config", "naq.conf"]
    options += ["--server", config.nats.url, "--namespace", config.namespace]
    elsewhere = config_for("nats://127.0.0.1:1")
    async with (
        started(*RUN, *options, "--", "-x", "mail", config=elsewhere, cwd=tmp_path) as process,
        ServiceManager(config) as services,
        Queue("-x", config=config) as queue,
    ):
        (worker,) = await eventually((await services.get_service(Monitor)).workers, within=20)

        assert await (await queue.enqueue("more_tasks.one")).result(timeout=30) == 1

        process.send_signal(signal.SIGTERM)
        _, err = await process.communicate()
    assert worker.queue_names == ("-x", "mail")
    assert worker.concurrency_limit == 3
    assert b" D " in err


async def test_a_burst_ends_when_all_workers_have_found_nothing_more_to_do(config: NAQConfig) -> None:
    async with Queue(config=config) as queue:
        handles = await queue.enqueue_many(Job(tasks.add, (number,)) for number in range(50))

        finished = await naq("run-worker", "-m", MODULE, "--burst", "--processes", "2", config=config)

        assert [await handle.result(timeout=30) for handle in handles] == [number + 1 for number in range(50)]
    assert finished.code == 0
    assert finished.err.count("ended with exit code 0") == 2
    assert "started again" not in finished.err


async def test_a_function_without_a_mark_runs_where_it_is_allowed_by_a_pattern(config: NAQConfig) -> None:
    async with Queue(config=config) as queue:
        handle = await queue.enqueue(tasks.not_a_task)
        wanted = ("--allow", "no.such.*", "--allow", "tests.support.*.not_a_*")

        finished = await naq("run-worker", "-m", MODULE, "--burst", "-p", "1", *wanted, config=config)

        assert await handle.result(timeout=30) is None
    assert finished.code == 0


async def test_modules_of_the_project_do_not_take_the_place_of_pythons_own(config: NAQConfig, tmp_path: Path) -> None:
    (tmp_path / "selectors.py").write_text("raise SystemExit('this is not what Python wanted')")
    (tmp_path / "more_tasks.py").write_text(ONE)
    arguments = ("-P", "-m", *RUN, "-m", "more_tasks", "--processes=1")
    async with (
        foreground(*arguments, config=config, cwd=tmp_path) as process,
        Queue(config=config) as queue,
    ):
        assert await (await queue.enqueue("more_tasks.one")).result(timeout=20) == 1

        process.send_signal(signal.SIGTERM)
        _, err = await process.communicate()
    assert b"this is not" not in err
