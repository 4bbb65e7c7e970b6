"""The Python in ``docs/`` does what it says."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import sys
import types
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import pytest
from msgspec import Struct

from naq_runtime.events.models import (
    AlertEvent,
    AlertEventType,
    JobEvent,
    JobEventType,
    ScheduleEvent,
    ScheduleEventType,
    SystemEvent,
    SystemEventType,
    WorkerEvent,
    WorkerEventType,
)
from naq_runtime.testing import MemoryBroker
from tests.support.processes import ROOT, program

EVENTS = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
PAGES = ("jobs", "schedules", "statistics", "testing", "workers")


def blocks(page: str) -> list[str]:
    """The fenced blocks of Python."""
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def module_of(block: str) -> str | None:
    """The name of the file that a block is, where it says so."""
    named = re.match(r"# (\w+\.py)\n", block)
    return named[1] if named else None


@pytest.fixture
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Has the modules of a page, to be imported."""
    before = set(sys.modules)
    for block in blocks(request.getfixturevalue("page")):
        if name := module_of(block):
            (tmp_path / name).write_text(block, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").parent == tmp_path:
            del sys.modules[name]


def run(block: str) -> None:
    """Run a block, with ``await`` where nothing is defined around it."""
    code = compile(block, "docs", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    function = types.FunctionType(code, {"__name__": "docs"})
    if inspect.iscoroutinefunction(function):
        asyncio.run(function())
    else:
        function()


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_of_a_page_run(page: str, folder: Path) -> None:
    for block in blocks(page):
        if module_of(block) is None:
            with MemoryBroker(inline=True):
                run(block)


@pytest.mark.parametrize("page", ["testing"])
async def test_the_tests_of_the_page_on_testing_pass(page: str, folder: Path) -> None:
    finished = await program("pytest", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto", cwd=folder)

    assert "5 passed" in finished.out, finished.out


@pytest.mark.parametrize("page", ["workers"])
async def test_the_hooks_of_the_page_on_workers_are_called(page: str, folder: Path) -> None:
    hooks = __import__("hooks")
    async with MemoryBroker(modules=["hooks"]) as broker:
        from naq_runtime import Queue

        async with Queue() as queue:
            await queue.enqueue(hooks.greet, "Ada")
            await broker.drain()

    assert [name for name, _ in hooks.took] == ["hooks.greet"]


@pytest.mark.parametrize("kind", [JobEventType, WorkerEventType, ScheduleEventType, SystemEventType, AlertEventType])
def test_every_type_of_event_is_described(kind: type[StrEnum]) -> None:
    undescribed = [one.value for one in kind if f"`{one.value}`" not in EVENTS]

    assert undescribed == []


@pytest.mark.parametrize("kind", [JobEvent, WorkerEvent, ScheduleEvent, SystemEvent, AlertEvent])
def test_every_field_of_an_event_is_described(kind: type[Struct]) -> None:
    undescribed = [name for name in kind.__struct_fields__ if f"`{name}`" not in EVENTS]

    assert undescribed == []
