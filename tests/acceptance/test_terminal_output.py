"""What one-shot commands print in a terminal, in one without colours, and in a pipe."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from naq_runtime import Job, NAQConfig, Queue
from naq_runtime.errors import JobFailed
from tests.support import sample_tasks as tasks
from tests.support.history import event_types
from tests.support.processes import environment, naq
from tests.support.waiting import eventually
from tests.support.workers import running_worker
from tests.tui.test_terminal import Terminal, terminal

COLOUR = re.compile(rb"\x1b\[[0-9;]*\b(?:3[0-7]|9[0-7]|38;[0-9;]*)m")
STYLE = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
async def failed(config: NAQConfig) -> str:
    """A job that has failed, and whose events are all stored."""
    async with Queue("mail", config=config) as queue, running_worker(config, "mail", name="anna"):
        with pytest.raises(JobFailed):
            await (await queue.enqueue_job(Job(tasks.fail, ("no relay",), job_id="order-number-17"))).result(timeout=30)

        async def is_told() -> bool:
            return "result_stored" in await event_types(config, "order-number-17")

        await eventually(is_told)
    return "order-number-17"


@contextmanager
def in_terminal(config: NAQConfig, *arguments: str, **environ: str) -> Iterator[Terminal]:
    """A command in a terminal of 120 columns."""
    given = {name: value for name, value in environment(config).items() if name.startswith("NAQ_")}
    with terminal(*arguments, module="naq_tui.cli.main", **given, **{"NO_COLOR": "", **environ}) as running:
        yield running


async def test_in_a_terminal_a_history_has_colours_glyphs_and_ids_of_8_characters(
    config: NAQConfig, failed: str
) -> None:
    with in_terminal(config, "events", "history", failed) as shown:
        printed = shown.read()

    assert COLOUR.search(printed)
    header, *rows = STYLE.sub("", printed.decode()).splitlines()
    assert header.split() == ["Time", "Job", "ID", "Event", "Queue", "Worker", "Message"]
    assert {row[10:18] for row in rows} == {"order-n…"}
    assert all(re.match(r"\d\d:\d\d:\d\d  ", row) for row in rows)
    assert [row for row in rows if "✗ failed" in row]


async def test_no_color_leaves_the_weight_and_the_glyphs(config: NAQConfig, failed: str) -> None:
    with in_terminal(config, "events", "history", failed, NO_COLOR="1") as shown:
        printed = shown.read()

    assert not COLOUR.search(printed)
    assert "✗ failed" in printed.decode()
    assert b"\x1b[1m" in printed


async def test_a_terminal_that_knows_nothing_gets_plain_lines_one_look_after_the_other(
    config: NAQConfig, failed: str
) -> None:
    with in_terminal(config, "queue", "list", "--watch", "0.1", TERM="dumb") as shown:

        def has_looked_twice() -> bool:
            shown.drain()
            return shown.output.count(b"mail ") >= 2

        await eventually(has_looked_twice)

    assert b"\x1b" not in shown.output


@pytest.mark.parametrize("variables", [{}, {"FORCE_COLOR": "1", "TERM": "xterm-256color"}], ids=["usual", "forced"])
async def test_in_a_pipe_it_is_plain_and_whole(config: NAQConfig, failed: str, variables: dict[str, str]) -> None:
    finished = await naq("events", "history", failed, config=config, extra=variables)

    assert "\x1b" not in finished.out
    assert finished.out.count(failed) == len(finished.out.splitlines()) - 1
