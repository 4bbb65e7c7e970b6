"""What a worker and the processes that run its jobs say to each other: frames on a pipe.

A frame is one byte that says what it is, four bytes of length, and the payload.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum

from msgspec import Struct

from naq_runtime.errors import SerializationError
from naq_runtime.job import JobResult

__all__ = ["LIMIT", "Frames", "Hello", "Kind", "Line", "Progress", "Terms", "frame"]

LIMIT = 256 * 1024 * 1024
"""Bytes of one payload."""
_HEAD = struct.Struct(">BI")


class Kind(IntEnum):
    """What a frame is."""

    # From the worker
    HELLO = 1
    TERMS = 2
    JOB = 3
    """The job, encoded; its terms come right before it."""

    # From the process
    READY = 11
    BEGUN = 12
    """From here on, whatever happens to the process is the job's doing."""
    PROGRESS = 13
    LINE = 14
    VALUE = 15
    """The encoded result."""
    RAISED = 16
    """What the job raised; or, before READY, why there can be no jobs."""


class Hello(Struct, frozen=True):
    """What a process needs to know once."""

    modules: tuple[str, ...]
    allow: tuple[str, ...]
    serializer: str
    """Its class, as ``module:qualname``; it is made without arguments."""
    path: tuple[str, ...]
    """Where the worker looks for modules."""


class Terms(Struct, frozen=True):
    """What a job may know besides itself."""

    worker_id: str
    dependencies: dict[str, JobResult]
    trace: dict[str, str] | None = None
    """The context of its span, where there is tracing."""


class Progress(Struct, frozen=True):
    """How far a job is."""

    done: float
    total: float | None = None
    text: str | None = None


class Line(Struct, frozen=True):
    """A line that a job wrote."""

    text: str
    level: str


def frame(kind: Kind, payload: bytes = b"") -> bytes:
    """The bytes of a frame.

    Raises:
        SerializationError: the payload is too large.
    """
    if len(payload) > LIMIT:
        raise SerializationError(
            f"{len(payload):,} bytes are too many for one job that runs in a process: {LIMIT:,} can be handed over"
        )
    return _HEAD.pack(kind, len(payload)) + payload


class Frames:
    """Puts frames together from the pieces in which a pipe delivers them."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[Kind, bytes]]:
        """Take a piece; gives the frames that are complete with it.

        Raises:
            SerializationError: these are no frames.
        """
        buffer = self._buffer
        buffer += data
        while len(buffer) >= _HEAD.size:
            number, length = _HEAD.unpack_from(buffer)
            end = _HEAD.size + length
            if number not in _KINDS or length > LIMIT:
                raise SerializationError(f"what begins with {bytes(buffer[:20])!r} is no frame")
            if len(buffer) < end:
                return
            with memoryview(buffer) as view:
                payload = bytes(view[_HEAD.size : end])
            del buffer[:end]
            yield _KINDS[number], payload


_KINDS = {int(kind): kind for kind in Kind}
