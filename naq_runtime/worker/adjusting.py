"""What of a worker can change while it runs, by the keys of its settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from naq_runtime.worker.framing import Frame
from naq_runtime.worker.jobs import WorkerJobs
from naq_runtime.worker.presence import Presence
from naq_runtime.worker.sweeper import Sweeper

__all__ = ["adjustable"]


def adjustable(
    jobs: WorkerJobs, presence: Presence, sweeper: Sweeper, frame: Frame
) -> dict[str, Callable[[Any], None]]:
    """What applies a new value, by key."""

    def concurrency(most: int) -> None:
        jobs.resize(most)
        presence.adjust(concurrency_limit=most)

    def heartbeat_interval(seconds: float) -> None:
        presence.adjust(heartbeat_interval=seconds)

    def shutdown_grace(seconds: float) -> None:
        frame.grace_s = seconds

    def sweep_interval(seconds: float) -> None:
        sweeper.interval_s = seconds

    return {
        "worker.concurrency": concurrency,
        "worker.heartbeat_interval": heartbeat_interval,
        "worker.shutdown_grace": shutdown_grace,
        "jobs.sweep_interval": sweep_interval,
    }
