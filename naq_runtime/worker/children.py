"""Child processes that run jobs: started as they are needed, kept warm, killed with the job that must end.

What runs in them is `naq_runtime.worker.child`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import sysconfig
from asyncio.subprocess import PIPE
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import cast

import msgspec

import naq_runtime
from naq_runtime.context import JobContext
from naq_runtime.errors import ProcessCrashed, SerializationError
from naq_runtime.serializer import Serializer
from naq_runtime.worker.frames import Frames, Hello, Kind, Line, Progress, Terms, frame
from naq_runtime.worker.raising import Raised

__all__ = ["Children"]

log = logging.getLogger(__name__)

_START_S = 30.0
_LAST_WORDS_S = 1.0
"""What a process wrote before it died is waited for so long."""
_POLITE_S = 1.3
_KILL_S = 0.5
_MODULE = "naq_runtime.worker.child"


class Children:
    """Child processes that each run one job at a time; kept warm, at most ``most`` of them.

    Args:
        modules: whose tasks they may run.
        allow: further functions that they may run.
        serializer: its class is made anew in each of them, without arguments.
        most: how many there may be.
    """

    def __init__(self, modules: Sequence[str], allow: Sequence[str], serializer: Serializer, *, most: int) -> None:
        self._modules = tuple(modules)
        self._allow = tuple(allow)
        self._serializer = f"{type(serializer).__module__}:{type(serializer).__qualname__}"
        self._free = asyncio.Semaphore(most)
        self._most = most
        self._alive: set[_Child] = set()
        self._idle: list[_Child] = []
        self._spare: list[asyncio.Task[_Child]] = []
        """Those whose jobs were cancelled meanwhile, good for the next ones."""
        self._busy = 0
        self._closed = False

    def resize(self, most: int) -> None:
        """Allow more of them; fewer come of themselves, as fewer jobs are taken."""
        for _ in range(self._most, most):
            self._free.release()
        self._most = max(self._most, most)

    def __repr__(self) -> str:
        return f"<Children busy={self._busy} alive={len(self._alive)}>"

    @property
    def busy(self) -> int:
        """How many run a job now."""
        return self._busy

    async def run(self, payload: bytes, context: JobContext) -> bytes | Raised:
        """Run a job in a process; what it says of itself goes to ``context``.

        Args:
            payload: the job, encoded.

        Returns:
            The encoded result, or what the job raised.

        Raises:
            ProcessCrashed: the process died, or could not be started.
            SerializationError: the job, or a result that it depends on, cannot be handed over.
            asyncio.CancelledError: it was cancelled; the process that ran the job has been killed.
        """
        order = _terms(context) + frame(Kind.JOB, payload)
        async with self._free:
            while True:
                child, is_new = await self._take()
                try:
                    return await self._run_in(child, order, context)
                except ProcessCrashed:
                    if is_new or child.has_begun:
                        raise
                    # It was about to die when it was given the job, and never saw it.

    async def close(self) -> None:
        """End those that wait for a job, kill those that run one. May be called twice."""
        self._closed = True
        for child in self._alive.difference(self._idle):
            child.kill()
        for child in self._idle:
            child.dismiss()
        self._idle.clear()
        await asyncio.gather(*(child.end(_POLITE_S) for child in self._alive))
        await asyncio.gather(*self._spare, return_exceptions=True)

    async def _run_in(self, child: _Child, order: bytes, context: JobContext) -> bytes | Raised:
        self._busy += 1
        try:
            answer = await child.run(order, context)
        except BaseException:
            child.kill()
            await child.end()
            raise
        finally:
            self._busy -= 1
        self._idle.append(child)
        return answer

    async def _take(self) -> tuple[_Child, bool]:
        """A child that has nothing to do, and whether it has never had to."""
        if self._closed:
            raise ProcessCrashed("no process is started any more: the worker is stopping")
        while self._idle:
            child = self._idle.pop()
            if child.is_alive:
                return child, False
            child.kill()
        start = self._spare.pop() if self._spare else asyncio.create_task(self._start(), name="start a child")
        try:
            await asyncio.wait({start})
        except asyncio.CancelledError:
            # A job whose time is shorter than that of a start would otherwise never find a process ready.
            self._spare.append(start)
            start.add_done_callback(self._keep)
            raise
        return start.result(), True

    def _keep(self, start: asyncio.Task[_Child]) -> None:
        if start in self._spare:
            self._spare.remove(start)
            if start.cancelled():
                return
            if (error := start.exception()) is None:
                self._idle.append(start.result())
            else:
                log.warning("no process for jobs: %s", error, extra={"action": "child_not_started"})

    async def _start(self) -> _Child:
        hello = Hello(self._modules, self._allow, self._serializer, tuple(map(str, sys.path)))
        child = _Child(self._alive)
        try:
            await _executed(child)
            await child.greet(frame(Kind.HELLO, msgspec.json.encode(hello)))
        except BaseException:
            child.kill()
            await child.end()
            raise
        return child


async def _executed(child: _Child) -> None:
    """Start the program of a child."""
    try:
        lifeline, child.lifeline = os.pipe()
        try:
            await asyncio.get_running_loop().subprocess_exec(
                lambda: child,
                sys.executable,
                "-P",  # what lies in the working directory must not take the place of the standard library
                "-m",
                _MODULE,
                str(lifeline),
                pass_fds=(lifeline,),
                stdin=PIPE,
                stdout=PIPE,
                stderr=None,
                start_new_session=True,
                env=_environment(),
            )
        finally:
            os.close(lifeline)
    except OSError as error:
        child.bury()
        raise ProcessCrashed(f"no process could be started for the job: {error}") from error


def _terms(context: JobContext) -> bytes:
    terms = Terms(context.worker_id, dict(context.dependencies), None if context.trace is None else dict(context.trace))
    try:
        return frame(Kind.TERMS, msgspec.json.encode(terms))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise SerializationError(f"the results that the job depends on cannot be handed over: {error}") from error


def _environment() -> dict[str, str]:
    """That of this process, with this package on the path of modules, wherever it came from."""
    home, path = str(Path(naq_runtime.__file__).parents[1]), os.environ.get("PYTHONPATH", "")
    if home == sysconfig.get_path("purelib"):
        return dict(os.environ)
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (path, home)))}


class _Child(asyncio.SubprocessProtocol):
    """One process, and the job that it runs."""

    def __init__(self, alive: set[_Child]) -> None:
        loop = asyncio.get_running_loop()
        self.has_begun = False
        """Whether it has begun the job that it was given last."""
        self.lifeline: int | None = None
        """Its end of this pipe tells it that we are gone."""
        self._alive = alive
        self._alive.add(self)
        self._transport: asyncio.SubprocessTransport | None = None
        self._frames = Frames()
        self._context: JobContext | None = None
        self._answer: asyncio.Future[tuple[Kind, bytes]] = loop.create_future()
        self._buried: asyncio.Future[None] = loop.create_future()
        self._is_ready = self._is_doomed = self._has_closed = self._has_exited = False

    @property
    def is_alive(self) -> bool:
        """Whether it could take a job."""
        return not (self._is_doomed or self._has_closed or self._has_exited)

    async def greet(self, hello: bytes) -> None:
        """Tell it what it needs to know, and wait until it is ready.

        Raises:
            ProcessCrashed: it never will be.
        """
        self._write(hello)
        try:
            async with asyncio.timeout(_START_S):
                kind, payload = await self._answer
        except TimeoutError:
            raise ProcessCrashed(f"the process for the job was not ready after {_START_S:g} s") from None
        if kind is not Kind.READY:
            what = msgspec.json.decode(payload, type=Raised)
            raise ProcessCrashed(f"the process for the job could not start: {what.error_type}: {what.error}")
        self._is_ready = True

    async def run(self, order: bytes, context: JobContext) -> bytes | Raised:
        """Run a job.

        Raises:
            ProcessCrashed: it died.
        """
        self.has_begun = False
        self._context = context
        self._answer = asyncio.get_running_loop().create_future()
        self._write(order)
        try:
            kind, payload = await self._answer
        finally:
            self._context = None
        return payload if kind is Kind.VALUE else msgspec.json.decode(payload, type=Raised)

    def dismiss(self) -> None:
        """Let it end by itself."""
        if (pipe := self._pipe) is not None:
            pipe.close()

    def kill(self) -> None:
        """End it now, with the processes that its job has started."""
        self._is_doomed = True
        if self._transport is not None and not self._has_exited:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._transport.get_pid(), signal.SIGKILL)

    async def end(self, polite_s: float = 0) -> None:
        """Wait for its end, and kill it when that does not come."""
        await asyncio.wait({self._buried}, timeout=polite_s)
        self.kill()
        await asyncio.wait({self._buried}, timeout=_KILL_S)

    def bury(self) -> None:
        """Nothing more will come from it."""
        self._alive.discard(self)
        if self._transport is not None:
            self._fail(f"the process that {'ran' if self._is_ready else 'was to run'} the job died: {self._cause}")
            self._transport.close()
        if self.lifeline is not None:
            os.close(self.lifeline)
            self.lifeline = None
        if not self._buried.done():
            self._buried.set_result(None)

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.SubprocessTransport", transport)  # that of uvloop does not say so
        if self._is_doomed:
            self.kill()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        try:
            for kind, payload in self._frames.feed(data):
                self._received(kind, payload)
        except Exception as error:  # supervision: whatever it says, or comes of it, is the end of this process only
            log.warning("a process for jobs makes no sense", exc_info=error, extra={"action": "child_garbled"})
            self._fail(f"the process that ran the job was killed, for it said what makes no sense: {error}")
            self.kill()

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self._has_closed |= fd == 1
        if self._has_closed and self._has_exited:
            self.bury()

    def process_exited(self) -> None:
        self._has_exited = True
        if self._has_closed or self._is_doomed:
            self.bury()
        else:
            asyncio.get_running_loop().call_later(_LAST_WORDS_S, self.bury)

    def _received(self, kind: Kind, payload: bytes) -> None:
        match kind:
            case Kind.BEGUN:
                self.has_begun = True
            case Kind.PROGRESS:
                report = msgspec.json.decode(payload, type=Progress)
                if self._context is not None:
                    self._context.progress(report.done, report.total, report.text)
            case Kind.LINE:
                line = msgspec.json.decode(payload, type=Line)
                if self._context is not None:
                    self._context.log(line.text, line.level)
            case Kind.READY | Kind.VALUE | Kind.RAISED if not self._answer.done():
                self._answer.set_result((kind, payload))
            case _:
                raise SerializationError(f"{kind.name} was not expected")

    def _fail(self, text: str) -> None:
        if not self._answer.done():
            self._answer.set_exception(ProcessCrashed(text))

    @property
    def _pipe(self) -> asyncio.WriteTransport | None:
        pipe = None if self._transport is None else self._transport.get_pipe_transport(0)
        return cast("asyncio.WriteTransport | None", pipe)

    def _write(self, data: bytes) -> None:
        if (pipe := self._pipe) is not None:
            pipe.write(data)

    @property
    def _cause(self) -> str:
        code = None if self._transport is None else self._transport.get_returncode()
        if code is None or code >= 0:
            return f"exit code {code}"
        try:
            return f"signal {signal.Signals(-code).name}"
        except ValueError:
            return f"signal {-code}"
