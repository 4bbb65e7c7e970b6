"""What a logger needs of memory while the server is away, and how it comes out of it.

    python benchmarks/logger_outage.py [--seconds 60] [--rate 5000] [--events 200000] [--bytes 134217728] [--spool]

One process logs events of jobs and heartbeats at the rate: for ten seconds with the server, then without (it is
killed), then with it again. Resident memory is read every five seconds, CPU is of one core. At the end every event must
be stored once, or be counted as dropped; with ``--spool`` a folder on disk takes what is too much for the buffer.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import tempfile
import time
from pathlib import Path

import psutil

from naq_runtime import EmbeddedServer, EventService, JobEventType, NAQConfig, ServiceManager, WorkerEventType

_MEBIBYTE = 1024 * 1024
_BEFORE_S = 10
_STEP_S = 0.02
_TYPES = (JobEventType.ENQUEUED, JobEventType.STARTED, JobEventType.COMPLETED, JobEventType.RESULT_STORED)


class Emitter:
    """Logs at a steady rate, one heartbeat in a hundred events."""

    def __init__(self, events: EventService, rate: int) -> None:
        self.logged = 0
        self._events = events
        self._rate = rate

    async def run(self) -> None:
        """Until it is cancelled."""
        begun, first = time.monotonic(), self.logged
        while True:
            due = first + int((time.monotonic() - begun) * self._rate)
            while self.logged < due:
                self._log(self.logged)
                self.logged += 1
            await asyncio.sleep(_STEP_S)

    def _log(self, number: int) -> None:
        if number % 100 == 0:
            self._events.worker(WorkerEventType.HEARTBEAT, worker_id="worker-host-1-4711", active_jobs=10)
            return
        self._events.job(
            _TYPES[number % 4],
            job_id=f"job{number // 4:017d}",
            queue_name="orders",
            function_name="shop.orders.confirm_order",
            worker_id="worker-host-1-4711",
            attempt=1,
            duration_ms=12.5,
        )


async def watch(events: EventService, seconds: float, what: str) -> None:
    """Print how it stands, every five seconds."""
    process, begun = psutil.Process(), time.monotonic()
    process.cpu_percent()
    while (passed := time.monotonic() - begun) < seconds:
        await asyncio.sleep(min(5, seconds - passed))
        found, rss = events.statistics(), process.memory_info().rss / _MEBIBYTE
        print(
            f"{what:8} {time.monotonic() - begun:5.0f} s: {rss:6.1f} MiB resident, CPU {process.cpu_percent():4.1f} %, "
            f"{found.buffered:,} events of {found.buffered_bytes / _MEBIBYTE:.1f} MiB wait, {found.spooled:,} on disk, "
            f"{found.dropped:,} dropped"
        )


async def measure(options: argparse.Namespace, folder: Path) -> None:
    """With the server, without, and with it again."""
    server = await EmbeddedServer(store=folder).__aenter__()
    port = int(server.url.rpartition(":")[2])
    settings = {"nats.url": server.url, "events.max_buffer_size": options.events}
    settings |= {"events.max_buffer_bytes": options.bytes}
    if options.spool:
        settings["events.spool"] = str(folder.parent / "spool")
    config = NAQConfig.load(arguments=settings, environ={})
    async with ServiceManager(config, role="emitter") as services:
        events = await services.get_service(EventService)
        emitter = Emitter(events, options.rate)
        emitting = asyncio.create_task(emitter.run())
        await watch(events, _BEFORE_S, "with")
        os.kill(server.pid, signal.SIGKILL)
        await watch(events, options.seconds, "without")
        emitting.cancel()
        await server.__aexit__(None, None, None)
        async with EmbeddedServer(store=folder, port=port):
            begun = time.monotonic()
            await events.flush()
            print(f"all stored {time.monotonic() - begun:.1f} s after the start of the server")
            await watch(events, 1, "after")
            found = events.statistics()
            of_its_own = found.stored + found.dropped - emitter.logged
            print(
                f"{emitter.logged:,} logged, {found.stored:,} stored, {found.dropped:,} dropped, {of_its_own} its own"
            )


def main() -> None:
    """Run it with a server of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=int, default=5_000)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--bytes", type=int, default=128 * _MEBIBYTE)
    parser.add_argument("--spool", action="store_true")
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(parser.parse_args(), Path(folder) / "store"))


if __name__ == "__main__":
    main()
