"""A processor as a process: its signals, its log and its end."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial

from naq_runtime.config import NAQConfig
from naq_runtime.hangup import heed_hangups
from naq_runtime.outages import log_outages
from naq_runtime.processing.processor import DurableProcessor
from naq_runtime.processors.making import Shipped, durable, made
from naq_runtime.processors.settings import Settings
from naq_runtime.reloading import Reloading
from naq_runtime.services.events import EventService
from naq_runtime.services.manager import ServiceManager

__all__ = ["serve"]

log = logging.getLogger(__name__)


async def serve(
    config: NAQConfig, name: str, settings: Settings, *, reload: Callable[[], NAQConfig] | None = None
) -> None:
    """Process events until SIGTERM or SIGINT: what is in work ends, and is acknowledged; a second one gives it up.

    Args:
        reload: reads the settings again, at SIGHUP.

    Raises:
        ConfigError: the processor cannot be made so.
        ServerError: the server cannot be reached or used.
    """
    async with ServiceManager(config, role="processor") as services, AsyncExitStack() as stack:
        events = await services.get_service(EventService)
        shipped = await made(services, name, settings)
        stack.push_async_callback(shipped.close)
        log_outages(services.connection)
        async with durable(services, name, settings, shipped) as processor:
            stop = _heed_signals(services, processor)
            if reload is not None:
                _heed_hangups(shipped, Reloading(events, config, load=reload), partial(stop, signal.SIGHUP))
            log.info("processor %s: %s", name, shipped, extra={"action": "processor_started"})
            await processor.run()
        log.info("processor %s stopped: %s", name, told(processor), extra={"action": "processor_stopped"})


def told(processor: DurableProcessor) -> str:
    """What it has done, in one line."""
    done = processor.statistics()
    return f"{done.processed:,} processed, {done.failed:,} tries failed, {done.dead:,} given up"


def _heed_signals(services: ServiceManager, processor: DurableProcessor) -> Callable[[signal.Signals], None]:
    """Stop at SIGTERM and SIGINT; what does so."""
    loop = asyncio.get_running_loop()
    stopping: list[asyncio.Task[None]] = []

    def stop(number: signal.Signals) -> None:
        services.reason = number.name
        grace_s = 0.0 if stopping else services.config.worker.shutdown_grace
        stopping.append(loop.create_task(processor.stop(grace_s), name="stop processor"))

    if sys.platform != "win32":
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop, number)
    return stop


def _heed_hangups(shipped: Shipped, reloading: Reloading, stop: Callable[[], None]) -> None:
    """At SIGHUP, read the settings again, and open anew what somebody may have moved away."""
    reopen = getattr(shipped, "reopen", None)

    def reload() -> None:
        if reopen is not None:
            reopen()
        reloading.reload()

    reloading.begin()
    heed_hangups(reload, stop)
