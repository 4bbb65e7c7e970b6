"""Tasks that run in processes of their own, and what is hostile among them."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from naq_runtime import task
from naq_runtime.context import JobContext, current_job
from naq_runtime.job import Job
from naq_runtime.retry import Cancel, Retry, Snooze
from naq_runtime.serializer import JsonSerializer
from naq_runtime.worker.children import Children

log = logging.getLogger("tasks")


class HugeSerializer(JsonSerializer):
    """Every result is one byte more than a frame can hold."""

    def encode_value(self, value: object) -> bytes:
        """Zeros, which cost no memory."""
        return bytes(256 * 1024 * 1024 + 1)


@task(process=True)
def add(left: int, right: int = 1) -> int:
    """The sum."""
    return left + right


@task(process=True)
def process_id() -> int:
    """Where this runs."""
    return os.getpid()


@task(process=True)
def kind_of(path: Path) -> str:
    """What an argument was made into."""
    return type(path).__mro__[1].__name__


@task(process=True)
def echo(text: str) -> str:
    """The same text."""
    return text


@task(process=True)
def describe() -> dict[str, object]:
    """What a job knows of itself."""
    job = current_job()
    return {
        "job_id": job.job_id,
        "attempt": job.attempt,
        "worker_id": job.worker_id,
        "dependencies": {job_id: result.result for job_id, result in job.dependencies.items()},
    }


@task(process=True)
def unspeakable() -> object:
    """A result that has no JSON form."""
    return object()


# What is raised


@task(process=True, retries=3, retry_on=(OSError,))
def fail(text: str) -> None:
    """An error after which it is not tried again."""
    raise ValueError(text)


@task(process=True, retries=3, retry_on=(OSError,))
def fail_for_now() -> None:
    """An error after which it is tried again."""
    raise ConnectionResetError("come back later")


@task(process=True)
def wish(what: str) -> None:
    """What a job may ask for."""
    raise {"retry": Retry(2), "snooze": Snooze(3), "cancel": Cancel("not needed")}[what]


@task(process=True)
def leave() -> None:
    """An attempt to end the process politely."""
    sys.exit(3)


@task(process=True)
def interrupt() -> None:
    """What Ctrl-C raises."""
    raise KeyboardInterrupt


# What a process dies of


@task(process=True)
def exit_at_once(code: int) -> None:
    """End the process."""
    os._exit(code)


@task(process=True)
def segfault() -> None:
    """Read where nothing is."""
    ctypes.string_at(0)


@task(process=True)
def kill_itself(number: int) -> None:
    """Die of a signal."""
    os.kill(os.getpid(), number)


@task(process=True)
def die_afterwards() -> None:
    """Return, and end the process a moment later."""
    threading.Timer(0.05, os._exit, (7,)).start()


@task(process=True)
def scribble() -> None:
    """Write into every pipe there is."""
    for number in range(3, 20):
        try:
            os.write(number, b"no frame at all")
        except OSError:
            continue


@task(process=True)
def fork_and_die() -> int:
    """Leave a process behind that holds on to everything, and die."""
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)
    os._exit(4)


# What takes its time


@task(process=True)
def wait(mark: Path) -> int:
    """Return when the mark is taken away."""
    _leave_mark(mark)
    while mark.exists():
        time.sleep(0.01)
    return os.getpid()


@task(process=True)
def hold_the_lock(mark: Path) -> None:
    """Never return, nor let any other thread run."""
    _leave_mark(mark)
    re.match(r"(a+)+$", "a" * 60 + "b")


@task(process=True)
def start_another(mark: Path) -> None:
    """Wait for a process of its own."""
    other = subprocess.Popen(["sleep", "60"])
    _leave_mark(mark, other.pid)
    other.wait()


@task(process=True)
def leave_a_thread() -> int:
    """Leave a thread behind that does not end."""
    threading.Thread(target=time.sleep, args=(60,)).start()
    return os.getpid()


# What it says


@task(process=True)
def report(steps: int) -> None:
    """Tell how far it is, faster than anybody can see."""
    for step in range(1, steps + 1):
        current_job().progress(step, steps, f"step {step}")


@task(process=True)
def report_and_wait(mark: Path) -> None:
    """Tell twice at once how far it is, and return when the mark is taken away."""
    current_job().progress(1, 2)
    current_job().progress(2, 2)
    wait(mark)


@task(process=True)
def report_nonsense() -> None:
    """Progress that has no JSON form, and lines that have none."""
    with suppress(ValueError):
        current_job().progress(float("nan"))
    current_job().log("half a letter: \udcff")


@task(process=True)
def say(lines: int) -> None:
    """Write lines into the job's events."""
    for number in range(lines):
        current_job().log(f"line {number}", "WARNING")


@task(process=True, log="INFO")
def log_lines() -> None:
    """Write by `logging`."""
    log.debug("too quiet")
    log.info("%d is heard", 1)


@task(process=True)
def print_much() -> str:
    """Write to standard output in every way, and read standard input."""
    print("printed " * 1_000)  # noqa: T201
    os.write(1, b"written\n")
    os.system("echo echoed")
    return sys.stdin.read()


@task(process=True)
def fork_and_report() -> int:
    """Have a forked process take part in everything, and return like this one."""
    pid = os.fork()
    if pid == 0:
        current_job().log("from elsewhere")
        return -1
    return os.waitpid(pid, 0)[1]


@task(process=True)
def ignore_signals() -> str:
    """Receive what Ctrl-C and the end of a service send."""
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(os.getpid(), number)
    return "still here"


@task(process=True)
def use_a_pool() -> int:
    """Start processes of its own, and end them by a signal."""
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return sum(pool.map(abs, [-1, -2]))


def _leave_mark(mark: Path, pid: int | None = None) -> None:
    mark.with_suffix(".new").write_text(f"{pid or os.getpid()}\n")
    mark.with_suffix(".new").rename(mark)


async def _be_a_worker(function: str, mark: str) -> None:
    """Run one of the tasks that never return."""
    serializer = JsonSerializer()
    job = Job(f"tests.support.process_tasks.{function}", (mark,), queue_name="default")
    children = Children(["tests.support.process_tasks"], [], serializer, most=1)
    await children.run(serializer.encode_job(job), JobContext(job, "w1"))


if __name__ == "__main__":
    asyncio.run(_be_a_worker(*sys.argv[1:]))
