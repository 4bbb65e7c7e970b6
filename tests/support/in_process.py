"""Commands in the process of the test: no start of Python for each of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from typer import Typer
from typer.testing import CliRunner

from naq_runtime.config import NAQConfig
from naq_tui.cli import main, top
from tests.support.processes import Finished, environment

__all__ = ["called", "called_top"]


async def called(*arguments: str, config: NAQConfig | None = None, cwd: Path) -> Finished:
    """Call ``naq``, which has a loop of its own, in a thread; nothing else may look at the current folder meanwhile."""
    return await asyncio.to_thread(_called, main.app, arguments, environment(config), cwd)


async def called_top(*arguments: str, config: NAQConfig | None = None, cwd: Path) -> Finished:
    """Call ``naq-top``; see `called`."""
    return await asyncio.to_thread(_called, top.app, arguments, environment(config), cwd)


def _called(app: Typer, arguments: Sequence[str], env: Mapping[str, str], cwd: Path) -> Finished:
    unset = {name: None for name in os.environ if name.startswith("NAQ_")}
    with contextlib.chdir(cwd), _log_of_its_own():
        result = CliRunner().invoke(app, arguments, env={**unset, **env})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Finished(result.exit_code, result.stdout, result.stderr)


@contextlib.contextmanager
def _log_of_its_own() -> Iterator[None]:
    """What a call sets up of logging ends with it."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
