"""Events in a file: one JSON object a line, a header first, and a last line that says that nothing is missing.

::

    {"naq_events":1,"namespace":"naq","first_sequence":1,"last_sequence":4711,…}
    {"sequence":1,"stored_at":"2026-03-01T14:02:11.5Z","subject":"job.3k9….mail.enqueued.w7-1","event":{…}}
    {"events":4710,"complete":true}

The subject is what follows ``<namespace>.events.``. Files may be compressed with zstd. What is read comes from anybody:
lines are bounded, and so is what a compressed file makes of memory.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec import Raw, Struct

from naq_runtime.errors import ArchiveError, InvalidName, SerializationError
from naq_runtime.events.codec import decode_event, event_subject
from naq_runtime.events.models import Count, Offset, OtherEvent, StoredEvent, happened_ns
from naq_runtime.naming import Names, checked
from naq_runtime.nats.direct import StoredMessage

if TYPE_CHECKING:
    from naq_runtime.events.filters import EventFilter

__all__ = ["FORMAT_VERSION", "ArchiveHeader", "ArchiveReader", "ArchiveWriter", "ArchivedEvent", "Glance"]

FORMAT_VERSION = 1
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_CHUNK = 256 * 1024
_LONGEST_LINE = 64 * 1024 * 1024
"""No server takes larger messages."""
_LARGEST_WINDOW = 128 * 1024 * 1024
"""Bytes that unpacking may need."""
_NAMES = Names("any")


class ArchiveHeader(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a file says of itself."""

    naq_events: int
    """Version of the form of the file."""
    namespace: str
    """Of the log that was exported."""
    version: str = ""
    """Of naq."""
    exported_ns: int = 0
    since_ns: int = 0
    """Events that were stored since then; 0 for the beginning of the log."""
    until_ns: int = 0
    """Events that were stored before; 0 for the end of the log."""
    first_sequence: int = 0
    last_sequence: int = 0
    event_types: tuple[str, ...] = ()
    """Only of these types; empty for all."""
    filter: str = ""
    """Only those that match this; empty for all."""


class ArchivedEvent(NamedTuple):
    """One event of a file."""

    subject: str
    """Below ``<namespace>.events.``."""
    payload: bytes
    stored: StoredEvent


class _Glanced(Struct):
    timestamp_ns: Count
    event_type: str
    category: str
    clock_offset_ns: Offset = 0


class Glance(Struct):
    """As much of a line as tells how much there was when."""

    event: _Glanced
    stored_at: str = ""

    @property
    def happened_ns(self) -> int:
        """See `StoredEvent.happened_ns`."""
        return happened_ns(max(0, self.event.timestamp_ns + self.event.clock_offset_ns), self.stored_at)


class _Line(Struct):
    sequence: Count
    subject: str
    event: Raw
    stored_at: str = ""


class _End(Struct):
    events: int
    complete: bool


_decode_header = msgspec.json.Decoder(ArchiveHeader).decode
_decode_glance = msgspec.json.Decoder(Glance).decode
_decode_line = msgspec.json.Decoder(_Line).decode
_decode_end = msgspec.json.Decoder(_End).decode
_encode = msgspec.json.Encoder().encode
_ERRORS = (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError)


class ArchiveWriter:
    """Writes a header, events, and an end. Calls may block for as long as the disk takes, and raise `OSError`.

    Args:
        wanted: which events are written; ``None`` for all.

    Attributes:
        count: events written.
        left_out: messages that are no events, and cannot be kept in such a file.
    """

    def __init__(
        self, file: IO[bytes], header: ArchiveHeader, *, compress: bool, wanted: EventFilter | None = None
    ) -> None:
        self.count = 0
        self.left_out = 0
        self._wanted = wanted
        self._prefix = len(f"{header.namespace}.events.")
        self._file = file
        self._stream: Any = file
        if compress:
            import zstandard

            packing = zstandard.ZstdCompressor(level=6, write_checksum=True)
            self._stream = packing.stream_writer(file, closefd=False)
        self._stream.write(_encode(header) + b"\n")

    def write(self, messages: list[StoredMessage]) -> None:
        """Write these, in order, those that are wanted."""
        lines, unwanted = [], 0
        for message in messages:
            with suppress(SerializationError, *_ERRORS):
                event = decode_event(message.data)
                if self._wanted is not None and not self._wanted.matches(event):
                    unwanted += 1
                    continue
                line = {
                    "sequence": message.sequence,
                    "stored_at": message.stored_at,
                    "subject": message.subject[self._prefix :],
                    "event": Raw(_on_one_line(message.data)),
                }
                lines.append(_encode(line) + b"\n")
        self._stream.write(b"".join(lines))
        self.count += len(lines)
        self.left_out += len(messages) - len(lines) - unwanted

    def end(self, *, complete: bool) -> None:
        """Say how much there is; the file can be read, also when not everything is in it."""
        self._stream.write(_encode(_End(self.count, complete)) + b"\n")
        if self._stream is not self._file:
            self._stream.close()
        self._file.flush()


class ArchiveReader:
    """Reads a file from its beginning; may be iterated once.

    Args:
        path: the file, which may be a pipe.

    Raises:
        ArchiveError: it cannot be read, or is no file of events, or one of a version that we do not know.

    Attributes:
        header: what it says of itself.
        broken: lines that are no events, and were passed over.
        fault: once all is read, what is wrong with its end; ``None`` for nothing.
    """

    def __init__(self, path: Path) -> None:
        self.broken = 0
        self.fault: str | None = "it was not read to its end"
        self._path = path
        try:
            self._file = path.open("rb")
            start = self._file.read(len(_ZSTD_MAGIC))
        except OSError as error:
            raise ArchiveError(f"cannot read {path}: {error.strerror}") from error
        self._is_packed = start == _ZSTD_MAGIC
        self._damage: tuple[type[Exception], ...] = (OSError, EOFError)
        """What reading may raise."""
        if self._is_packed:
            import zstandard

            self._damage = (*self._damage, zstandard.ZstdError)
        self._lines = _Lines(self._unpacked(_FromTheStart(start, self._file)))
        self._count = 0
        self._end: _End | None = None
        try:
            self.header = self._read_header()
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"<ArchiveReader {self._path} broken={self.broken}>"

    @property
    def offset(self) -> int:
        """Where the next line begins, in bytes of what is unpacked."""
        return self._lines.offset

    def go_to(self, offset: int, count: int) -> None:
        """Go on at the beginning of another line; what is packed is unpacked up to there, and not looked at.

        Args:
            count: how many events there are before it.

        Raises:
            ArchiveError: it cannot be read up to there, or is a pipe.
        """
        try:
            self._file.seek(0)
            stream = self._unpacked(self._file)
            if self._is_packed:
                left = offset
                while left > 0 and (chunk := stream.read(min(_CHUNK, left))):
                    left -= len(chunk)
            else:
                stream.seek(offset)
        except self._damage as error:
            raise ArchiveError(f"{self._path} is damaged: {error}") from error
        self._lines = _Lines(stream, offset)
        self._count = count

    def glances(self) -> Iterator[Glance | None]:
        """Of each line only when its event happened and of what type it is; ``None`` for others. It is quick."""
        with suppress(*self._damage):
            for line in self._lines:
                try:
                    glance = _decode_glance(line or b"")
                except _ERRORS:
                    glance = None
                yield glance

    def naming(self, text: str) -> Iterator[ArchivedEvent]:
        """The events whose line contains a text that needs no escapes, such as an id."""
        needle = text.encode()
        with suppress(*self._damage):
            for line in self._lines:
                if line is not None and needle in line and (event := self._event_of(line)) is not None:
                    yield event

    def __iter__(self) -> Iterator[ArchivedEvent]:
        return (event for event in self.entries() if event is not None)

    def entries(self) -> Iterator[ArchivedEvent | None]:
        """The event of each line; ``None`` for a line that is none."""
        try:
            for line in self._lines:
                event = self._event_of(line)
                self._count += event is not None
                yield event
        except self._damage as error:
            self.fault = f"it is damaged behind {self._count:,} events: {error}"
            return
        if self._end is None:
            self.fault = f"it was cut off behind {self._count:,} events"
        elif not self._end.complete:
            self.fault = f"its export was ended behind {self._count:,} events"
        else:
            self.fault = self._difference(self._end.events, self._count)

    def _difference(self, said: int, read: int) -> str | None:
        if read > said:
            return f"it goes on behind its end: {said:,} events were to be in it, and {read:,} are"
        return f"{said - read:,} of its {said:,} events cannot be read" if read < said else None

    def close(self) -> None:
        """Give the file back; may be called twice."""
        self._file.close()

    def _unpacked(self, file: Any) -> Any:
        """The text of a file that is at its beginning."""
        if not self._is_packed:
            return file
        import zstandard

        unpacking = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW)
        return unpacking.stream_reader(file, read_across_frames=True, closefd=False)

    def _read_header(self) -> ArchiveHeader:
        unreadable: tuple[type[Exception], ...] = _ERRORS + self._damage
        try:
            header = _decode_header(next(self._lines) or b"")
        except StopIteration:
            raise ArchiveError(f"{self._path} is empty: 'naq events export' makes files of events") from None
        except unreadable as error:
            raise ArchiveError(
                f"{self._path} is no file of events, such as 'naq events export' makes, or damaged"
            ) from error
        if header.naq_events != FORMAT_VERSION:
            raise ArchiveError(
                f"{self._path} is of version {header.naq_events} of files of events, and this naq reads version "
                f"{FORMAT_VERSION}: use a newer naq, or export it again"
            )
        return header

    def _event_of(self, line: bytes | None) -> ArchivedEvent | None:
        if line is not None and line.startswith(b'{"events":'):
            with suppress(*_ERRORS):
                self._end = _decode_end(line)
                return None
        try:
            said = _decode_line(line or b"")
            payload = bytes(said.event)
            event = decode_event(payload)
            if isinstance(event, OtherEvent):
                checked(said.subject, tokens=said.subject.count(".") + 1)
            elif event_subject(_NAMES, event) != _NAMES.events[:-1] + said.subject:
                raise InvalidName("the event is not of its subject")
        except (*_ERRORS, InvalidName):
            self.broken += 1
            return None
        return ArchivedEvent(said.subject, payload, StoredEvent(said.sequence, event, said.stored_at))


class _FromTheStart:
    """A file of which something was read already; there is no going back in a pipe."""

    def __init__(self, start: bytes, rest: IO[bytes]) -> None:
        self._start = start
        self._rest = rest

    def read(self, size: int) -> bytes:
        """At most so many bytes; none at the end."""
        start, self._start = self._start, b""
        return start or self._rest.read(size)


def _on_one_line(payload: bytes) -> bytes:
    """Somebody else's JSON may have line breaks between its parts."""
    return payload if b"\n" not in payload else msgspec.json.format(payload, indent=-1)


class _Lines:
    """The lines of a stream, without their ends; ``None`` for one that is too long, which is not kept."""

    def __init__(self, stream: Any, offset: int = 0) -> None:
        self.offset = offset
        """Where the next line begins."""
        self._lines = self._read(stream)

    def __iter__(self) -> Iterator[bytes | None]:
        return self._lines

    def __next__(self) -> bytes | None:
        return next(self._lines)

    def _read(self, stream: Any) -> Iterator[bytes | None]:
        pending = io.BytesIO()
        size, too_long = 0, False
        while chunk := stream.read(_CHUNK):
            *whole, rest = chunk.split(b"\n")
            for part in whole:
                pending.write(part)
                self.offset += size + len(part) + 1
                yield None if too_long else pending.getvalue()
                pending, size, too_long = io.BytesIO(), 0, False
            pending.write(rest)
            size += len(rest)
            if pending.tell() > _LONGEST_LINE:
                pending, too_long = io.BytesIO(), True
        if pending.tell() or too_long:
            self.offset += size
            yield None if too_long else pending.getvalue()
