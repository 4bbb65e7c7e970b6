"""A worker as a process: its signals, its event loop and its end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext

from naq_runtime.config import NAQConfig
from naq_runtime.job_logging import record_job_logs
from naq_runtime.services.manager import ServiceManager
from naq_runtime.tasks import TaskRegistry
from naq_runtime.worker.loop import outliving_exits
from naq_runtime.worker.worker import Worker

__all__ = ["serve"]

log = logging.getLogger(__name__)

_SAME_WISH_S = 0.3
"""A signal so soon after another is the same one: a group of processes and who watches over it may both send it."""


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
    """Work until SIGTERM or SIGINT; a second one hands everything back at once.

    Args:
        burst: stop by itself once no job is queued any more.
        allow: names of functions that may run without a mark, with the shell's wildcards.

    Ends the process itself when a job that was handed back still holds a thread or the event loop.

    Raises:
        ModuleNotLoaded: a module does not import.
        ServerError: the server cannot be reached or used.
    """
    registry = TaskRegistry.load(modules, allow)
    record_job_logs(registry.lowest_log_level)
    if not len(registry):
        log.warning("no function in %s is marked with @task: every job will fail", ", ".join(modules))
    async with ServiceManager(config, role="worker") as services:
        worker = Worker(services, queues, registry, modules=modules, name=name, concurrency=concurrency, burst=burst)
        handled = _on_signals(_Stopping(worker, config.worker.shutdown_grace))
        services.connection.on_lost.append(_say_lost)
        services.connection.on_restored.append(_say_restored)
        log.info(
            "worker %s: tasks %d, queues %s, %d jobs at a time",
            worker.worker_id, len(registry), " ".join(worker.queues), worker.concurrency,
            extra={"action": "worker_started"},
        )  # fmt: skip
        with outliving_exits() if handled else nullcontext():
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


class _Stopping:
    """What the signals of a process make of its worker."""

    def __init__(self, worker: Worker, grace_s: float) -> None:
        self._worker = worker
        self._grace_s = grace_s
        self._loop = asyncio.get_running_loop()
        self._asked_at = -_SAME_WISH_S

    def __call__(self, number: signal.Signals) -> None:
        worker, now = self._worker, self._loop.time()
        if now - self._asked_at < _SAME_WISH_S:
            return
        self._asked_at = now
        if not worker.is_stopping and worker.active:
            log.info(
                "%s: draining %d jobs for up to %g s; once more hands them back at once",
                number.name,
                worker.active,
                self._grace_s,
                extra={"action": "worker_draining"},
            )
        worker.request_stop(number.name, at_once=worker.is_stopping)


async def _say_lost() -> None:
    log.warning("connection lost, reconnecting", extra={"action": "connection_lost"})


async def _say_restored() -> None:
    log.warning("connected again", extra={"action": "connection_restored"})


def _on_signals(handle: Callable[[signal.Signals], None]) -> bool:
    """Whether they are handled here."""
    if sys.platform == "win32":
        return False
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, handle, number)
    return True
