"""A small process that ends others when their owner is gone, however it went.

The owner starts it with a pipe on its standard input, and sends one JSON object a line: what to start. The guard
answers each with a line on its standard output. When the pipe closes, because the owner closed it or died, the
guard ends what it started, and removes the folders it was told to.

It is run as a script, and imports nothing but the standard library, so that it starts in a few milliseconds.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from typing import IO, Any


def start(order: dict[str, Any], kept: list[IO[bytes]]) -> subprocess.Popen[bytes]:
    """Start a program.

    Raises:
        BlockingIOError: another server holds the lock.
        OSError: the program cannot be started.
    """
    inherited = []
    if order.get("lock"):
        lock = open(order["lock"], "ab")  # noqa: SIM115  # held by the program that inherits it
        kept.append(lock)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        inherited.append(lock.fileno())
    log = open(order["log"], "ab") if order.get("log") else None  # noqa: SIM115  # handed to the program
    try:
        return subprocess.Popen(
            order["command"],
            stdin=subprocess.DEVNULL,
            stdout=log or subprocess.DEVNULL,
            stderr=log or subprocess.DEVNULL,
            env={**os.environ, **order.get("env", {})},
            pass_fds=inherited,
        )
    finally:
        if log is not None:
            log.close()


def end(processes: list[subprocess.Popen[bytes]], grace_s: float) -> None:
    """End what runs, all at once: asked first, killed when the grace is over."""
    for process in processes:
        if process.poll() is None:
            process.terminate()
    deadline = time.monotonic() + grace_s
    for process in processes:
        try:
            process.wait(max(0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Guard:
    """What was started for one owner."""

    def __init__(self) -> None:
        self._programs: list[subprocess.Popen[bytes]] = []
        self._servers: list[subprocess.Popen[bytes]] = []
        self._locks: list[IO[bytes]] = []
        self._folders: list[str] = []
        self._grace_s = 5.0

    def obey(self, order: dict[str, Any]) -> dict[str, Any]:
        """Carry out one order, and say how it went."""
        self._grace_s = order.get("grace_s", self._grace_s)
        if order.get("remove"):
            self._folders.append(order["remove"])
        if not order.get("command"):
            return {}
        try:
            process = start(order, self._locks)
        except BlockingIOError:
            return {"error": "locked"}
        except OSError as error:
            return {"error": str(error)}
        (self._servers if order.get("serves") else self._programs).append(process)
        return {"pid": process.pid}

    def end(self) -> None:
        """End the programs, then the servers that they use, and remove the folders."""
        end(self._programs, self._grace_s)
        end(self._servers, self._grace_s)
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
