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


def main() -> None:
    """Serve one owner: programs end first, then the servers that they use."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # A handler, for what is ignored would be ignored by the programs too.
        signal.signal(number, lambda *_: None)
    programs: list[subprocess.Popen[bytes]] = []
    servers: list[subprocess.Popen[bytes]] = []
    kept: list[IO[bytes]] = []
    folders: list[str] = []
    grace_s = 5.0
    for line in sys.stdin.buffer:
        order = json.loads(line)
        grace_s = order.get("grace_s", grace_s)
        if order.get("remove"):
            folders.append(order["remove"])
        answer: dict[str, Any] = {}
        if order.get("command"):
            try:
                process = start(order, kept)
                (servers if order.get("serves") else programs).append(process)
                answer["pid"] = process.pid
            except BlockingIOError:
                answer["error"] = "locked"
            except OSError as error:
                answer["error"] = str(error)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    end(programs, grace_s)
    end(servers, grace_s)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
