"""What ends a child process, and what a dying one takes with it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from naq_runtime.context import JobContext
from naq_runtime.errors import ProcessCrashed
from naq_runtime.events.models import JobEventType
from naq_runtime.job import Job
from naq_runtime.naming import new_id
from naq_runtime.serializer import JsonSerializer
from naq_runtime.worker import children as module
from naq_runtime.worker.children import Children
from tests.support.children import HERE, SERIALIZER, pid_in, ran, running_children
from tests.support.processes import is_gone, started
from tests.support.waiting import eventually


@pytest.fixture
async def children() -> AsyncIterator[Children]:
    """Up to two child processes."""
    async with running_children(HERE, most=2) as running:
        yield running


WriteModule = Callable[[str], str]


@pytest.fixture
def write_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WriteModule:
    """Writes a module of the given source where only this process looks; returns its name."""
    folder = tmp_path / "modules"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)

    def write(source: str) -> str:
        name = f"written_{new_id(8)}"
        (folder / f"{name}.py").write_text(source, encoding="utf-8")
        return name

    return write


class TestCrashes:
    @pytest.mark.parametrize(
        ("job", "cause"),
        [
            (("segfault",), "signal SIGSEGV"),
            (("kill_itself", signal.SIGKILL), "signal SIGKILL"),
            (("exit_at_once", 3), "exit code 3"),
            (("exit_at_once", 0), "exit code 0"),
            (("fork_and_die",), "exit code 4"),
        ],
    )
    async def test_a_dead_process_is_told_from_a_failed_job(
        self, children: Children, job: tuple[Any, ...], cause: str
    ) -> None:
        with pytest.raises(ProcessCrashed, match=f"^the process that ran the job died: {cause}$"):
            await ran(children, *job)

    async def test_only_the_job_of_the_process_is_affected(self, children: Children, tmp_path: Path) -> None:
        other = asyncio.create_task(ran(children, "wait", str(tmp_path / "mark")))
        pid = await pid_in(tmp_path / "mark")

        with pytest.raises(ProcessCrashed):
            await ran(children, "segfault")

        (tmp_path / "mark").unlink()
        assert await other == pid

    async def test_the_next_job_has_a_new_process(self, children: Children) -> None:
        with pytest.raises(ProcessCrashed):
            await ran(children, "segfault")
        assert await ran(children, "add", 1) == 2

    async def test_a_process_that_dies_between_jobs_is_replaced(self, children: Children) -> None:
        pid = await ran(children, "process_id")
        await ran(children, "die_afterwards")
        await eventually(lambda: is_gone(pid))

        assert await ran(children, "process_id") != pid

    async def test_a_job_that_a_dying_process_never_saw_runs_in_another(self, children: Children) -> None:
        pid = await ran(children, "process_id")
        os.kill(pid, signal.SIGSTOP)
        running = asyncio.create_task(ran(children, "process_id"))
        await eventually(lambda: children.busy == 1)

        os.kill(pid, signal.SIGKILL)

        assert await running != pid

    async def test_what_is_written_into_the_pipe_itself_ends_the_process(self, children: Children) -> None:
        with pytest.raises(ProcessCrashed, match="said what makes no sense: what begins with b'no frame"):
            await ran(children, "scribble")

    async def test_whoever_cannot_take_the_events_of_a_job_ends_it(self, children: Children) -> None:
        def refuse(event_type: JobEventType, fields: dict[str, Any]) -> None:
            raise RuntimeError("not today")

        job = Job(f"{HERE}.say", (1,), queue_name="q1")
        with pytest.raises(ProcessCrashed, match="not today"):
            await children.run(SERIALIZER.encode_job(job), JobContext(job, "w1", refuse))


class TestStarting:
    async def test_a_module_of_a_folder_that_only_the_worker_knows_is_found(self, write_module: WriteModule) -> None:
        name = write_module("from naq_runtime import task\n@task(process=True)\ndef answer(): return 42\n")
        async with running_children(name) as children:
            assert await ran(children, f"{name}.answer") == 42

    async def test_functions_that_were_allowed_run_without_a_mark(self, write_module: WriteModule) -> None:
        name = write_module("def answer(): return 42\n")
        async with running_children(name, allow=[f"{name}.*"]) as children:
            assert await ran(children, f"{name}.answer") == 42

    async def test_a_process_that_cannot_be_started_at_all_fails_the_job(
        self, children: Children, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "executable", "/nowhere/python")
        with pytest.raises(ProcessCrashed, match=r"no process could be started for the job: .*/nowhere/python"):
            await ran(children, "add", 1)

    @pytest.mark.parametrize(
        ("source", "said"),
        [
            ("raise OSError('no licence')", "could not start: ModuleNotLoaded: .* OSError: no licence"),
            ("raise SystemExit(3)", "could not start: ModuleNotLoaded: .* SystemExit: 3"),
            ("import os; os._exit(9)", "the process that was to run the job died: exit code 9"),
            ("import os; os.kill(os.getpid(), 9)", "the process that was to run the job died: signal SIGKILL"),
            ("class Doom(BaseException): ...\nraise Doom('end')", "could not start: Doom: end"),
        ],
    )
    async def test_a_module_that_does_not_import_fails_the_job(
        self, write_module: WriteModule, source: str, said: str
    ) -> None:
        async with running_children(write_module(source)) as children:
            with pytest.raises(ProcessCrashed, match=said):
                await ran(children, "add", 1)

    async def test_what_a_module_prints_and_reads_on_import_does_no_harm(self, write_module: WriteModule) -> None:
        name = write_module("import os, sys\nprint('hello')\nos.write(1, b'x' * 100)\nassert not sys.stdin.read()")
        async with running_children(name, HERE) as children:
            assert await ran(children, "add", 1) == 2

    async def test_a_start_has_a_time_limit(self, write_module: WriteModule, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_START_S", 0.3)
        async with running_children(write_module("import time; time.sleep(60)")) as children:
            with pytest.raises(ProcessCrashed, match=r"not ready after 0\.3 s"):
                await ran(children, "add", 1)

    async def test_a_start_outlives_the_job_that_asked_for_it(self, write_module: WriteModule, tmp_path: Path) -> None:
        begun, go = tmp_path / "begun", tmp_path / "go"
        name = write_module(
            f"import pathlib, time\npathlib.Path({str(begun)!r}).open('a').write('x')\n"
            f"while not pathlib.Path({str(go)!r}).exists(): time.sleep(0.01)\n"
        )
        async with running_children(name, HERE) as children:
            first = asyncio.create_task(ran(children, "add", 1))
            await eventually(begun.exists)
            first.cancel()
            await asyncio.wait({first})

            second = asyncio.create_task(ran(children, "add", 2))
            go.touch()

            assert await second == 3
            assert begun.read_text() == "x"

    async def test_files_of_the_working_directory_do_not_take_the_place_of_pythons_own(
        self, children: Children, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "logging.py").write_text("raise RuntimeError('the wrong one')")
        monkeypatch.chdir(tmp_path)

        assert await ran(children, "add", 1) == 2

    async def test_a_serializer_that_a_process_cannot_make_is_named(self) -> None:
        class Local(JsonSerializer):
            pass

        async with running_children(HERE, serializer=Local()) as children:
            with pytest.raises(ProcessCrashed, match="Local cannot be made"):
                await ran(children, "add", 1)

    async def test_no_more_processes_run_than_allowed(self, children: Children, tmp_path: Path) -> None:
        marks = [tmp_path / str(number) for number in range(2)]
        held = [asyncio.create_task(ran(children, "wait", str(mark))) for mark in marks]
        pids = [await pid_in(mark) for mark in marks]
        third = asyncio.create_task(ran(children, "process_id"))
        await asyncio.sleep(0)

        assert children.busy == 2

        for mark in marks:
            mark.unlink()
        assert await third in pids
        assert await asyncio.gather(*held) == pids


class TestEnding:
    @pytest.mark.parametrize("function", ["wait", "hold_the_lock", "start_another"])
    async def test_cancelling_kills_the_process_and_what_it_started_at_once(
        self, children: Children, tmp_path: Path, function: str
    ) -> None:
        running = asyncio.create_task(ran(children, function, str(tmp_path / "mark")))
        pid = await pid_in(tmp_path / "mark")

        begun = time.monotonic()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

        assert time.monotonic() - begun < 30
        assert children.busy == 0
        await eventually(lambda: is_gone(pid))

    async def test_after_a_cancelled_job_the_next_one_runs(self, children: Children, tmp_path: Path) -> None:
        running = asyncio.create_task(ran(children, "wait", str(tmp_path / "mark")))
        await pid_in(tmp_path / "mark")

        running.cancel()
        await asyncio.wait({running})

        assert await ran(children, "add", 1) == 2

    async def test_ctrl_c_and_the_end_of_a_service_do_not_end_a_job(self, children: Children) -> None:
        assert await ran(children, "ignore_signals") == "still here"

    async def test_closing_ends_idle_processes(self, children: Children) -> None:
        pid = await ran(children, "process_id")
        await children.close()
        assert is_gone(pid)

    async def test_closing_does_not_wait_for_threads_that_jobs_have_left(self, children: Children) -> None:
        pid = await ran(children, "leave_a_thread")
        begun = time.monotonic()
        await children.close()
        assert time.monotonic() - begun < 30
        assert is_gone(pid)

    async def test_closing_kills_busy_processes(self, children: Children, tmp_path: Path) -> None:
        running = asyncio.create_task(ran(children, "wait", str(tmp_path / "mark")))
        pid = await pid_in(tmp_path / "mark")

        await children.close()

        assert is_gone(pid)
        with pytest.raises(ProcessCrashed, match="SIGKILL"):
            await running

    async def test_closing_kills_what_is_starting(self, write_module: WriteModule, tmp_path: Path) -> None:
        mark = tmp_path / "mark"
        source = f"import os, pathlib, time\npathlib.Path({str(mark)!r}).write_text(str(os.getpid()))\ntime.sleep(60)"
        async with running_children(write_module(source)) as children:
            running = asyncio.create_task(ran(children, "add", 1))
            await eventually(lambda: mark.exists() and mark.read_text())

            await children.close()

            assert is_gone(int(mark.read_text()))
            with pytest.raises(ProcessCrashed):
                await running

    async def test_nothing_is_started_after_closing_twice(self, children: Children) -> None:
        await children.close()
        await children.close()
        with pytest.raises(ProcessCrashed, match="the worker is stopping"):
            await ran(children, "add", 1)

    @pytest.mark.parametrize("function", ["wait", "hold_the_lock"])
    async def test_the_death_of_the_worker_ends_its_processes(self, tmp_path: Path, function: str) -> None:
        async with started(HERE, function, str(tmp_path / "mark")) as worker:
            pid = await pid_in(tmp_path / "mark")

            worker.send_signal(signal.SIGKILL)

            await eventually(lambda: is_gone(pid))
