"""The event loop of a worker's process, which outlives what the tasks of its jobs raise.

A task that ends in `SystemExit` or `KeyboardInterrupt` raises that out of the loop, and so ends whoever runs it. Its
own future has got the error by then: a loop that goes on hands it to the job that waits, which fails by it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

__all__ = ["outliving_exits", "run_loop"]

log = logging.getLogger(__name__)


def run_loop(main: Coroutine[Any, Any, Any]) -> Any:
    """Like `asyncio.run`, on uvloop where it is installed (extra ``speed``); see `outliving_exits`."""
    with asyncio.Runner(loop_factory=_made) as runner:
        return runner.run(main)


@contextmanager
def outliving_exits() -> Iterator[None]:
    """In here, the loop goes on when a task raises `SystemExit` or `KeyboardInterrupt`, if it was made by `run_loop`.

    For one who has handlers for the signals that would end the process, so that none of these come from there.
    """
    loop = asyncio.get_running_loop()
    if not isinstance(loop, _Outliving):
        yield
        return
    loop.outlives_exits = True
    try:
        yield
    finally:
        loop.outlives_exits = False


class _Outliving(asyncio.AbstractEventLoop):
    """What is put before the class of a loop."""

    outlives_exits = False

    def run_forever(self) -> None:
        while True:
            try:
                return super().run_forever()
            except (SystemExit, KeyboardInterrupt) as error:
                if not self.outlives_exits:
                    raise
                log.error("a task of a job raised %r, and the worker goes on", error, extra={"action": "exit_outlived"})


def _made() -> asyncio.AbstractEventLoop:
    loop: asyncio.AbstractEventLoop = type("WorkerLoop", (_Outliving, _usual()), {})()
    return loop


def _usual() -> Any:
    if find_spec("uvloop") is not None:
        return import_module("uvloop").Loop
    return getattr(asyncio, "ProactorEventLoop", asyncio.SelectorEventLoop)  # which only Windows has
