"""Speaking to workers that run now: nothing of it is stored."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection
from typing import Any

import msgspec
from msgspec import Struct

from naq_runtime.errors import NotFound, SerializationError, ServerError, ServerUnreachable
from naq_runtime.job import Whereabouts
from naq_runtime.naming import Names
from naq_runtime.nats.bucket import LeaseBucket
from naq_runtime.nats.connection import Connection, Msg, Subscription, subscribed
from naq_runtime.worker.record import WorkerState, decode_worker

__all__ = ["Answer", "CancelRequest", "Control", "ControlDesk", "heard_stop"]

_PATIENCE_S = 0.5
"""A worker that has not answered by then is taken for one that does not have the job."""
_LONG_PATIENCE_S = 1.0
"""And by then for one that is dead."""


class CancelRequest(Struct, frozen=True):
    """Which jobs should end, if they run."""

    job_ids: tuple[str, ...]
    by: str = ""
    reason: str = ""
    only_asking: bool = False
    """They should go on: who has them is all that is wanted."""
    queue: str = ""
    """All jobs of this queue are meant, too; only for asking."""


class Answer(Struct, frozen=True):
    """Which of the jobs a worker has; it is ending them, if that was wanted."""

    worker_id: str
    job_ids: tuple[str, ...] = ()
    settling: tuple[str, ...] = ()
    """See `Whereabouts.settling`."""
    ended: tuple[int, ...] = ()
    """See `Whereabouts.ended`."""


class Command(Struct, frozen=True):
    """What one worker should do."""

    do: str
    reason: str = ""


class Control:
    """Asks workers."""

    def __init__(self, connection: Connection, names: Names) -> None:
        self._connection = connection
        self._names = names
        self._bucket = LeaseBucket(connection, names, names.workers_bucket)

    async def end_jobs(self, job_ids: Collection[str], *, by: str = "", reason: str = "") -> Whereabouts:
        """Ask all workers to end these jobs, where they run.

        Raises:
            ServerError: they cannot be asked now.
        """
        asked, _ = await self._ask(CancelRequest(tuple(job_ids), by, reason))
        return asked

    async def find_jobs(self, job_ids: Collection[str]) -> set[str] | None:
        """The ids of those that workers have; ``None`` when one of the workers does not answer.

        Raises:
            ServerError: they cannot be asked now.
        """
        asked, complete = await self._ask(CancelRequest(tuple(job_ids), only_asking=True))
        return set(asked.running) if complete else None

    async def find_jobs_of(self, queue: str) -> set[str] | None:
        """The ids of the jobs of a queue that workers have; ``None`` when one of the workers does not answer.

        Raises:
            ServerError: they cannot be asked now.
        """
        asked, complete = await self._ask(CancelRequest((), only_asking=True, queue=queue))
        return set(asked.running) if complete else None

    async def is_there(self, worker_id: str) -> bool:
        """Whether a worker of this name answers, within a moment.

        Raises:
            ServerError: it cannot be asked now.
        """
        found = asyncio.Event()

        async def hear(message: Msg) -> None:
            if _speaker(message) == worker_id:
                found.set()

        request = msgspec.json.encode(CancelRequest((), only_asking=True))
        await self._say(self._names.control_jobs, request, hear, found, _LONG_PATIENCE_S)
        return found.is_set()

    async def renew_limits(self, queue: str) -> bool:
        """Have all workers look what limits a queue; whether all of them say that they keep to it from now on.

        Raises:
            ServerError: they cannot be asked now.
        """
        expected = await self._all_workers()
        complete = asyncio.Event()

        async def hear(message: Msg) -> None:
            expected.discard(_speaker(message))
            if not expected:
                complete.set()

        if not expected:
            complete.set()
        await self._say(self._names.control_queue(queue), b"", hear, complete, _LONG_PATIENCE_S)
        return complete.is_set()

    async def _all_workers(self) -> set[str]:
        """The names of those that should answer."""
        return {_worker_of(record) for record in await self._bucket.values()} - {""}

    async def _ask(self, request: CancelRequest) -> tuple[Whereabouts, bool]:
        """What workers say of the jobs, and whether all of them have answered."""
        expected = await self._all_workers()
        if not expected:
            return Whereabouts(), True
        having: set[str] = set()
        settling: set[str] = set()
        ended: set[int] = set()
        answered: set[str] = set()
        complete = asyncio.Event()

        async def hear(message: Msg) -> None:
            answer = _decoded(message, Answer)
            if answer is None:
                return
            having.update(answer.job_ids)
            settling.update(answer.settling)
            ended.update(answer.ended)
            answered.add(answer.worker_id)
            if expected <= answered:
                complete.set()

        await self._say(self._names.control_jobs, msgspec.json.encode(request), hear, complete, _PATIENCE_S)
        running = having if request.queue else having.intersection(request.job_ids)
        return Whereabouts(running, settling, ended), complete.is_set()

    async def _say(
        self,
        subject: str,
        request: bytes,
        hear: Callable[[Msg], Awaitable[None]],
        complete: asyncio.Event,
        within_s: float,
    ) -> None:
        """Say it to all workers, and hear what they answer until that is complete, or for so long."""
        inbox = self._connection.new_inbox()
        async with subscribed(self._connection, inbox, hear):
            await self._connection.publish(subject, request, inbox)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    await complete.wait()

    async def stop_worker(self, worker_id: str, reason: str) -> None:
        """Ask one worker to drain and end.

        Raises:
            NotFound: no worker of this name answers.
        """
        command = msgspec.json.encode(Command("stop", reason))
        try:
            await self._connection.request(self._names.control_worker(worker_id), command)
        except ServerUnreachable as error:
            if not self._connection.is_connected:
                raise
            raise NotFound(f"no worker named {worker_id} answers; 'naq worker list' shows those that run") from error


class ControlDesk:
    """Where a worker hears what it is asked.

    Args:
        end_jobs: ends those of the jobs that this worker has, and says what it knows of them.
        stop: drains and ends the worker.
        keep_limits: looks what limits a queue, and says whether that is kept from now on.
    """

    def __init__(
        self,
        connection: Connection,
        names: Names,
        worker_id: str,
        *,
        end_jobs: Callable[[CancelRequest], Whereabouts],
        stop: Callable[[str], None],
        keep_limits: Callable[[str], Awaitable[bool]],
    ) -> None:
        self._connection = connection
        self._names = names
        self._worker_id = worker_id
        self._end_jobs = end_jobs
        self._stop = stop
        self._keep_limits = keep_limits
        self._subscriptions: list[Subscription] = []

    async def open(self) -> None:
        """Begin to listen."""
        for subject, hear in (
            (self._names.control_jobs, self._hear_cancel),
            (self._names.control_worker(self._worker_id), self._hear_command),
            (self._names.control_queue("*"), self._hear_limits),
        ):
            self._subscriptions.append(await self._connection.subscribe(subject, hear))

    async def close(self) -> None:
        """Listen no more."""
        while self._subscriptions:
            await self._connection.unsubscribe(self._subscriptions.pop())

    async def _hear_cancel(self, message: Msg) -> None:
        request = _decoded(message, CancelRequest)
        if request is not None:
            asked = self._end_jobs(request)
            await self._answer(
                message, Answer(self._worker_id, tuple(asked.running), tuple(asked.settling), tuple(asked.ended))
            )

    async def _hear_command(self, message: Msg) -> None:
        command = _decoded(message, Command)
        if command is not None and command.do == "stop":
            await self._answer(message, Answer(self._worker_id))
            self._stop(command.reason)

    async def _hear_limits(self, message: Msg) -> None:
        if message.reply and await self._keep_limits(message.subject.rpartition(".")[2]):
            await self._answer(message, Answer(self._worker_id))

    async def _answer(self, message: Msg, answer: Answer) -> None:
        if message.reply:
            try:
                await self._connection.publish(message.reply, msgspec.json.encode(answer))
            except ServerError:
                return  # whoever asked does so again


async def heard_stop(connection: Connection, names: Names, worker_ids: Collection[str]) -> None:
    """Return once one of these workers is asked to stop; for workers that are not there to hear it themselves."""
    asked = asyncio.Event()

    async def hear(message: Msg) -> None:
        command = _decoded(message, Command)
        if command is not None and command.do == "stop":
            if message.reply:
                await connection.publish(message.reply, msgspec.json.encode(Answer("")))
            asked.set()

    async with contextlib.AsyncExitStack() as stack:
        for worker_id in worker_ids:
            await stack.enter_async_context(subscribed(connection, names.control_worker(worker_id), hear))
        await asked.wait()


def _worker_of(data: bytes) -> str:
    """Whose record it is; empty for a worker that has stopped, and will not answer."""
    try:
        record = decode_worker(data)
    except SerializationError:
        return "of a version that we do not know"
    return "" if record.state is WorkerState.STOPPED else record.worker_id


def _speaker(message: Msg) -> str:
    """Which worker has answered."""
    answer = _decoded(message, Answer)
    return "" if answer is None else str(answer.worker_id)


def _decoded(message: Msg, kind: Callable[..., Any]) -> Any:
    """What was asked; ``None`` for what nobody of ours has sent."""
    try:
        return msgspec.json.decode(message.data, type=kind)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
