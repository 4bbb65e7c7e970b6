"""Bars on stderr: in a terminal, for what takes long, and never in the data."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import sys
from pathlib import Path

from naq_runtime import Job, NAQConfig, Queue
from tests.support import sample_tasks as tasks
from tests.support.processes import environment

AT_ONCE = "import naq_tui.cli.progress as p; p.SHOWN_AFTER_S = {}; import naq_tui.cli.main as m; m.run()"


async def run(config: NAQConfig, *arguments: str, shown_after_s: float = 0.0) -> tuple[bytes, bytes]:
    """What a command writes to stdout, and to the terminal that its stderr is."""
    master, slave = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", AT_ONCE.format(shown_after_s), *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=slave,
        env=environment(config, {"TERM": "xterm", "COLUMNS": "80"}),
    )
    os.close(slave)
    shown = asyncio.create_task(asyncio.to_thread(read_all, master))
    out, _ = await process.communicate()
    return out, await shown


def read_all(terminal: int) -> bytes:
    """All that is written to a terminal until the last writer has gone."""
    read = b""
    with contextlib.suppress(OSError):
        while part := os.read(terminal, 65_536):
            read += part
    os.close(terminal)
    return read


async def test_what_takes_long_shows_how_far_it_is_beside_the_data(config: NAQConfig, tmp_path: Path) -> None:
    async with Queue("mail", config=config) as queue:
        await queue.enqueue_many(Job(tasks.add, (number,)) for number in range(40))
    file = tmp_path / "log.jsonl"

    for arguments, what, lines in (
        (("events", "stats", "--format", "raw"), b"reading events", 1),
        (("stats", "--format", "raw"), b"reading events", 2),
        (("events", "export", "--output", str(file)), b"writing events", 0),
        (("events", "import", str(file)), b"reading events", 0),
        (("job", "find", "--format", "raw"), b"looking at jobs", 40),
        (("job", "cancel", *(f"no-job-{number}" for number in range(20))), b"working", 0),
        (("queue", "purge", "mail", "--yes"), b"cancelling jobs", 1),
    ):
        out, shown = await run(config, *arguments)
        assert what in shown, (arguments, shown)
        assert (what in out, len(out.splitlines())) == (False, lines), (arguments, out)


async def test_what_is_quick_shows_nothing(config: NAQConfig) -> None:
    async with Queue("mail", config=config) as queue:
        await queue.enqueue(tasks.add, 1)

    out, shown = await run(config, "job", "find", "--format", "raw", shown_after_s=60)

    assert (len(out.splitlines()), shown) == (1, b"")
