"""The examples in ``docs/cli.md``, and the commands on other pages, do what it says there that they do."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from naq_runtime import NAQConfig
from tests.acceptance.test_commands import worker_process
from tests.acceptance.test_schedule_commands import scheduler_process
from tests.support.processes import ROOT, environment

MANUAL = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
TELLING = (
    (r"\w{3} \d{4}-\d\d-\d\d", "DAY"),
    (r"(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d(\.\d{3})?", "TIME"),
    (r"\bCES?T\b", "ZONE"),
    (r"\d{10}\.\d{6}", "TIME"),
    (r"\+?[\d.]+ (ms|s|m|h|d|B|kB|MB)( \d+ [smh])?(?=\W|$)", "AMOUNT"),
    (r"\d+ %", "SHARE"),
    (r"[\w.-]+:\d{3,7}\b", "HOST"),
    (r"[ \t]+", " "),
)
"""What is another one each time, and the blanks, which depend on it."""


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def examples(page: str) -> list[tuple[str, list[str]]]:
    """Commands, and the lines that they print."""
    found: list[tuple[str, list[str]]] = []
    for line in "".join(blocks(page, "console")).splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


def told(line: str) -> str:
    """A line without what is another one each time."""
    for pattern, name in TELLING:
        line = re.sub(pattern, name, line)
    return line.strip()


def pattern_of(lines: list[str]) -> re.Pattern[str]:
    """What matches the output: ``…`` stands for anything, and alone on its line for any lines."""
    parts = []
    for line in lines:
        if line == "…":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(".*".join(map(re.escape, told(line).split("…"))) + r"\s*\n")
    return re.compile("".join(parts))


async def run(command: str, config: NAQConfig, cwd: Path) -> str:
    """What a shell shows after a command."""
    env = environment(config) | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "80"}
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", command),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=cwd,
        env=env,
    )
    async with asyncio.timeout(30):
        out, _ = await process.communicate()
    return out.decode()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("page", ["cli", "schedules"])
async def test_the_examples_print_what_the_manual_says(config: NAQConfig, tmp_path: Path, page: str) -> None:
    module, *_ = blocks(page, "python")
    (tmp_path / "shop.py").write_text(module)
    arguments = ("default", "mail", "-m", "shop", "--name", "anna", "-c", "4")

    async with worker_process(config, *arguments, cwd=tmp_path), scheduler_process(config, "boris"):
        for command, lines in examples(page):
            out = await run(command, config, tmp_path)
            shown = "".join(told(line) + "\n" for line in out.splitlines())
            assert pattern_of(lines).fullmatch(shown) or (not lines and not shown), f"$ {command}\n{out}"


def test_the_manual_names_every_command() -> None:
    from naq_tui.cli.main import COMMANDS

    for name in (name for panel in COMMANDS.values() for name in panel):
        assert f"naq {name}" in MANUAL
