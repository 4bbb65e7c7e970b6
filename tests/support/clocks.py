"""Clocks that are wrong, and a process that goes by one.

python -m tests.support.clocks SECONDS QUEUE   a worker of `timed` whose clock is so far ahead
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time

from naq_runtime import task
from naq_runtime.clock import SYSTEM_CLOCK
from naq_runtime.config import get_config
from naq_runtime.services.manager import ServiceManager
from naq_runtime.tasks import TaskRegistry
from naq_runtime.worker.worker import Worker

__all__ = ["WrongClock", "timed"]


class WrongClock:
    """The clocks of this machine, with what is on the wall so many seconds ahead."""

    def __init__(self, ahead_s: float) -> None:
        self.ahead_s = ahead_s

    def time_ns(self) -> int:
        """What is on the wall."""
        return time.time_ns() + int(self.ahead_s * 1e9)

    def monotonic_ns(self) -> int:
        """That is right."""
        return SYSTEM_CLOCK.monotonic_ns()


@task
async def timed(seconds: float) -> list[int]:
    """Take so long; when it began and ended in truth."""
    began = time.time_ns()
    await asyncio.sleep(seconds)
    return [began, time.time_ns()]


async def _work(ahead_s: float, queue: str) -> None:
    registry = TaskRegistry.load(["tests.support.clocks"])
    async with ServiceManager(get_config(), role="worker", clock=WrongClock(ahead_s)) as services:
        worker = Worker(services, [queue], registry, name=f"wrong-{os.getpid()}")
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.request_stop)
        await worker.run()


if __name__ == "__main__":
    asyncio.run(_work(float(sys.argv[1]), sys.argv[2]))
