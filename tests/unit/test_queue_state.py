"""What waits and what runs, by what the server counts and the workers say."""

from __future__ import annotations

from typing import Any

import pytest

from naq_runtime.nats.state import queue_state
from naq_runtime.snapshot import QueueState
from naq_runtime.worker.record import WorkerRecord, WorkerState
from tests.unit.test_roll import record


def mail(*workers: WorkerRecord, pending: int = 100, delivered: int = 0, **info: Any) -> QueueState:
    """The queue that all workers here take jobs of, unless they say otherwise."""
    return queue_state("mail", {"config": {}, "num_pending": pending, "num_ack_pending": delivered} | info, workers)


def test_what_was_fetched_ahead_waits() -> None:
    state = mail(record("a", running_by_queue={"mail": 5}), delivered=126)

    assert (state.waiting, state.running) == (221, 5)


def test_what_ended_since_a_worker_said_what_runs_does_not_run() -> None:
    state = mail(record("a", running_by_queue={"mail": 5}), pending=0, delivered=2)

    assert (state.waiting, state.running) == (0, 2)


def test_what_runs_of_other_queues_does_not_count() -> None:
    state = mail(record("a", running_by_queue={"news": 3, "mail": 1}), delivered=10)

    assert (state.waiting, state.running) == (109, 1)


@pytest.mark.parametrize("workers", [[], [record("a", WorkerState.STOPPED, running_by_queue={"mail": 4})]])
def test_what_is_with_nobody_who_lives_waits(workers: list[WorkerRecord]) -> None:
    state = mail(*workers, delivered=13)

    assert (state.waiting, state.running, state.workers) == (113, 0, 0)
