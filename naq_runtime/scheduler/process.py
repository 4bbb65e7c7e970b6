"""A scheduler as a process: its signals and its end."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from naq_runtime.config import NAQConfig
from naq_runtime.hangup import heed_hangups
from naq_runtime.outages import log_outages
from naq_runtime.reloading import Reloading
from naq_runtime.scheduler.scheduler import Scheduler
from naq_runtime.services.events import EventService
from naq_runtime.services.manager import ServiceManager

__all__ = ["serve"]

log = logging.getLogger(__name__)


async def serve(
    config: NAQConfig, *, instance_id: str | None = None, reload: Callable[[], NAQConfig] | None = None
) -> None:
    """Lead or stand by until SIGTERM or SIGINT.

    Args:
        reload: reads the settings again, at SIGHUP.

    Raises:
        InvalidName: the id cannot be used.
        ServerError: the server cannot be reached or used.
    """
    async with ServiceManager(config, role="scheduler") as services:
        scheduler = Scheduler(services, instance_id=instance_id)

        def stop(number: signal.Signals) -> None:
            services.reason = number.name
            scheduler.request_stop()

        log_outages(services.connection)
        if sys.platform != "win32":
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, stop, number)
        if reload is not None:
            events = await services.get_service(EventService)
            reloading = Reloading(events, config, load=reload, appliers=partial(_appliers, scheduler, events))
            heed_hangups(reloading.reload, partial(stop, signal.SIGHUP))
            scheduler.on_open.append(reloading.begin)
        watched = f", watches {len(config.alerts)} alert rules when it leads" if config.alerts else ""
        log.info("scheduler %s%s", scheduler.instance_id, watched, extra={"action": "scheduler_started"})
        await scheduler.run()
        log.info("scheduler %s stopped", scheduler.instance_id, extra={"action": "scheduler_stopped"})


def _appliers(scheduler: Scheduler, events: EventService) -> dict[str, Callable[[Any], None]]:
    """What can change while it runs."""
    return {**scheduler.adjustable, "events.metrics_interval": events.tell_costs_every}
