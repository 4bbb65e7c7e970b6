"""A worker as others see it: who it is, what it is doing, and what it costs."""

from __future__ import annotations

import os
import re
import socket
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from naq_runtime.clock import Clock
from naq_runtime.naming import new_id
from naq_runtime.services.events import EventService
from naq_runtime.usage import LoopLag, Usage
from naq_runtime.version import VERSION
from naq_runtime.worker.record import Counts, WorkerRecord, WorkerState

__all__ = ["Portrait", "default_worker_name"]

_LISTED_JOBS = 100


def default_worker_name() -> str:
    """Host, process and a few random letters: ``build-7-4242-k3f9``."""
    host = re.sub(r"[^A-Za-z0-9_-]+", "-", socket.gethostname().split(".")[0])[:40] or "worker"
    return f"{host}-{os.getpid()}-{new_id(4)}"


class Portrait:
    """Draws a worker's record, again and again; only within a running loop.

    Args:
        counts: of the worker's jobs, as they change.
    """

    def __init__(
        self,
        events: EventService,
        counts: Counts,
        clock: Clock,
        *,
        worker_id: str,
        queues: tuple[str, ...],
        concurrency: int,
        modules: tuple[str, ...],
        heartbeat_interval: float,
    ) -> None:
        self._events = events
        self._counts = counts
        self._clock = clock
        self._lag = LoopLag()
        self._usage = Usage()
        self._blank = WorkerRecord(
            worker_id=worker_id,
            state=WorkerState.IDLE,
            hostname=socket.gethostname(),
            pid=os.getpid(),
            queue_names=queues,
            concurrency_limit=concurrency,
            started_at_ns=clock.time_ns(),
            beat_at_ns=0,
            heartbeat_interval=heartbeat_interval,
            version=VERSION,
            modules=modules,
        )

    def change(self, **fields: Any) -> None:
        """Show these from now on."""
        self._blank = msgspec.structs.replace(self._blank, **fields)

    def start(self) -> None:
        """Begin to measure."""
        self._lag.start()

    def stop(self) -> None:
        """Measure no more."""
        self._lag.stop()

    def draw(self, state: WorkerState, running: Sequence[str], stuck: Sequence[str]) -> WorkerRecord:
        """The record as of now.

        Args:
            running: subjects of the jobs that run.
            stuck: ids of the jobs that were given up, and whose threads still run.
        """
        statistics = self._events.statistics()
        return msgspec.structs.replace(
            self.redraw(self._blank, state, running, stuck),
            cpu_percent=self._usage.cpu_percent(),
            rss_bytes=self._usage.rss_bytes(),
            loop_lag_ms=self._lag.take_ms(),
            events_buffered=statistics.buffered,
            events_dropped=statistics.dropped,
            clock_skew_ms=self._events.clock_skew_ms,
        )

    def redraw(
        self, record: WorkerRecord, state: WorkerState, running: Sequence[str], stuck: Sequence[str]
    ) -> WorkerRecord:
        """A record with what the worker does now, and with what it cost when that was drawn; see `draw`."""
        return msgspec.structs.replace(
            record,
            state=state,
            beat_at_ns=self._clock.time_ns(),
            active_jobs=len(running),
            running_job_ids=tuple(subject.rpartition(".")[2] for subject in running[:_LISTED_JOBS]),
            running_by_queue=dict(Counter(subject.split(".")[-2] for subject in running)),
            stuck_job_ids=tuple(stuck[:_LISTED_JOBS]),
            jobs_completed=self._counts.completed,
            jobs_failed=self._counts.failed,
            jobs_interrupted=self._counts.interrupted,
        )
