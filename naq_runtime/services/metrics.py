"""What a long-lived process costs, told as events."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import psutil

from naq_runtime.events.models import SystemEventType
from naq_runtime.usage import LoopLag, Usage

if TYPE_CHECKING:
    from naq_runtime.services.events import EventService

__all__ = ["Metrics"]

log = logging.getLogger(__name__)


class Metrics:
    """Tells at an interval what this process costs, and what its log has done; only within a running loop."""

    def __init__(self, events: EventService, interval_s: float) -> None:
        self._events = events
        self.interval_s = interval_s
        self._lag = LoopLag()
        self._usage = Usage()
        self._telling: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to measure."""
        self._lag.start()
        self._telling = asyncio.create_task(self._tell_for_ever(), name="metrics")

    def stop(self) -> None:
        """Measure no more. May be called twice."""
        self._lag.stop()
        if self._telling is not None:
            self._telling.cancel()

    async def _tell_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self.interval_s)
            try:
                self._tell()
            except (psutil.Error, OSError) as error:  # such as no descriptor left to count descriptors with
                log.debug("no metrics: %s", error, extra={"action": "metrics_failed"})

    def _tell(self) -> None:
        logger = self._events.statistics()
        self._events.system(
            SystemEventType.METRICS,
            cpu_percent=self._usage.cpu_percent(),
            rss_bytes=self._usage.rss_bytes(),
            open_files=self._usage.open_files(),
            loop_lag_ms=self._lag.take_ms(),
            events_buffered=logger.buffered,
            events_buffered_bytes=logger.buffered_bytes,
            events_stored=logger.stored,
            events_dropped=logger.dropped,
            failed_flushes=logger.failed_flushes,
            clock_skew_ms=self._events.clock_skew_ms,
        )
