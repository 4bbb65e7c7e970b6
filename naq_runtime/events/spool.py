"""Events on disk, while the server is away for longer than the buffer lasts.

One folder for each namespace, with files of JSON lines, ``{"subject": …, "event": …}``. Each file has one writer, which
holds a lock on it for as long as it lives; the files of those that died are taken over by the next one that comes.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from threading import RLock

import msgspec
from msgspec import Raw, Struct

from naq_runtime.errors import NaqError
from naq_runtime.naming import Names, checked, new_id
from naq_runtime.nats.publish import Outgoing

__all__ = ["Spool"]

_MEBIBYTE = 1024 * 1024
_READ = 8 * _MEBIBYTE
"""Bytes that are read at a time: more than any event has."""


class _Line(Struct):
    subject: str
    event: Raw


_decode = msgspec.json.Decoder(_Line).decode


class _File:
    """One that is locked by this process; what is behind ``position`` was not read to the end yet."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.descriptor = descriptor
        self.size = os.fstat(descriptor).st_size
        self.position = 0
        self.lines = _lines_in(descriptor)

    def append(self, data: bytes) -> None:
        """Write all of it, or nothing."""
        written = 0
        try:
            while written < len(data):
                written += os.pwrite(self.descriptor, data[written:], self.size + written)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self.descriptor, self.size)
            raise
        self.size += len(data)

    def next_lines(self, most: int) -> list[bytes]:
        """From the position on, with their ends; what has no end for very long is a line, too."""
        data = os.pread(self.descriptor, _READ, self.position)
        lines = [line + b"\n" for line in data.split(b"\n")]
        lines[-1] = lines[-1][:-1]
        if len(lines) > 1 and len(data) == _READ:
            lines.pop()  # it goes on behind what was read
        return [line for line in lines[:most] if line]

    def remove(self) -> None:
        """All of it is stored."""
        self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Give up the lock."""
        os.close(self.descriptor)


class Spool:
    """Keeps encoded events in files, in order, up to a size.

    Only one batch is read at a time; the next one comes when it is `done`. All calls may block for as long as the disk
    takes, and raise `OSError` when it fails.

    Attributes:
        count: lines that are not stored yet, those of dead processes included.
        lock: held by each call.
    """

    def __init__(self, folder: Path, most_bytes: int, names: Names) -> None:
        self.count = 0
        self._folder = folder / names.namespace
        self._most_bytes = most_bytes
        self._prefix = f"{names.namespace}.events."
        self._files: deque[_File] = deque()
        self._own: _File | None = None
        self._read = (0, 0)
        """Lines and bytes of the batch that was read."""
        self.lock = RLock()

    def __repr__(self) -> str:
        return f"<Spool {self._folder} files={len(self._files)} count={self.count}>"

    def open(self) -> None:
        """Take over what dead processes have left."""
        with self.lock:
            self._folder.mkdir(parents=True, exist_ok=True)
            for path in sorted(self._folder.glob("*.jsonl")):
                if (descriptor := _locked(path, os.O_RDWR)) is not None:
                    self._adopt(_File(path, descriptor))

    def write(self, entries: Iterable[Outgoing]) -> bool:
        """Put events behind all others; ``False`` when there is no room for them."""
        data = b"".join(b'{"subject":"%b","event":%b}\n' % (e.subject.encode(), e.payload) for e in entries)
        with self.lock:
            if sum(file.size for file in self._files) + len(data) > self._most_bytes:
                return False
            own = self._own or self._begin_file()
            own.append(data)
            lines = data.count(b"\n")
            own.lines += lines
            self.count += lines
            return True

    def read(self, most: int) -> list[Outgoing] | None:
        """The next ones, the same again until they are done; ``None`` when there are no more.

        All of them may be damaged, and then there is none among them.
        """
        with self.lock:
            if not self._files:
                return None
            lines = self._files[0].next_lines(most)
            self._read = len(lines), sum(map(len, lines))
            return [entry for line in lines if (entry := self._entry(line)) is not None]

    def done(self) -> int:
        """What was read is stored, as far as it could be; a file that is at its end goes.

        Returns:
            How many lines went.
        """
        with self.lock:
            lines, size = self._read
            self._read = (0, 0)
            first = self._files[0]
            first.position += size
            if first.position >= first.size or not size:
                lines = first.lines
                self._files.popleft().remove()
                if first is self._own:
                    self._own = None
            first.lines -= lines
            self.count -= lines
            return lines

    def close(self) -> None:
        """Leave what is left to the next process."""
        with self.lock:
            for file in self._files:
                file.close()
            self._files.clear()
            self._own = None
            self._read = (0, 0)
            self.count = 0

    def let_go(self) -> None:
        """In a child of a fork: a lock would last for as long as the child."""
        self.lock = RLock()
        self.close()

    def _adopt(self, file: _File) -> None:
        if not file.lines:
            file.remove()
            return
        self._files.append(file)
        self.count += file.lines

    def _begin_file(self) -> _File:
        while True:
            path = self._folder / f"{time.time_ns():020d}-{new_id(8)}.jsonl"
            if (descriptor := _locked(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)) is not None:
                self._own = _File(path, descriptor)
                self._files.append(self._own)
                return self._own

    def _entry(self, line: bytes) -> Outgoing | None:
        try:
            found = _decode(line)
            tokens = 7 if found.subject.startswith(f"{self._prefix}job.") else 6
            if line.endswith(b"\n") and found.subject.startswith(self._prefix):
                return Outgoing(checked(found.subject, tokens=tokens), bytes(found.event))
        except (NaqError, msgspec.MsgspecError, UnicodeError, RecursionError):
            pass
        return None


def _locked(path: Path, flags: int) -> int | None:
    """A descriptor of the file, unless somebody else has it, or it is gone meanwhile."""
    try:
        descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_nlink:
            return descriptor
    except BlockingIOError:
        pass
    os.close(descriptor)
    return None


def _lines_in(descriptor: int) -> int:
    """How many there are, a torn one at the end included."""
    lines, position, last = 0, 0, b"\n"
    while part := os.pread(descriptor, _MEBIBYTE, position):
        lines += part.count(b"\n")
        position += len(part)
        last = part[-1:]
    return lines + (last != b"\n")
