"""In a real terminal: the first picture, and a terminal that is left as it was, however it ends."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RESTORED = (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l", b"\x1b[?1003l", b"\x1b[?2004l")
"""The normal screen, the cursor, no mouse, no bracketed paste."""


class Terminal:
    """A pseudo terminal with the application in it."""

    def __init__(self, *arguments: str) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.output = b""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.tui.in_terminal", *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=ROOT,
            env={**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"},
            start_new_session=True,
        )

    def read(self, *, until: bytes = b"", within: float = 20.0) -> bytes:
        """Read until this was written, or until the process has ended."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            readable, _, _ = select.select([self.master], [], [], 0.05)
            if readable:
                self.output += os.read(self.master, 65536)
            elif not until and self.process.poll() is not None:
                return self.output
            if until and until in self.output:
                return self.output
        raise AssertionError(f"not within {within} s: {until!r} in {self.output[-2000:]!r}")

    def write(self, keys: bytes) -> None:
        os.write(self.master, keys)

    @property
    def attributes(self) -> list[object]:
        return list(termios.tcgetattr(self.slave))

    def resize_until_it_is_stuck(self, within: float = 15.0) -> None:
        """Have it draw everything again, until its main thread has waited for the writer for half a second."""
        channel = Path(f"/proc/{self.process.pid}/wchan")
        deadline, since, width = time.monotonic() + within, time.monotonic(), 120
        while time.monotonic() - since < 0.5:
            if time.monotonic() > deadline:
                pytest.skip("its frames were too few to fill the terminal")
            if "futex" not in channel.read_text():
                since = time.monotonic()
                width = 240 - width + 1
                fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
                self.process.send_signal(signal.SIGWINCH)
            select.select([], [], [], 0.02)

    def hang_up(self) -> None:
        """The terminal is gone, without a signal."""
        os.close(self.master)
        os.close(self.slave)
        self.master = self.slave = -1

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.master >= 0:
            self.hang_up()


@contextmanager
def terminal(*arguments: str) -> Iterator[Terminal]:
    running = Terminal(*arguments)
    try:
        yield running
    finally:
        running.close()


@pytest.mark.parametrize("keys", [b"q", b"\x03", b"\x11", b"/q\x03"])
def test_keys_leave_the_terminal_as_it_was(keys: bytes) -> None:
    with terminal() as shown:
        shown.read(until=b"default")
        shown.write(keys)
        output = shown.read()

        assert shown.process.returncode == 0
        assert [sequence for sequence in RESTORED if sequence not in output] == []
        assert shown.attributes == shown.before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT])
def test_signals_leave_the_terminal_as_it_was(number: signal.Signals) -> None:
    with terminal() as shown:
        shown.read(until=b"default")
        shown.process.send_signal(number)
        output = shown.read()

        assert shown.process.returncode == 128 + number
        assert [sequence for sequence in RESTORED if sequence not in output] == []
        assert shown.attributes == shown.before


def test_a_crash_leaves_the_terminal_as_it_was_and_says_what_happened() -> None:
    with terminal("crash") as shown:
        output = shown.read()

        assert shown.process.returncode == 1
        assert b"a mistake of ours" in output
        assert output.rindex(b"\x1b[?1049l") < output.rindex(b"a mistake of ours")
        assert shown.attributes == shown.before


def test_it_ends_with_its_terminal_though_no_signal_comes() -> None:
    with terminal() as shown:
        shown.read(until=b"default")
        shown.hang_up()

        assert shown.process.wait(10) == 128 + signal.SIGHUP


@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel what the process waits for")
def test_a_terminal_that_nobody_reads_does_not_keep_it_from_ending() -> None:
    with terminal() as shown:
        shown.read(until=b"default")
        shown.resize_until_it_is_stuck()
        shown.process.send_signal(signal.SIGTERM)

        assert shown.process.wait(15) == 128 + signal.SIGTERM
