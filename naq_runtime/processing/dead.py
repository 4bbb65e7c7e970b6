"""Events that a processor has given up: kept as they were, with the reason, until somebody deals with them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

import msgspec
from msgspec import Struct

from naq_runtime.errors import NaqError, NotFound, StreamMissing
from naq_runtime.naming import Names, check_name
from naq_runtime.nats.direct import StoredMessage
from naq_runtime.nats.publish import Outgoing
from naq_runtime.nats.streams import Streams, in_header

__all__ = ["DeadEvent", "DeadEvents"]

_HEADER = "Naq-Failure"
_HEADERS_SIZE = 512
_LONGEST_REASONS = (2_000, 200, 20)
"""Characters that are tried one after the other, until they fit."""


class _Failure(Struct, omit_defaults=True):
    """What the header says."""

    reason: str
    error_type: str
    attempts: int
    failed_at_ns: int
    is_suspect: bool = False


class DeadEvent(Struct, frozen=True, kw_only=True):
    """An event that a processor has given up."""

    processor: str
    sequence: int
    """Of the event in the log."""
    payload: bytes
    """The event as it was stored."""
    reason: str
    error_type: str
    attempts: int
    failed_at_ns: int
    letter: int
    """Of this record in its stream."""
    is_suspect: bool = False
    """It is being tried for a last time, since several processes died while they had it; or another one did."""


class DeadEvents:
    """Keeps the dead events of all processors."""

    def __init__(self, streams: Streams, names: Names) -> None:
        self._streams = streams
        self._names = names

    async def bury(self, dead: DeadEvent) -> None:
        """Keep an event, in place of what was kept of it before.

        Raises:
            ServerError: it may be kept, or not.
        """
        failure = _Failure(dead.reason, dead.error_type[:200], dead.attempts, dead.failed_at_ns, dead.is_suspect)
        room = self._streams.largest - len(dead.payload) - _HEADERS_SIZE
        headers = next(filter(None, (_fitting(failure, longest, room) for longest in _LONGEST_REASONS)), None)
        await self._store(Outgoing(self._names.dead_event(dead.processor, dead.sequence), dead.payload, headers))

    async def list(self, processor: str = "*") -> AsyncIterator[DeadEvent]:
        """Those of one processor, or of all, in the order in which they were given up."""
        subject = self._names.dead_event(processor if processor == "*" else _checked(processor), "*")
        with suppress(StreamMissing):  # there never was a processor
            async for page in self._streams.scan(self._names.processors_stream, subject):
                for message in page:
                    yield _read(message)

    async def find(self, processor: str, sequence: int) -> DeadEvent | None:
        """One of them."""
        subject = self._names.dead_event(_checked(processor), sequence)
        messages = await self._streams.last(self._names.processors_stream, [subject])
        return _read(messages[-1]) if messages else None

    async def get(self, processor: str, sequence: int) -> DeadEvent:
        """One of them.

        Raises:
            NotFound: processor has not given up an event of this sequence.
        """
        found = await self.find(processor, sequence)
        if found is None:
            raise NotFound(f"processor {processor} has no dead event {sequence}; 'naq processor dead' lists them")
        return found

    async def retry(self, dead: DeadEvent) -> None:
        """Have the processor process an event again, with all its tries.

        Raises:
            ServerError: it may be done, or not; to do it again does no harm.
        """
        await self._store(Outgoing(self._names.event_again(dead.processor, dead.sequence), dead.payload))
        await self.delete([dead])

    async def delete(self, dead: Sequence[DeadEvent]) -> int:
        """Forget events; how many were still there."""
        return sum(await self._streams.delete(self._names.processors_stream, [one.letter for one in dead]))

    async def _store(self, message: Outgoing) -> None:
        (stored,) = await self._streams.publish([message])
        if isinstance(stored, NaqError):
            raise stored


def _checked(processor: str) -> str:
    return check_name("processor", processor)


def _fitting(failure: _Failure, longest: int, room: int) -> dict[str, str] | None:
    header = in_header(msgspec.structs.replace(failure, reason=failure.reason[:longest]))
    return {_HEADER: header} if len(header) <= room else None


def _read(message: StoredMessage) -> DeadEvent:
    processor, _, sequence = message.subject.split(".")[-3:]
    try:
        failure = msgspec.json.decode(message.headers.get(_HEADER, ""), type=_Failure)
    except msgspec.MsgspecError:
        failure = _Failure("nothing is known of its failure", "Unknown", 1, 0)
    return DeadEvent(
        processor=processor,
        sequence=int(sequence) if sequence.isdigit() else 0,
        payload=message.data,
        reason=failure.reason,
        error_type=failure.error_type,
        attempts=failure.attempts,
        failed_at_ns=failure.failed_at_ns,
        letter=message.sequence,
        is_suspect=failure.is_suspect,
    )
