"""Running a program for events, which it reads as lines of JSON."""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from contextlib import suppress

from naq_runtime.errors import ProcessingError, Unavailable
from naq_runtime.events.codec import encode_stored
from naq_runtime.events.models import StoredEvent
from naq_runtime.processors.settings import CommandSettings
from naq_runtime.processors.words import one_line

__all__ = ["Command"]

_TEMPORARY = 75
"""``EX_TEMPFAIL`` of ``sysexits.h``: by it a program says that it can do nothing for now."""
_READ = 4_096
_TOLD = 500
_END_S = 5.0
_LAST_WORDS_S = 0.5
_LOOK_S = 0.1


class Command:
    """Runs it once for each batch: the events on its stdin, one JSON object a line.

    0 says that they are processed, 75 that none can be for now, any other code that these could not. It is a group of
    processes of its own, and killed as a whole when its time is over.
    """

    def __init__(self, settings: CommandSettings) -> None:
        self._command = settings.command
        self._timeout_s = settings.timeout
        first = settings.command if isinstance(settings.command, str) else settings.command[0]
        self._name = first.split()[0] if first.split() else first

    def __repr__(self) -> str:
        return f"<Command {self._name}>"

    def __str__(self) -> str:
        return f"runs {self._name}"

    async def __call__(self, events: Sequence[StoredEvent]) -> None:
        """Process a batch.

        Raises:
            Unavailable: it cannot be started, or says so.
            ProcessingError: it failed, or took too long.
        """
        process = await self._started()
        lines = b"".join(encode_stored(stored) + b"\n" for stored in events)
        tail = bytearray()
        talking = asyncio.gather(_listen(process, tail), _feed(process, lines))
        try:
            async with asyncio.timeout(self._timeout_s):
                code = await _exit_code(process)
        except TimeoutError as error:
            raise ProcessingError(f"{self._name} was killed after {self._timeout_s:g} s") from error
        finally:
            await _kill(process)
            await _hang_up(process, talking)
        said = one_line(tail.decode("utf-8", "replace"), _TOLD)
        if code:
            kind = Unavailable if code == _TEMPORARY else ProcessingError
            how = f"exit code {code}" if code > 0 else f"signal {-code}"
            raise kind(f"{self._name} ended with {how}{f': {said}' if said else ''}")

    async def close(self) -> None:
        """Nothing is left."""

    async def _started(self) -> Process:
        try:
            if isinstance(self._command, str):
                return await asyncio.create_subprocess_shell(
                    self._command, stdin=PIPE, stdout=DEVNULL, stderr=PIPE, start_new_session=True
                )
            return await asyncio.create_subprocess_exec(
                *self._command, stdin=PIPE, stdout=DEVNULL, stderr=PIPE, start_new_session=True
            )
        except (OSError, ValueError) as error:
            raise Unavailable(f"{self._name} cannot be started: {error}") from error


async def _feed(process: Process, lines: bytes) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError, ConnectionResetError):  # it has read as much as it wanted
        process.stdin.write(lines)
        await process.stdin.drain()
    process.stdin.close()


async def _listen(process: Process, tail: bytearray) -> None:
    """Keep the end of what it says on stderr."""
    assert process.stderr is not None
    while chunk := await process.stderr.read(_READ):
        tail += chunk
        del tail[:-_TOLD]


async def _exit_code(process: Process) -> int:
    """How it ended. Later versions of Python wait besides until nobody holds its pipes, which its children may do."""
    ended = asyncio.ensure_future(process.wait())
    try:
        while process.returncode is None:
            await asyncio.wait({ended}, timeout=_LOOK_S)
        return process.returncode
    finally:
        ended.cancel()


async def _hang_up(process: Process, talking: asyncio.Future[tuple[None, None]]) -> None:
    """Take in its last words, and close the pipes, which somebody may hold who has left its group."""
    await asyncio.wait({talking}, timeout=_LAST_WORDS_S)
    talking.cancel()
    await asyncio.gather(talking, return_exceptions=True)
    if (transport := getattr(process, "_transport", None)) is not None:  # there is no other way to close stderr
        transport.close()


async def _kill(process: Process) -> None:
    """End it with all that it has started and left."""
    with suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    with suppress(TimeoutError):
        async with asyncio.timeout(_END_S):
            await process.wait()
