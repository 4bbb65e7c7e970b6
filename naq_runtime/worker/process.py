"""A worker as a process: its signals, its event loop and its end."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import NoReturn

from msgspec.structs import replace

from naq_runtime.config import NAQConfig
from naq_runtime.hangup import heed_hangups
from naq_runtime.job_logging import record_job_logs
from naq_runtime.outages import log_outages
from naq_runtime.reloading import Reloading
from naq_runtime.services.events import EventService
from naq_runtime.services.manager import ServiceManager
from naq_runtime.tasks import TaskRegistry
from naq_runtime.worker.loop import outliving_exits
from naq_runtime.worker.signals import heed_signals
from naq_runtime.worker.worker import Worker

__all__ = ["serve"]

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
    sent_home: int = 0,
    reload: Callable[[], NAQConfig] | None = None,
) -> int:
    """Work until SIGTERM or SIGINT; a second one hands everything back at once, and ends what would not end.

    Args:
        burst: stop by itself once no job is queued any more.
        allow: names of functions that may run without a mark, with the shell's wildcards.
        sent_home: the exit code of one that was asked to stop by its name.
        reload: reads the settings again, at SIGHUP.

    Returns:
        The exit code.

    Ends the process itself when a job that was handed back still holds a thread or the event loop.

    Raises:
        ModuleNotLoaded: a module does not import.
        NameTaken: a worker of this name runs already.
        ServerError: the server cannot be reached or used.
    """
    registry = _loaded(modules, allow)
    config = _going_by(config, concurrency)
    async with ServiceManager(config, role="worker") as services:
        worker = Worker(services, queues, registry, modules=modules, name=name, burst=burst)
        handled = heed_signals(worker)
        if reload is not None:
            _heed_hangups(worker, await services.get_service(EventService), config, reload, concurrency)
        log_outages(services.connection)
        _say_started(worker, len(registry))
        with outliving_exits() if handled else nullcontext():
            await worker.run()
        services.reason = worker.stop_reason or services.reason
        _say_stopped(worker)
    code = sent_home if worker.was_sent_home else 0
    if worker.stuck:
        _leave_behind(code)
    return code


def _going_by(config: NAQConfig, concurrency: int | None) -> NAQConfig:
    """The settings, with what was said on the command line above them."""
    if concurrency is None:
        return config
    return replace(config, worker=replace(config.worker, concurrency=concurrency))


def _heed_hangups(
    worker: Worker, events: EventService, config: NAQConfig, reload: Callable[[], NAQConfig], concurrency: int | None
) -> None:
    """At SIGHUP, go by what the settings are by then, as soon as the worker is up."""
    reloading = Reloading(
        events,
        config,
        load=lambda: _going_by(reload(), concurrency),
        appliers=lambda: {**worker.adjustable, "events.metrics_interval": events.tell_costs_every},
        applied=worker.settings_changed,
    )
    heed_hangups(reloading.reload, partial(worker.request_stop, "SIGHUP"))
    worker.on_open.append(reloading.begin)


def _loaded(modules: Sequence[str], allow: Sequence[str]) -> TaskRegistry:
    """The tasks of the modules; what they log reaches their jobs' events from now on."""
    registry = TaskRegistry.load(modules, allow)
    record_job_logs(registry.lowest_log_level)
    if not len(registry):
        log.warning("no function in %s is marked with @task: every job will fail", ", ".join(modules))
    return registry


def _leave_behind(code: int) -> NoReturn:
    """End the process at once.

    A thread cannot be stopped, nor a task that heeds no cancellation, and Python would wait for both. Their jobs have
    been handed back, and everything else is closed.
    """
    logging.shutdown()
    os._exit(code)


def _say_started(worker: Worker, tasks: int) -> None:
    log.info(
        "worker %s: tasks %d, queues %s, %d jobs at a time",
        worker.worker_id, tasks, " ".join(worker.queues), worker.concurrency,
        extra={"action": "worker_started"},
    )  # fmt: skip


def _say_stopped(worker: Worker) -> None:
    log.info(
        "worker %s stopped: %d completed, %d failed, %d handed back",
        worker.worker_id, worker.counts.completed, worker.counts.failed, worker.counts.interrupted,
        extra={"action": "worker_stopped"},
    )  # fmt: skip
