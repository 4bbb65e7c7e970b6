"""A small process that ends others when their owner is gone, however it went.

The owner starts it with a pipe on its standard input, and sends one JSON object a line: what to start. The guard
answers each with a line on its standard output. When the pipe closes, because the owner closed it or died, the
guard ends what it started, and removes the folders it was told to.

It is run as a script, and imports nothing but the standard library, so that it starts in a few milliseconds.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from typing import Any, NamedTuple

_GRACE_S = 5.0


class Program(NamedTuple):
    """One that was started, and how long it may take to end before it is killed."""

    process: subprocess.Popen[bytes]
    grace_s: float


def start(order: dict[str, Any]) -> subprocess.Popen[bytes]:
    """Start a program.

    Raises:
        BlockingIOError: another server holds the lock.
        OSError: the program cannot be started.
    """
    with contextlib.ExitStack() as ours:
        inherited = []
        if order.get("lock"):
            lock = ours.enter_context(open(order["lock"], "ab"))
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            inherited.append(lock.fileno())  # the lock lasts for as long as the program that inherits it
        log = ours.enter_context(open(order["log"], "ab")) if order.get("log") else None
        return subprocess.Popen(
            order["command"],
            stdin=subprocess.DEVNULL,
            stdout=log or subprocess.DEVNULL,
            stderr=log or subprocess.DEVNULL,
            env={**os.environ, **order.get("env", {})},
            pass_fds=inherited,
        )


def end(programs: list[Program]) -> None:
    """End what runs, all at once: asked first, killed when its grace is over."""
    for process, _ in programs:
        if process.poll() is None:
            process.terminate()
    asked = time.monotonic()
    for process, grace_s in sorted(programs, key=lambda program: program.grace_s):
        try:
            process.wait(max(0, asked + grace_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Guard:
    """What was started for one owner."""

    def __init__(self) -> None:
        self._programs: list[Program] = []
        self._servers: list[Program] = []
        self._folders: list[str] = []

    def obey(self, order: dict[str, Any]) -> dict[str, Any]:
        """Carry out one order, and say how it went."""
        if order.get("remove"):
            self._folders.append(order["remove"])
        if not order.get("command"):
            return {}
        try:
            process = start(order)
        except BlockingIOError:
            return {"error": "locked"}
        except OSError as error:
            return {"error": str(error)}
        program = Program(process, order.get("grace_s", _GRACE_S))
        (self._servers if order.get("serves") else self._programs).append(program)
        return {"pid": process.pid}

    def end(self) -> None:
        """End the programs, then the servers that they use, and remove the folders."""
        end(self._programs)
        end(self._servers)
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Serve one owner until its pipe closes."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # A handler, for what is ignored would be ignored by the programs too.
        signal.signal(number, lambda *_: None)
    guard = Guard()
    try:
        for line in sys.stdin.buffer:
            os.write(sys.stdout.fileno(), json.dumps(guard.obey(json.loads(line))).encode() + b"\n")
    except BrokenPipeError:
        pass  # the owner died before it read the answer
    finally:
        guard.end()


if __name__ == "__main__":
    main()
