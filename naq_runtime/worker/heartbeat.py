"""A worker's sign of life: its lease, and its heartbeat events."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

import msgspec

from naq_runtime.errors import ServerError
from naq_runtime.nats.bucket import LeaseBucket
from naq_runtime.worker.record import LEASE_BEATS, WorkerRecord, encode_worker

__all__ = ["Heartbeat"]

log = logging.getLogger(__name__)

_STOPPED_TTL_S = 5.0
"""How long the last record of a worker that stopped can be seen."""


class Heartbeat:
    """Renews a worker's lease at every interval, and says so.

    Args:
        describe: the worker's record as of now.
        beaten: is told of each record that was written.
        failed: is told of what went wrong otherwise than by the server, once until it goes well again.
    """

    def __init__(
        self,
        bucket: LeaseBucket,
        interval_s: float,
        *,
        describe: Callable[[], WorkerRecord],
        beaten: Callable[[WorkerRecord], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._bucket = bucket
        self._anew = asyncio.Event()
        self._interval_s = interval_s
        self.lease_s = interval_s * LEASE_BEATS
        self._describe = describe
        self._beaten = beaten
        self._failed = failed
        self._is_failing = False

    def set_interval(self, interval_s: float) -> None:
        """Beat so often from now on."""
        self._interval_s = interval_s
        self.lease_s = interval_s * LEASE_BEATS
        self._anew.set()

    def soon(self) -> None:
        """Beat as soon as the loop comes to it, and not only when the interval is over."""
        self._anew.set()

    async def run(self) -> None:
        """Beat until cancelled, now and at every interval; while the server is away, go on trying."""
        while True:
            await self._beat_on()
            with contextlib.suppress(TimeoutError):  # a new interval counts at once
                async with asyncio.timeout(self._interval_s):
                    await self._anew.wait()
            self._anew.clear()

    async def _beat_on(self) -> None:
        try:
            await self.beat()
        except Exception as error:  # supervision: a worker that lives must go on saying so
            log.error("a heartbeat failed", exc_info=error, extra={"action": "heartbeat_failed"})
            if not self._is_failing:
                self._failed(error)
            self._is_failing = True
        else:
            self._is_failing = False

    async def beat(self) -> None:
        """Renew the lease now."""
        record = self._describe()
        encoded = encode_worker(record)
        try:
            await self._bucket.put(record.worker_id, encoded, self.lease_s)
            await self._bucket.remember(record.worker_id, encoded)
        except ServerError as error:
            log.debug("lease not renewed: %s", error, extra={"action": "lease_not_renewed"})
        self._beaten(record)

    async def end(self, reason: str | None) -> None:
        """Say that the worker has stopped, and why; the record leaves soon after, and is remembered."""
        record = msgspec.structs.replace(self._describe(), reason=reason or "")
        encoded = encode_worker(record)
        try:
            await self._bucket.put(record.worker_id, encoded, _STOPPED_TTL_S)
            await self._bucket.remember(record.worker_id, encoded)
        except ServerError as error:
            log.debug("lease not ended: %s", error, extra={"action": "lease_not_ended"})
