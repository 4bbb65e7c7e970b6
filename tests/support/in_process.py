"""Commands in the process of the test: no start of Python for each of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from typer.testing import CliRunner

from naq_runtime.config import NAQConfig
from naq_tui.cli.main import app
from tests.support.processes import Finished, environment

__all__ = ["called"]


async def called(*arguments: str, config: NAQConfig | None = None, cwd: Path, env: Mapping[str, str] = {}) -> Finished:
    """Call ``naq``, which has a loop of its own, in a thread; nothing else may look at the current folder meanwhile."""
    return await asyncio.to_thread(_called, arguments, environment(config, env), cwd)


def _called(arguments: tuple[str, ...], env: Mapping[str, str], cwd: Path) -> Finished:
    unset = {name: None for name in os.environ if name.startswith("NAQ_")}
    with contextlib.chdir(cwd), _quiet():
        result = CliRunner().invoke(app, arguments, env={**unset, **env})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Finished(result.exit_code, result.stdout, result.stderr)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The log goes to the stderr of this call, and only that."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
