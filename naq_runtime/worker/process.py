"""A worker as a process: its signals, its event loop and its end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from naq_runtime.config import NAQConfig
from naq_runtime.services.manager import ServiceManager
from naq_runtime.tasks import TaskRegistry
from naq_runtime.worker.worker import Worker

__all__ = ["run_loop", "serve"]

log = logging.getLogger(__name__)


async def serve(
    config: NAQConfig,
    queues: Sequence[str],
    modules: Sequence[str],
    *,
    name: str | None = None,
    concurrency: int | None = None,
) -> None:
    """Work until SIGTERM or SIGINT; a second one hands everything back at once.

    Ends the process itself when a job that was handed back still holds a thread or the event loop.

    Raises:
        ModuleNotLoaded: a module does not import.
        ServerError: the server cannot be reached or used.
    """
    registry = TaskRegistry.load(modules)
    if not len(registry):
        log.warning("no function in %s is marked with @task: every job will fail", ", ".join(modules))
    async with ServiceManager(config, role="worker") as services:
        worker = Worker(services, queues, registry, modules=modules, name=name, concurrency=concurrency)
        running = asyncio.ensure_future(worker.run())
        _on_signals(lambda number: _stop(worker, running, number))
        log.info(
            "worker %s: %d tasks, queues %s, %d jobs at a time",
            worker.worker_id, len(registry), " ".join(worker.queues), worker.concurrency,
            extra={"action": "worker_started"},
        )  # fmt: skip
        try:
            await running
        except asyncio.CancelledError:
            log.warning("worker %s: stopped at once", worker.worker_id, extra={"action": "worker_cancelled"})
        log.info(
            "worker %s stopped: %d completed, %d failed, %d handed back",
            worker.worker_id, worker.completed, worker.failed, worker.interrupted,
            extra={"action": "worker_stopped"},
        )  # fmt: skip
    if worker.stuck:
        # A thread cannot be stopped, nor a task that heeds no cancellation, and Python would wait for both. Their jobs
        # have been handed back, and everything else is closed.
        logging.shutdown()
        os._exit(0)


def run_loop(main: Coroutine[Any, Any, Any]) -> Any:
    """Like `asyncio.run`, on uvloop where it is installed (extra ``speed``)."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    return uvloop.run(main)


def _stop(worker: Worker, running: asyncio.Future[None], number: signal.Signals) -> None:
    if worker.is_stopping:
        running.cancel()
        return
    log.info("worker %s: %s, draining %d jobs", worker.worker_id, number.name, worker.active)
    worker.request_stop(number.name)


def _on_signals(handle: Callable[[signal.Signals], None]) -> None:
    if sys.platform == "win32":
        return
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, handle, number)
