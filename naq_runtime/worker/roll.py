"""Who of the workers is there, who has stopped, and who is lost: the rules, for all that tell of it.

A worker that lives renews its lease. One that ends says so. Whose lease is gone without a word is lost, and so are the
jobs in its hands until others get them; but only where the server has been there long enough for a worker to renew its
lease: after an outage the leases of all are gone, and nobody is lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from msgspec import Struct

from naq_runtime.worker.record import WorkerRecord, WorkerState

__all__ = ["LOST", "RETURN_S", "Remembered", "Roll", "WorkerStatus", "is_lost", "roll_call"]

LOST = "lost"
"""The state of a worker that has gone without a word."""
RETURN_S = 3.0
"""A worker that lives has renewed its lease so long after the server is back: it tries to connect four times a second,
and renews when it is connected."""


class Remembered(NamedTuple):
    """The last that a worker said of itself, which outlives its lease."""

    record: WorkerRecord
    stored_ns: int
    """When, by the clock of the server."""


class WorkerStatus(Struct, frozen=True, kw_only=True):
    """A worker at one moment."""

    worker_id: str
    state: str
    """As its record says, or ``lost``."""
    record: WorkerRecord
    """What it says of itself, or said last."""
    seen_ns: int
    """When it said so, by the clock of the server."""

    @property
    def is_active(self) -> bool:
        """Whether it lives and has not stopped."""
        return self.state not in (LOST, WorkerState.STOPPED)

    @property
    def held_job_ids(self) -> tuple[str, ...]:
        """The jobs that were in the hands of one that is lost, 100 at most; others get them."""
        return self.record.running_job_ids if self.state == LOST else ()


class Roll(NamedTuple):
    """The workers that are known of, by name."""

    workers: tuple[WorkerStatus, ...]
    unsure: tuple[WorkerRecord, ...] = ()
    """Those who are left out, as they may come back: the server may have been away until just now."""


def is_lost(*, stopped: bool, steady_s: float) -> bool:
    """Whether a worker whose lease is gone is lost.

    Args:
        stopped: whether it said that it has stopped.
        steady_s: for how long the server has been there without a break, as far as is known.
    """
    return not stopped and steady_s >= RETURN_S


def roll_call(leases: Iterable[WorkerRecord], remembered: Iterable[Remembered], *, steady_s: float) -> Roll:
    """What stands of all workers.

    Args:
        leases: of those that live.
        remembered: the last of each, those that live among them.
        steady_s: see `is_lost`.
    """
    found = {
        record.worker_id: WorkerStatus(
            worker_id=record.worker_id,
            state=record.state.value,
            record=record,
            seen_ns=record.on_server(record.beat_at_ns),
        )
        for record in leases
    }
    unsure = []
    for record, stored_ns in remembered:
        if record.worker_id in found:
            continue
        stopped = record.state is WorkerState.STOPPED
        if not stopped and not is_lost(stopped=False, steady_s=steady_s):
            unsure.append(record)
            continue
        found[record.worker_id] = WorkerStatus(
            worker_id=record.worker_id,
            state=record.state.value if stopped else LOST,
            record=record,
            seen_ns=stored_ns,
        )
    return Roll(tuple(found[name] for name in sorted(found)), tuple(unsure))
