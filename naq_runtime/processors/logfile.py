"""Events as lines of JSON in a file that is rotated.

Lines are with the operating system, or with ``fsync`` on the disk, before their events are acknowledged. An event
whose process died between the two is written again: who counts must count each ``sequence`` once.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock

from naq_runtime.errors import NameTaken, Unavailable
from naq_runtime.events.codec import encode_stored
from naq_runtime.events.models import StoredEvent
from naq_runtime.processors.settings import LogFileSettings

__all__ = ["LogFile"]

log = logging.getLogger(__name__)


class LogFile:
    """One file, which belongs to one process at a time.

    It is opened anew when it was moved away, deleted, or when `reopen` was called, as other programs do on SIGHUP.

    Raises:
        NameTaken: another process writes to it.
        Unavailable: it cannot be opened.
    """

    def __init__(self, settings: LogFileSettings, *, now_s: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._path = Path(settings.path).expanduser()
        self._now_s = now_s
        self._file = -1
        self._is_to_reopen = False
        self._in_use = Lock()
        self._open()

    def __repr__(self) -> str:
        return f"<LogFile {self._path}>"

    def __str__(self) -> str:
        return f"writes to {self._path}"

    async def __call__(self, events: Sequence[StoredEvent]) -> None:
        """Write a batch.

        Raises:
            Unavailable: it cannot be written now; nothing is left of it in the file.
        """
        lines = b"".join(encode_stored(stored) + b"\n" for stored in events)
        try:
            if self._settings.fsync:
                await asyncio.to_thread(self._write, lines)
            else:
                self._write(lines)
        except OSError as error:
            raise Unavailable(f"{self._path} cannot be written: {error.strerror or error}") from error
        except NameTaken as error:  # by whoever was quicker when it was opened anew
            raise Unavailable(str(error)) from error

    async def close(self) -> None:
        """Close the file, once a thread that still writes to it, and that nobody waits for, has ended."""
        await asyncio.to_thread(self._close_unused)

    def reopen(self) -> None:
        """Close the file before the next batch, and open what is at its path then."""
        self._is_to_reopen = True

    def _write(self, lines: bytes) -> None:
        with self._in_use:
            self._append(lines)

    def _close_unused(self) -> None:
        with self._in_use:
            self._close()

    def _append(self, lines: bytes) -> None:
        if self._is_to_reopen or self._is_elsewhere():
            self._close()
        if self._file < 0:
            self._open()
        if self._is_due(len(lines)):
            self._rotate()
        size = os.fstat(self._file).st_size
        try:
            rest = memoryview(lines)
            while rest:
                rest = rest[os.write(self._file, rest) :]
            if self._settings.fsync:
                os.fsync(self._file)
        except OSError:
            self._is_to_reopen = True  # should the beginning of a line be left, it is ended then
            with suppress(OSError):
                os.ftruncate(self._file, size)
            raise

    def _is_elsewhere(self) -> bool:
        """Whether somebody has moved or deleted it."""
        if self._file < 0:
            return False
        try:
            there, ours = os.stat(self._path), os.fstat(self._file)
        except FileNotFoundError:
            return True
        return (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino)

    def _is_due(self, more: int) -> bool:
        """Whether what is in the file is to be put aside."""
        found = os.fstat(self._file)
        if not found.st_size:
            return False
        limit, every = self._settings.rotate_bytes, self._settings.rotate_every
        if limit and found.st_size + more > limit:
            return True
        return every > 0 and found.st_mtime // every < self._now_s() // every

    def _rotate(self) -> None:
        for number in range(self._settings.keep - 1, 0, -1):
            with suppress(FileNotFoundError):
                os.replace(self._aside(number), self._aside(number + 1))
        os.replace(self._path, self._aside(1))
        self._close()
        self._open()

    def _aside(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    def _open(self) -> None:
        self._is_to_reopen = False
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        except OSError as error:
            raise Unavailable(f"{self._path} cannot be opened: {error.strerror or error}") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _end_torn_line(file)
        except BlockingIOError as error:
            os.close(file)
            raise NameTaken(
                f"{self._path} is written by another process: give each a file of its own, or stop the other one"
            ) from error
        except OSError as error:
            os.close(file)
            raise Unavailable(f"{self._path} cannot be written: {error.strerror or error}") from error
        self._file = file

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _end_torn_line(file: int) -> None:
    """A process that was killed may have left the beginning of a line: the next one shall be whole."""
    size = os.fstat(file).st_size
    if size and os.pread(file, 1, size - 1) != b"\n":
        os.write(file, b"\n")
