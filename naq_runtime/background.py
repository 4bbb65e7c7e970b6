"""An event loop in a thread, for those who have none: started at first use, one a process, closed with it."""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextlib
import logging
import os
import selectors
import sys
from collections.abc import Callable, Coroutine
from contextvars import Context
from threading import RLock, Thread
from typing import Any, TypeVar

from naq_runtime.config import NAQConfig
from naq_runtime.errors import NaqError
from naq_runtime.services.events import EventService
from naq_runtime.services.jobs import JobService
from naq_runtime.services.manager import ServiceManager

__all__ = ["Background", "call", "close", "refuse_where_a_loop_runs"]

log = logging.getLogger(__name__)

_PATIENCE_S = 3.0
"""For the last events, when the server is away."""
_LAST_WAIT_S = 3.0
"""And so long for the connections to close after that."""
_TOO_LATE = "Python is ending, and starts no threads any more: naq_runtime.sync cannot be used here"

T = TypeVar("T")


class Background:
    """An event loop in a thread, and the connections that live on it.

    Raises:
        RuntimeError: Python is ending.
    """

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self.loop = asyncio.SelectorEventLoop(self._selector)
        self._opened: dict[NAQConfig, asyncio.Task[ServiceManager]] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()
        self._thread = Thread(target=self._run, name="naq", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:
            self.loop.close()
            raise RuntimeError(_TOO_LATE) from error

    async def services(self, config: NAQConfig) -> ServiceManager:
        """Those of the settings; connected at the first call, and again when the server has closed for good."""
        opened = self._opened.get(config)
        if opened is not None and _is_open(opened) and opened.result().connection.closed.is_set():
            self._close(opened.result())
            opened = None
        if opened is None or (opened.done() and not _is_open(opened)):
            # In a context of its own: that of the first caller would live for as long as the connection.
            opened = self._opened[config] = asyncio.create_task(_open(config), context=Context())
        return await asyncio.shield(opened)

    async def flush(self, config: NAQConfig) -> None:
        """Store the events of these settings, if that can be done soon."""
        opened = self._opened.get(config)
        if opened is not None and _is_open(opened):
            events = await opened.result().get_service(EventService)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PATIENCE_S):
                    await events.flush()

    def end(self) -> None:
        """Close everything, and end the thread."""
        self.loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(_PATIENCE_S + _LAST_WAIT_S)

    def let_go(self) -> None:
        """Give up what was inherited over a fork, without a word to the server.

        A selector and a socket are one with those of the parent. What stands for them here is made to stand for
        nothing, before any clean-up can reach through to it.
        """
        self.loop.set_exception_handler(_keep_quiet)
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in (self._selector.fileno(), *(key.fd for key in self._selector.get_map().values())):
            os.dup2(nothing, number, inheritable=False)
        os.close(nothing)

    def _run(self) -> None:
        # Not by `asyncio.Runner`, which may start a thread at its end; when Python ends, none can be started.
        try:
            self.loop.run_until_complete(self._live())
        finally:
            self.loop.close()

    async def _live(self) -> None:
        await self._ended.wait()
        self.loop.set_exception_handler(_keep_quiet)
        for opened in self._opened.values():
            if _is_open(opened):
                self._close(opened.result())
            opened.cancel()  # which is nothing to one that is open
        if self._closing:
            _, late = await asyncio.wait(self._closing, timeout=_PATIENCE_S)
            if late:
                log.info("closed without the server; its last events may be lost", extra={"action": "events_lost"})
        if left := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=_LAST_WAIT_S)
        await self.loop.shutdown_asyncgens()

    def _close(self, services: ServiceManager) -> None:
        closing = asyncio.create_task(_closed(services), context=Context())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)


async def _open(config: NAQConfig) -> ServiceManager:
    async with contextlib.AsyncExitStack() as stack:
        services = await stack.enter_async_context(ServiceManager(config, role="producer"))
        await services.get_service(JobService)
        stack.pop_all()
    return services


def _is_open(opened: asyncio.Task[ServiceManager]) -> bool:
    return opened.done() and not opened.cancelled() and opened.exception() is None


async def _closed(services: ServiceManager) -> None:
    try:
        await services.__aexit__(None, None, None)
    except NaqError as error:
        log.info("not closed well: %s", error, extra={"action": "not_closed"})


def _keep_quiet(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    log.debug("at the end: %s", context.get("message"), extra={"action": "loop_ended"})


_lock = RLock()
"""For what follows, and while the process forks."""
_background: Background | None = None
_inherited: list[Background] = []
_is_ending = False
"""Whether the process is at its end, and all was closed."""


def call(operation: Callable[[Background], Coroutine[Any, Any, T]]) -> T:
    """Carry out something on the loop, and wait for it here; what ends the waiting, as Ctrl-C does, cancels it."""
    try:
        return _carry_out(operation)
    finally:
        if _is_ending:  # nobody else closes what was opened now
            close()


def _carry_out(operation: Callable[[Background], Coroutine[Any, Any, T]]) -> T:
    global _background
    refuse_where_a_loop_runs()
    if sys.is_finalizing():
        raise RuntimeError(_TOO_LATE)
    with _lock:
        if _background is None:
            _background = Background()
        future = asyncio.run_coroutine_threadsafe(operation(_background), _background.loop)
    try:
        return future.result()
    except concurrent.futures.CancelledError:
        if _is_ending:
            raise SystemExit from None  # which a thread that ends with its process has no words for
        raise RuntimeError("naq_runtime.sync was closed while this call waited") from None
    finally:
        future.cancel()


def close() -> None:
    """Store what is left of events, close all connections and end the thread; whatever is used again opens anew.

    Takes at most a few seconds, also when the server is away. Calls that wait in other threads raise ``RuntimeError``.
    """
    global _background
    with _lock:
        background, _background = _background, None
    if background is not None:
        background.end()


def refuse_where_a_loop_runs() -> None:
    """Raise `RuntimeError` within a running event loop: what waits here would hold it up."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError(
        "an event loop runs in this thread, and naq_runtime.sync would hold it up: use naq_runtime.Queue, and await it"
    )


def _before_fork() -> None:
    _lock.acquire()


def _after_fork_in_parent() -> None:
    _lock.release()


def _after_fork_in_child() -> None:
    global _background, _lock
    _lock = RLock()
    if _background is not None:
        _background.let_go()
        _inherited.append(_background)
        _background = None


def _at_exit() -> None:
    global _is_ending
    _is_ending = True
    with contextlib.suppress(KeyboardInterrupt):
        close()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
atexit.register(_at_exit)
