"""What this process costs: processor, memory, open files, and how late its event loop is."""

from __future__ import annotations

import asyncio
import sys
import time

import psutil

__all__ = ["LoopLag", "Usage"]

_PROBE_S = 0.1
_CPU_SPAN_S = 0.5


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

    def open_files(self) -> int:
        """File descriptors that are open now, sockets included; handles, where there are no descriptors."""
        if sys.platform == "win32":
            return int(self._process.num_handles())
        return int(self._process.num_fds())
