"""Hooks of modules around drains: once, around the outermost of those that lie in each other or go on together."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor as Threads
from concurrent.futures import Future
from contextlib import asynccontextmanager
from contextvars import ContextVar
from threading import Lock
from typing import Any

from naq_runtime.hooks import CallHook
from naq_runtime.tasks import TaskRegistry

__all__ = ["Framing", "hooks_in"]

_within: ContextVar[Future[None] | None] = ContextVar("naq_hooks", default=None)
"""What is set once the hooks that run here have ended."""


class Framing:
    """Calls the hooks of the start before the first of some drains begins, those of the end when the last has ended.

    The drains may be on several event loops.
    """

    def __init__(self, registry: TaskRegistry) -> None:
        self._registry = registry
        self._lock = Lock()
        self._drains = 0
        self._up: Future[None] = Future()
        self._down: Future[None] = Future()
        self._down.set_result(None)

    @property
    def is_within(self) -> bool:
        """Whether it is one of the hooks that asks."""
        hooks = _within.get()
        return hooks is not None and not hooks.done()

    @asynccontextmanager
    async def frame(self, call: CallHook) -> AsyncIterator[None]:
        """For as long as a drain lasts.

        Raises:
            TaskError: a hook of the start failed.
        """
        up, down, is_first = self._enter()
        try:
            if is_first:
                await _over(down)
                await self._do(up, self._registry.start_up, call)
            else:
                await _over(up)
            yield
        finally:
            if self._leave():
                if up.exception() is None:
                    await self._do(self._down, self._registry.shut_down, call)
                else:
                    self._down.set_result(None)

    def _enter(self) -> tuple[Future[None], Future[None], bool]:
        with self._lock:
            self._drains += 1
            down = self._down
            if self._drains == 1:
                self._up, self._down = Future(), Future()
            return self._up, down, self._drains == 1

    def _leave(self) -> bool:
        with self._lock:
            self._drains -= 1
            return self._drains == 0

    async def _do(self, done: Future[None], hooks: Callable[[CallHook], Any], call: CallHook) -> None:
        token = _within.set(done)
        try:
            await hooks(call)
        except BaseException as error:  # whoever waits for the same hooks has it, too
            done.set_exception(error)
            raise
        else:
            done.set_result(None)
        finally:
            _within.reset(token)


async def _over(done: Future[None]) -> None:
    await asyncio.shield(asyncio.wrap_future(done))


def hooks_in(threads: Threads) -> CallHook:
    """Calls plain hooks where plain functions run."""

    async def call(hook: Callable[[], Any]) -> None:
        if inspect.iscoroutinefunction(hook):
            await hook()
            return
        returned = await asyncio.get_running_loop().run_in_executor(threads, hook)
        if inspect.isawaitable(returned):
            await returned

    return call
