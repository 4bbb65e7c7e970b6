"""A worker's sign of life: its lease, and its heartbeat events."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

import msgspec

from naq_runtime.errors import ServerError
from naq_runtime.nats.bucket import LeaseBucket
from naq_runtime.worker.record import LEASE_BEATS, WorkerRecord, encode_worker

__all__ = ["Heartbeat"]

log = logging.getLogger(__name__)

_STOPPED_TTL_S = 5.0
"""How long the last record of a worker that stopped can be seen."""
_LOOK_S = 1.0
"""What has changed of what runs is written so soon, also between two beats."""


class Heartbeat:
    """Renews a worker's lease at every interval, and says so.

    Args:
        describe: the worker's record as of now.
        renew: a record with what the worker does now, the rest as it was.
        beaten: is told of each record that was written.
        failed: is told of what went wrong otherwise than by the server, once until it goes well again.
    """

    def __init__(
        self,
        bucket: LeaseBucket,
        interval_s: float,
        *,
        describe: Callable[[], WorkerRecord],
        renew: Callable[[WorkerRecord], WorkerRecord],
        beaten: Callable[[WorkerRecord], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._bucket = bucket
        self._anew = asyncio.Event()
        self._interval_s = interval_s
        self.lease_s = interval_s * LEASE_BEATS
        self._describe = describe
        self._renew = renew
        self._written: WorkerRecord | None = None
        self._beaten = beaten
        self._failed = failed
        self._failing: set[Callable[[], Awaitable[None]]] = set()

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
            await self._guarded(self.beat)
            await self._rest()
            self._anew.clear()

    async def _guarded(self, say: Callable[[], Awaitable[None]]) -> None:
        try:
            await say()
        except Exception as error:  # supervision: a worker that lives must go on saying so
            log.error("a heartbeat failed", exc_info=error, extra={"action": "heartbeat_failed"})
            if say not in self._failing:
                self._failed(error)
            self._failing.add(say)
        else:
            self._failing.discard(say)

    async def _rest(self) -> None:
        """Until the interval is over, or there is a new one; meanwhile the record says what runs."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._interval_s
        while not self._anew.is_set() and (left_s := until - loop.time()) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left_s, _LOOK_S)):
                    await self._anew.wait()
            if not self._anew.is_set():
                await self._guarded(self._tell_change)

    async def _tell_change(self) -> None:
        """Write the record anew when another number of jobs runs; that is no beat, and nothing is measured for it."""
        if self._written is None:
            return
        record = self._renew(self._written)
        if (record.state, record.running_by_queue) != (self._written.state, self._written.running_by_queue):
            self._written = record
            with contextlib.suppress(ServerError):  # the next beat says it
                await self._bucket.put(record.worker_id, encode_worker(record), self.lease_s)
                await self._bucket.remember(record.worker_id, encode_worker(record))

    async def beat(self) -> None:
        """Renew the lease now."""
        record = self._describe()
        self._written, encoded = record, encode_worker(record)
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
