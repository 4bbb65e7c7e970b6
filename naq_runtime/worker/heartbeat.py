"""A worker's sign of life: its lease, its heartbeat events, and what it costs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

import psutil

from naq_runtime.errors import ServerError
from naq_runtime.nats.bucket import LeaseBucket
from naq_runtime.worker.record import WorkerRecord, encode_worker

__all__ = ["Heartbeat", "LoopLag", "Usage"]

log = logging.getLogger(__name__)

_LEASE_BEATS = 3
"""A lease outlives so many heartbeats that are missed."""
_PROBE_S = 0.1
_CPU_SPAN_S = 0.5
_STOPPED_TTL_S = 5.0
"""How long the last record of a worker that stopped can be seen."""


class LoopLag:
    """The worst delay of the event loop: how late a timer fires."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._worst_s = 0.0
        self._due = 0.0
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to probe, ten times a second."""
        self._due = self._loop.time() + _PROBE_S
        self._handle = self._loop.call_at(self._due, self._fire)

    def stop(self) -> None:
        """Probe no more."""
        if self._handle is not None:
            self._handle.cancel()

    def take_ms(self) -> float:
        """The worst delay since the last call, in milliseconds."""
        worst, self._worst_s = self._worst_s, 0.0
        return round(worst * 1000, 2)

    def _fire(self) -> None:
        self._worst_s = max(self._worst_s, self._loop.time() - self._due)
        self.start()


class Usage:
    """What this process uses."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._process.cpu_percent()
        self._asked = time.monotonic()
        self._percent = 0.0

    def cpu_percent(self) -> float:
        """Of one core, since the last call; as it was then, when that is too short ago to tell."""
        now = time.monotonic()
        if now - self._asked >= _CPU_SPAN_S:
            self._asked, self._percent = now, round(self._process.cpu_percent(), 1)
        return self._percent

    def rss_bytes(self) -> int:
        """Memory that is resident now."""
        return int(self._process.memory_info().rss)


class Heartbeat:
    """Renews a worker's lease at every interval, and says so.

    Args:
        describe: the worker's record as of now.
        beaten: is told of each record that was written.
    """

    def __init__(
        self,
        bucket: LeaseBucket,
        interval_s: float,
        *,
        describe: Callable[[], WorkerRecord],
        beaten: Callable[[WorkerRecord], None],
    ) -> None:
        self._bucket = bucket
        self.lease_s = interval_s * _LEASE_BEATS
        self._interval_s = interval_s
        self._describe = describe
        self._beaten = beaten

    async def run(self) -> None:
        """Beat until cancelled; while the server is away, go on trying."""
        while True:
            await asyncio.sleep(self._interval_s)
            await self.beat()

    async def beat(self) -> None:
        """Renew the lease now."""
        record = self._describe()
        try:
            await self._bucket.put(record.worker_id, encode_worker(record), self.lease_s)
        except ServerError as error:
            log.debug("lease not renewed: %s", error, extra={"action": "lease_not_renewed"})
        self._beaten(record)

    async def end(self) -> None:
        """Say that the worker has stopped; the record leaves soon after."""
        record = self._describe()
        try:
            await self._bucket.put(record.worker_id, encode_worker(record), _STOPPED_TTL_S)
        except ServerError as error:
            log.debug("lease not ended: %s", error, extra={"action": "lease_not_ended"})
