"""A worker as a process: its signals, its event loop and its end."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Coroutine, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from naq_runtime.config import NAQConfig
from naq_runtime.context import JobLogHandler
from naq_runtime.services.manager import ServiceManager
from naq_runtime.tasks import TaskRegistry
from naq_runtime.worker.signals import heed_signals
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
    burst: bool = False,
    allow: Sequence[str] = (),
) -> None:
    """Work until SIGTERM or SIGINT; a second one hands everything back at once, and ends what would not end.

    Args:
        burst: stop by itself once no job is queued any more.
        allow: names of functions that may run without a mark, with the shell's wildcards.

    Ends the process itself when a job that was handed back still holds a thread or the event loop.

    Raises:
        ModuleNotLoaded: a module does not import.
        ServerError: the server cannot be reached or used.
    """
    registry = TaskRegistry.load(modules, allow)
    logging.getLogger().addHandler(JobLogHandler())
    if not len(registry):
        log.warning("no function in %s is marked with @task: every job will fail", ", ".join(modules))
    async with ServiceManager(config, role="worker") as services:
        worker = Worker(services, queues, registry, modules=modules, name=name, concurrency=concurrency, burst=burst)
        heed_signals(worker, config.worker.shutdown_grace)
        services.connection.on_lost.append(_say_lost)
        services.connection.on_restored.append(_say_restored)
        log.info(
            "worker %s: tasks %d, queues %s, %d jobs at a time",
            worker.worker_id, len(registry), " ".join(worker.queues), worker.concurrency,
            extra={"action": "worker_started"},
        )  # fmt: skip
        await worker.run()
        log.info(
            "worker %s stopped: %d completed, %d failed, %d handed back",
            worker.worker_id, worker.counts.completed, worker.counts.failed, worker.counts.interrupted,
            extra={"action": "worker_stopped"},
        )  # fmt: skip
    if worker.stuck:
        # A thread cannot be stopped, nor a task that heeds no cancellation, and Python would wait for both. Their jobs
        # have been handed back, and everything else is closed.
        logging.shutdown()
        os._exit(0)


def run_loop(main: Coroutine[Any, Any, Any]) -> Any:
    """Like `asyncio.run`, on uvloop where it is installed (extra ``speed``)."""
    return (asyncio if find_spec("uvloop") is None else import_module("uvloop")).run(main)


async def _say_lost() -> None:
    log.warning("connection lost, reconnecting", extra={"action": "connection_lost"})


async def _say_restored() -> None:
    log.warning("connected again", extra={"action": "connection_restored"})
