"""The process that runs jobs for a worker, one at a time: ``python -m naq_runtime.worker.child``.

It is started by `naq_runtime.worker.children.Children`, which speaks to it on its standard input and output, and holds
a lifeline, whose number is its argument. It ends when its input does; when the lifeline closes, it ends in the middle
of a job, for the worker has died, and the job is given to another.
"""

from __future__ import annotations

import contextvars
import faulthandler
import fcntl
import io
import math
import os
import select
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from typing import Any

import msgspec

from naq_runtime.context import JobContext, running_as
from naq_runtime.events.models import JobEventType
from naq_runtime.job import Job
from naq_runtime.job_logging import record_job_logs
from naq_runtime.retry import NO_RETRIES
from naq_runtime.serializer import Serializer, load_serializer
from naq_runtime.tasks import Task, TaskRegistry
from naq_runtime.tracing import resumed
from naq_runtime.worker.frames import Frames, Hello, Kind, Terms, frame
from naq_runtime.worker.raising import raised
from naq_runtime.worker.rebuilding import portable

__all__ = ["main"]

_PROGRESS_S = 0.05
"""Reports of progress that come faster are joined."""
_PIECE = 1 << 18


class Channel:
    """The pipes to the worker."""

    def __init__(self, source: int, sink: int) -> None:
        self._source = source
        self._sink = sink
        self._frames = Frames()
        self._ready: deque[tuple[Kind, bytes]] = deque()
        self._lock = threading.Lock()
        os.register_at_fork(after_in_child=self._let_go)

    @classmethod
    def take(cls) -> Channel:
        """Take standard input and output away from user code, which gets nothing and stderr in their place."""
        channel = cls(os.dup(0), os.dup(1))
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        os.dup2(2, 1)
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(line_buffering=True)
        return channel

    def receive(self) -> tuple[Kind, bytes] | None:
        """The next frame; ``None`` when there will be no more."""
        while not self._ready:
            data = os.read(self._source, _PIECE)
            if not data:
                return None
            self._ready.extend(self._frames.feed(data))
        return self._ready.popleft()

    def send(self, kind: Kind, payload: bytes = b"") -> None:
        """Send a frame; may be called from any thread.

        Raises:
            SerializationError: the payload is too large.
        """
        self.write(frame(kind, payload))

    def write(self, data: bytes) -> None:
        """Send what is a frame already."""
        rest = memoryview(data)
        with self._lock:
            while rest:
                rest = rest[os.write(self._sink, rest) :]

    def _let_go(self) -> None:
        """A process that user code forks has no part in what is said here."""
        self._lock = threading.Lock()
        null = os.open(os.devnull, os.O_RDWR)
        for pipe in (self._source, self._sink):
            os.dup2(null, pipe, inheritable=False)
        os.close(null)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)


class Reporter:
    """Hands to the worker what a job says of itself; of progress only as much as somebody could watch."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._lock = threading.Lock()
        self._told_at = -math.inf
        self._report: bytes | None = None
        self._timer: threading.Timer | None = None
        self._is_closed = False

    def emit(self, event_type: JobEventType, fields: dict[str, Any]) -> None:
        """Take an event of the job, as `JobContext` has made it."""
        encoded = msgspec.json.encode(fields)
        if event_type is JobEventType.PROGRESS:
            self._take(encoded)
        elif event_type is JobEventType.LOG:
            with self._lock:
                self._send(Kind.LINE, encoded)

    def close(self) -> None:
        """Tell what was not told yet; nothing more is taken, from threads that a job has left behind."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._tell()
            self._is_closed = True

    def _take(self, report: bytes) -> None:
        with self._lock:
            self._report = report
            wait_s = self._told_at + _PROGRESS_S - time.monotonic()
            if self._timer is None and wait_s <= 0:
                self._tell()
            elif self._timer is None:
                self._timer = threading.Timer(wait_s, self._tell_late)
                self._timer.daemon = True
                self._timer.start()

    def _tell_late(self) -> None:
        with self._lock:
            self._tell()

    def _tell(self) -> None:
        self._timer = None
        report, self._report = self._report, None
        if report is not None:
            self._told_at = time.monotonic()
            self._send(Kind.PROGRESS, report)

    def _send(self, kind: Kind, payload: bytes) -> None:
        if not self._is_closed:
            self._channel.send(kind, payload)


class Runner:
    """Runs jobs as they come."""

    def __init__(self, channel: Channel, registry: TaskRegistry, serializer: Serializer) -> None:
        self._channel = channel
        self._registry = registry
        self._serializer = serializer

    def run(self) -> None:
        """Run jobs until the pipe closes."""
        while (terms := self._channel.receive()) is not None and (job := self._channel.receive()) is not None:
            _heed_no_signals()
            self._channel.send(Kind.BEGUN)
            self._channel.write(self._answer(job[1], msgspec.json.decode(terms[1], type=Terms)))

    def _answer(self, payload: bytes, terms: Terms) -> bytes:
        """The frame that says what became of a job."""
        policy = NO_RETRIES
        try:
            job = self._serializer.decode_job(payload)
            task = self._registry.get(str(job.function))
            policy = task.options.retry.override(job.retries, job.retry_delay)
            args, kwargs = task.arguments.convert(job.args, job.kwargs)
            returned = self._call(task, args, kwargs, job, terms)
            return frame(Kind.VALUE, self._serializer.encode_value(returned))
        except BaseException as error:  # user code may raise anything
            return frame(Kind.RAISED, msgspec.json.encode(portable(error, policy)))

    def _call(self, task: Task, args: Sequence[Any], kwargs: dict[str, Any], job: Job, terms: Terms) -> Any:
        reporter = Reporter(self._channel)
        context = JobContext(
            job,
            terms.worker_id,
            reporter.emit,
            dependencies=terms.dependencies,
            log_level=task.options.log_level,
        )

        def call() -> Any:
            running_as.set(context)
            with nullcontext() if terms.trace is None else resumed(terms.trace):
                return task.function(*args, **kwargs)

        try:
            return contextvars.copy_context().run(call)
        finally:
            context.close()
            reporter.close()


def _heed_no_signals() -> None:
    """Ctrl-C and the end of a service reach all processes of a worker, and the worker decides what becomes of jobs."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # A handler, for what is ignored would be ignored by the programs that a job starts, too.
        signal.signal(number, lambda *_: None)


def _prepared(hello: Hello) -> tuple[TaskRegistry, Serializer]:
    """What the jobs need; this imports user code."""
    sys.path[:] = hello.path
    registry = TaskRegistry.load(hello.modules, allow=hello.allow)
    serializer = load_serializer(hello.serializer)
    record_job_logs(registry.lowest_log_level)
    return registry, serializer


def _die_with_worker(lifeline: int) -> None:
    """From here on, the end of the worker is the end of this process, whatever it is doing.

    Nothing is ever written into the lifeline, and the worker's end of it closes when the worker dies. The kernel tells
    that by a signal that nobody handles: unlike a thread that waits for it, this works while a job holds the
    interpreter's lock.
    """
    os.set_inheritable(lifeline, False)
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([lifeline], [], [], 0)[0]:  # it closed before we asked for the signal
        os._exit(1)


def main() -> None:
    """Serve one worker until its pipe closes."""
    channel = Channel.take()
    _die_with_worker(int(sys.argv.pop()))
    _heed_no_signals()
    faulthandler.enable(2)
    hello = channel.receive()
    if hello is None:
        return
    try:
        registry, serializer = _prepared(msgspec.json.decode(hello[1], type=Hello))
    except BaseException as error:  # user code may raise anything
        channel.send(Kind.RAISED, msgspec.json.encode(raised(error, NO_RETRIES)))
        return
    with suppress(BrokenPipeError):
        channel.send(Kind.READY)
        Runner(channel, registry, serializer).run()


if __name__ == "__main__":
    # Under its own name, by which frames of this module are told from those of jobs.
    from naq_runtime.worker import child

    child.main()
