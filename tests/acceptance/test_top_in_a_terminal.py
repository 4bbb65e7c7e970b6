"""naq-top in a real terminal, on a real server with a real worker: looked at as somebody would."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pyte

from naq_runtime import Job, NAQConfig, Queue
from tests.support import sample_tasks as tasks
from tests.support.processes import environment, started
from tests.support.waiting import eventually
from tests.support.workers import MODULE
from tests.tui.test_terminal import Terminal


class Looked:
    """What is on the screen."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._screen = pyte.Screen(120, 40)
        self._stream = pyte.ByteStream(self._screen)
        self._seen = 0

    @property
    def text(self) -> str:
        """The screen as it is now."""
        self._terminal.drain()
        self._stream.feed(self._terminal.output[self._seen :])
        self._seen = len(self._terminal.output)
        return "\n".join(self._screen.display)

    def press(self, keys: str) -> None:
        """Press keys."""
        self._terminal.write(keys.encode())

    async def shows(self, pattern: str) -> None:
        """Wait for something to be on the screen."""
        await eventually(lambda: re.search(pattern, self.text), within=20)


@contextmanager
def looking(config: NAQConfig) -> Iterator[tuple[Terminal, Looked]]:
    given = {name: value for name, value in environment(config).items() if name.startswith("NAQ_")}
    terminal = Terminal(module="naq_tui.cli.top", **given)
    try:
        yield terminal, Looked(terminal)
    finally:
        terminal.close()


async def test_a_job_that_failed_is_found_understood_and_retried_with_a_few_keys(config: NAQConfig) -> None:
    async with (
        Queue("mail", config=config) as queue,
        started("naq_tui.cli.main", "run-worker", "mail", "-m", MODULE, "--name", "anna", config=config),
    ):
        await (await queue.enqueue_job(Job(tasks.fail, ("no such relay",), job_id="welcome-17"))).outcome(timeout=20)
        with looking(config) as (terminal, screen):
            await screen.shows(r"● live")
            await screen.shows(r"anna +○ idle")
            screen.press("2/type:failed\r")
            await screen.shows(r"Events 1 of \d+[\s\S]*✗ failed +welcome")
            screen.press("3F")
            await screen.shows(r"1 +100 % +1 +fail +\w+ +no such relay")
            screen.press("\r")
            await screen.shows(r"† dead +welcome-17 +fail +mail")
            screen.press("\r")
            await screen.shows(r"no such relay[\s\S]*Traceback")
            screen.press("R")
            await screen.shows(r"Retry job welcome-17")
            screen.press("y")
            await screen.shows(r"in 2 runs")
            screen.press("\x1b")
            await screen.shows(r"Jobs 1")
            screen.press("1")
            await screen.shows(r"✗ failed +welcome")
            screen.press("q")
            await eventually(lambda: screen.text and terminal.process.poll() is not None)

            assert terminal.process.returncode == 0
