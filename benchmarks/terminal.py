"""A program in a terminal of its own, watched from outside: frames, CPU and how fast keys are answered."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import termios
import threading
import time
from collections.abc import Sequence

import psutil

__all__ = ["Terminal"]

_FRAME_END = b"\x1b[?2026l"
_ANSI = re.compile(rb"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[@-Z\\-_])")


class Terminal:
    """A pseudo-terminal with one program in it.

    It claims to know synchronised output, so that the end of each frame can be counted.
    """

    def __init__(self, command: Sequence[str], *, columns: int = 180, rows: int = 50) -> None:
        self.started = time.perf_counter()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            # Nobody's own settings are read or written.
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", XDG_CONFIG_HOME=os.devnull)
            os.environ.pop("NO_COLOR", None)
            os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # or it would compile all of us at each start
            os.execvp(command[0], list(command))
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = psutil.Process(self.pid)
        self.output = bytearray()
        self.frames: list[float] = []
        self._lock = threading.Condition()
        self._asked = False
        threading.Thread(target=self._read, daemon=True).start()

    def send(self, keys: str) -> None:
        """Type."""
        os.write(self._fd, keys.encode())

    def text(self) -> str:
        """All that was printed so far, without colours and movements."""
        with self._lock:
            return _ANSI.sub(b" ", bytes(self.output)).decode("utf-8", "replace")

    def wait_for_text(self, pattern: str, timeout: float = 20.0) -> float:
        """Seconds from the start until something was printed.

        Raises:
            TimeoutError: it never was.
        """
        deadline = time.perf_counter() + timeout
        while time.perf_counter() < deadline:
            if re.search(pattern, self.text()):
                return time.perf_counter() - self.started
            time.sleep(0.005)
        raise TimeoutError(f"{pattern!r} was not printed; the end was {self.text()[-400:]!r}")

    def key_to_paint_ms(self, key: str, timeout: float = 2.0) -> float:
        """From a key to the end of the next frame."""
        with self._lock:
            before = len(self.frames)
            begun = time.perf_counter()
            self.send(key)
            self._lock.wait_for(lambda: len(self.frames) > before, timeout)
            return (self.frames[-1] - begun) * 1000 if len(self.frames) > before else timeout * 1000

    def measure(self, seconds: float) -> tuple[float, float]:
        """CPU in percent of a core, and frames a second."""
        before, frames, begun = self.process.cpu_times(), len(self.frames), time.perf_counter()
        time.sleep(seconds)
        after, took = self.process.cpu_times(), time.perf_counter() - begun
        cpu = (after.user + after.system - before.user - before.system) / took * 100
        return cpu, (len(self.frames) - frames) / took

    def quit(self, key: str = "q") -> int:
        """Leave, and return the exit code."""
        self.send(key)
        for _ in range(200):
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.05)
        self.process.kill()
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _read(self) -> None:
        tail = b""
        while True:
            select.select([self._fd], [], [])
            try:
                data = os.read(self._fd, 65536)
            except OSError:
                return
            now = time.perf_counter()
            if not self._asked and b"\x1b[?2026$p" in data:
                self._asked = True
                os.write(self._fd, b"\x1b[?2026;2$y")
            ends = (tail + data).count(_FRAME_END)
            tail = b"" if data.endswith(_FRAME_END) else data[-len(_FRAME_END) + 1 :]
            with self._lock:
                self.output += data
                self.frames += [now] * ends
                self._lock.notify_all()
