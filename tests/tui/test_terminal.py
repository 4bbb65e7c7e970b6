"""In a real terminal: the first picture, and a terminal that is left as it was, however it ends."""

from __future__ import annotations

import fcntl
import os
import pty
import re
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

from tests.tui.test_replay import JOB, written

ROOT = Path(__file__).resolve().parents[2]
RESTORED = (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l", b"\x1b[?1003l", b"\x1b[?2004l")
"""The normal screen, the cursor, no mouse, no bracketed paste."""
AROUND = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
"""These would count more than the size of the terminal."""


class Terminal:
    """A pseudo terminal with the application in it."""

    def __init__(self, *arguments: str, module: str = "tests.tui.in_terminal", **environ: str) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.output = b""
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=ROOT,
            env={**AROUND, "TERM": "xterm-256color", "COLORTERM": "truecolor", **environ},
            start_new_session=True,
        )

    def read(self, *, until: bytes = b"", within: float = 30.0) -> bytes:
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

    def drain(self) -> None:
        """Read what is there."""
        while select.select([self.master], [], [], 0)[0]:
            try:
                self.output += os.read(self.master, 65536)
            except OSError:  # the other side has closed
                return

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
def terminal(*arguments: str, module: str = "tests.tui.in_terminal", **environ: str) -> Iterator[Terminal]:
    running = Terminal(*arguments, module=module, **environ)
    try:
        yield running
    finally:
        running.close()


@pytest.mark.parametrize("keys", [b"q", b"\x03", b"\x11", b"/q\x03"])
def test_keys_leave_the_terminal_as_it_was(keys: bytes) -> None:
    with terminal() as shown:
        shown.read(until=b"letters")
        shown.write(keys)
        output = shown.read()

        assert shown.process.returncode == 0
        assert [sequence for sequence in RESTORED if sequence not in output] == []
        assert shown.attributes == shown.before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT])
def test_signals_leave_the_terminal_as_it_was(number: signal.Signals) -> None:
    with terminal() as shown:
        shown.read(until=b"letters")
        shown.process.send_signal(number)
        output = shown.read()

        assert shown.process.returncode == 128 + number
        assert [sequence for sequence in RESTORED if sequence not in output] == []
        assert shown.attributes == shown.before


@pytest.mark.parametrize("where", ["crash", "paint"], ids=["in the source", "in a widget"])
def test_a_crash_leaves_the_terminal_as_it_was_and_says_what_happened(where: str) -> None:
    with terminal(where) as shown:
        output = shown.read()

        assert shown.process.returncode == 1
        assert b"a mistake of ours" in output
        assert output.rindex(b"\x1b[?1049l") < output.index(b"a mistake of ours")
        assert [sequence for sequence in RESTORED if sequence not in output] == []
        assert shown.attributes == shown.before


def test_it_ends_with_its_terminal_though_no_signal_comes() -> None:
    with terminal() as shown:
        shown.read(until=b"letters")
        shown.hang_up()

        assert shown.process.wait(30) == 128 + signal.SIGHUP


@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel what the process waits for")
def test_a_terminal_that_nobody_reads_does_not_keep_it_from_ending() -> None:
    with terminal() as shown:
        shown.read(until=b"letters")
        shown.resize_until_it_is_stuck()
        shown.process.send_signal(signal.SIGTERM)

        assert shown.process.wait(30) == 128 + signal.SIGTERM


def test_what_code_prints_and_logs_never_reaches_the_screen(tmp_path: Path) -> None:
    log = tmp_path / "naq-top.log"
    with terminal("noise", str(log)) as shown:
        shown.read(until=b"letters")
        shown.write(b"q")
        output = shown.read()

        assert shown.process.returncode == 0
        assert b"noise" not in output
        assert "E noise noise of a log" in log.read_text()
        assert "noise of a warning" in log.read_text()


def test_without_a_file_logs_are_dropped() -> None:
    with terminal("noise") as shown:
        shown.read(until=b"letters")
        shown.write(b"q")

        assert b"noise" not in shown.read()


def test_the_mouse_is_left_to_the_terminal_and_taken_back() -> None:
    taken, left = (b"\x1b[?1000h", b"\x1b[?1003h"), (b"\x1b[?1000l", b"\x1b[?1003l")
    with terminal() as shown:
        shown.read(until=b"letters")
        assert all(sequence in shown.output for sequence in taken)

        shown.output = b""
        shown.write(b"m")
        shown.read(until=b"terminal's")
        assert all(sequence in shown.output for sequence in left)

        shown.output = b""
        shown.write(b"m")
        shown.read(until=b"ours")
        assert all(sequence in shown.output for sequence in taken)


def test_no_color_is_no_colour() -> None:
    with terminal(NO_COLOR="1") as shown:
        shown.read(until=b"letters")
        shown.write(b"\t")
        shown.read(until=b"\x1b[7")
        shown.write(b"q")
        sent = shown.read()
        codes = {code for codes in re.findall(rb"\x1b\[([\d;]*)m", sent) for code in codes.split(b";")}

        assert b"7" in codes  # the row with the cursor is seen
        assert codes <= {b"", b"0", b"1", b"2", b"3", b"4", b"7", b"39", b"49"}


def test_a_terminal_of_sixteen_colours_is_sent_no_others() -> None:
    with terminal(TERM="screen", COLORTERM="") as shown:
        shown.read(until=b"letters")
        shown.write(b"q")
        sent = shown.read()

        assert re.search(rb"\x1b\[[\d;]*3[1-6];49m", sent)
        assert not re.search(rb"\x1b\[[\d;]*[34]8;[\d;]*m", sent)


def test_a_terminal_without_unicode_is_sent_nothing_but_ascii() -> None:
    with terminal(LC_ALL="C") as shown:
        shown.read(until=b"letters")
        shown.write(b"6?q")
        shown.write(b"\x03")

        assert shown.read().isascii()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The user's own config file."""
    file = tmp_path / "naq" / "config.toml"
    file.parent.mkdir()
    file.write_text('# mine\n[top]\nkeys = { pause = "B" }\n')
    return file


def test_naq_top_is_as_it_was_left(config: Path) -> None:
    recording = written(config.with_name("events.jsonl"), JOB)
    arguments = ("--replay", str(recording), "--theme", "plain")
    with terminal(*arguments, module="naq_tui.cli.top", XDG_CONFIG_HOME=str(config.parents[1])) as shown:
        shown.read(until=b"events.jsonl")
        shown.read(until=b"pause")
        shown.write(b"-")
        shown.read(until=b"0.2 s")
        shown.write(b"q")
        shown.read()

        assert b"\x1b[1;39;49mB" in shown.output
        assert config.read_text() == '# mine\n[top]\nkeys = { pause = "B" }\nrefresh = 0.2\n'


def test_a_mistake_in_the_settings_is_said_before_anything_is_drawn(config: Path) -> None:
    config.write_text('[top]\nkeys = { pause = "q" }\n')
    recording = written(config.with_name("events.jsonl"), JOB)
    arguments = ("--replay", str(recording))
    with terminal(*arguments, module="naq_tui.cli.top", XDG_CONFIG_HOME=str(config.parents[1])) as shown:
        output = shown.read()

        assert shown.process.returncode == 2
        assert b"setting top.keys.pause: q is the key of quit" in output
        assert b"\x1b[?1049h" not in output
