"""Fixtures of the unit tests: a loop whose time can be set forward, and modules written for one test."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from naq_runtime.naming import new_id
from tests.unit.looptime import LoopTime

settings.register_profile("unit", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unit")

WriteModule = Callable[[str], str]


@pytest.fixture
async def loop_time(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LoopTime]:
    """The clock of the running loop, to be set forward."""
    loop = asyncio.get_running_loop()
    with monkeypatch.context() as patch:
        yield LoopTime(loop, patch)


@pytest.fixture
def write_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WriteModule:
    """Writes a module of the given source where it can be imported; returns its name."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(source: str) -> str:
        name = f"written_{new_id(8)}"
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
        return name

    return write
