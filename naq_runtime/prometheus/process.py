"""The endpoint as a process."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from threading import Thread
from wsgiref.simple_server import WSGIServer

import prometheus_client
from prometheus_client import CollectorRegistry

from naq_runtime.config import MetricsConfig, NAQConfig
from naq_runtime.errors import ConfigError, ServerError, ServerUnreachable
from naq_runtime.monitor import Monitor
from naq_runtime.nats.connection import listening
from naq_runtime.outages import log_outages
from naq_runtime.processing.overview import processors
from naq_runtime.prometheus.counting import EventMetrics
from naq_runtime.prometheus.standing import Standing, StandingMetrics
from naq_runtime.services.manager import ServiceManager

__all__ = ["serve", "serving"]

log = logging.getLogger(__name__)

_AGAIN_S = 1.0


async def serve(config: NAQConfig) -> None:
    """Answer until SIGTERM or SIGINT.

    Raises:
        ConfigError: the address cannot be listened on.
        ServerError: the server cannot be reached or used, or has ended the connection for good.
    """
    stopped = asyncio.Event()
    if sys.platform != "win32":
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with ServiceManager(config, role="monitor") as services, serving(services) as port:
        log_outages(services.connection)
        log.info("metrics at http://%s:%d/metrics", config.metrics.host, port, extra={"action": "metrics_started"})
        asked = asyncio.create_task(stopped.wait())
        ended = asyncio.create_task(services.connection.closed.wait())
        await asyncio.wait({asked, ended}, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if not asked.done():
            asked.cancel()
            raise ServerUnreachable(f"the server has ended the connection: {services.connection.last_error}")


@asynccontextmanager
async def serving(services: ServiceManager) -> AsyncIterator[int]:
    """The endpoint for as long as the block lasts; yields its port. Counters begin with what is logged from now on."""
    config = services.config.metrics
    # A series more for each, for what nobody asks.
    prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    counted, standing = EventMetrics(registry), StandingMetrics()
    registry.register(standing)
    monitor = await services.get_service(Monitor)
    tail = await monitor.follow()
    try:
        server, thread = _listening(config, registry)
    except ConfigError:
        await tail.stop()
        raise

    async def count() -> None:
        while True:
            try:
                counted.apply(await tail.next_batch())
            except ServerError as error:  # nothing is lost: the tail begins again where it was
                log.debug("%s", error, extra={"action": "metrics_wait"})
                await asyncio.sleep(_AGAIN_S)

    looking = _Looking(services, monitor, standing)
    try:
        async with asyncio.TaskGroup() as group:  # one that fails ends the whole
            tasks = [
                group.create_task(count(), name="count events"),
                group.create_task(looking.run(), name="look at queues"),
            ]
            yield int(server.server_port)
            for task in tasks:
                task.cancel()
    except ExceptionGroup as errors:  # of which the caller does not know that there can be several
        raise errors.exceptions[0] from errors
    finally:
        await asyncio.to_thread(server.shutdown)
        server.server_close()
        thread.join()
        await tail.stop()


def _listening(config: MetricsConfig, registry: CollectorRegistry) -> tuple[WSGIServer, Thread]:
    try:
        return prometheus_client.start_http_server(config.port, config.host, registry)
    except OSError as error:
        where = f"{config.host}:{config.port}"
        raise ConfigError(f"metrics cannot be served on {where}: {error.strerror or error}") from error


class _Looking:
    """Looks at what stands, again and again, and at once when the connection is lost or back."""

    def __init__(self, services: ServiceManager, monitor: Monitor, standing: StandingMetrics) -> None:
        self._services = services
        self._monitor = monitor
        self._standing = standing
        self._again = asyncio.Event()

    async def run(self) -> None:
        connection, interval_s = self._services.connection, self._services.config.metrics.interval
        with listening(connection.on_lost, self._lost), listening(connection.on_restored, self._restored):
            while True:
                self._again.clear()
                seen = await _seen(self._services, self._monitor)
                self._standing.saw(seen if connection.is_connected else None)  # it may have been lost meanwhile
                with suppress(TimeoutError):
                    async with asyncio.timeout(interval_s):
                        await self._again.wait()

    async def _lost(self) -> None:
        self._standing.saw(None)

    async def _restored(self) -> None:
        self._again.set()


async def _seen(services: ServiceManager, monitor: Monitor) -> Standing | None:
    try:
        snapshot, leader, found = await asyncio.gather(monitor.snapshot(), monitor.leader(), processors(services))
        backlogs = await monitor.backlogs([queue.name for queue in snapshot.queues])
    except ServerError as error:
        log.debug("%s", error, extra={"action": "metrics_wait"})
        return None
    return Standing(snapshot, backlogs, leader, tuple(found))
