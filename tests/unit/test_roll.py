"""Who of the workers is there, who has stopped, and who is lost."""

from __future__ import annotations

from typing import Any

import pytest

from naq_runtime.worker.record import WorkerRecord, WorkerState
from naq_runtime.worker.roll import RETURN_S, Remembered, roll_call

LONG_S = 3600.0


def record(name: str, state: WorkerState = WorkerState.BUSY, **fields: Any) -> WorkerRecord:
    return WorkerRecord(
        worker_id=name,
        state=state,
        hostname="host-a",
        pid=1,
        queue_names=("mail",),
        concurrency_limit=4,
        started_at_ns=1,
        beat_at_ns=2_000_000_000,
        heartbeat_interval=5.0,
        **fields,
    )


def states(leases: list[WorkerRecord], remembered: list[WorkerRecord], steady_s: float = LONG_S) -> dict[str, str]:
    roll = roll_call(leases, [Remembered(one, 7) for one in remembered], steady_s=steady_s)
    return {one.worker_id: one.state for one in roll.workers}


def test_who_has_a_lease_is_as_the_lease_says_whatever_is_remembered() -> None:
    assert states([record("a", WorkerState.IDLE)], [record("a", WorkerState.STOPPED)]) == {"a": "idle"}


def test_who_has_none_and_said_nothing_is_lost_with_what_it_held() -> None:
    (lost,) = roll_call([], [Remembered(record("a", running_job_ids=("j1", "j2")), 7)], steady_s=LONG_S).workers

    assert (lost.state, lost.held_job_ids, lost.seen_ns, lost.is_active) == ("lost", ("j1", "j2"), 7, False)


def test_who_said_that_it_has_stopped_is_not_lost_and_held_nothing() -> None:
    (gone,) = roll_call(
        [], [Remembered(record("a", WorkerState.STOPPED, running_job_ids=("j1",)), 7)], steady_s=0
    ).workers

    assert (gone.state, gone.held_job_ids, gone.is_active) == ("stopped", (), False)


@pytest.mark.parametrize(("steady_s", "expected"), [(RETURN_S - 0.1, {}), (RETURN_S, {"a": "lost"})])
def test_nobody_is_lost_before_the_server_has_been_there_for_long_enough_to_come_back(
    steady_s: float, expected: dict[str, str]
) -> None:
    assert states([], [record("a")], steady_s) == expected
    assert roll_call([], [Remembered(record("a"), 7)], steady_s=steady_s).unsure == (() if expected else (record("a"),))


def test_when_somebody_was_seen_is_by_the_clock_of_the_server() -> None:
    (one,) = roll_call([record("a", clock_skew_ms=1_500.0)], [], steady_s=0).workers

    assert one.seen_ns == 500_000_000
