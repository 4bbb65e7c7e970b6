"""What a worker says of itself, written and read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naq_runtime.errors import SerializationError
from naq_runtime.naming import check_name
from naq_runtime.worker.portrait import default_worker_name
from naq_runtime.worker.record import WorkerRecord, WorkerState, decode_worker, encode_worker
from tests.unit.samples import token

RECORD = WorkerRecord(
    worker_id="w1",
    state=WorkerState.BUSY,
    hostname="build-7",
    pid=42,
    queue_names=("mail", "reports"),
    concurrency_limit=10,
    started_at_ns=1,
    beat_at_ns=2,
    heartbeat_interval=5.0,
)


@given(st.sampled_from(WorkerState), st.lists(token, max_size=3), st.integers(0, 10**6), st.floats(0, 1e6))
def test_a_record_comes_back_as_it_went(state: WorkerState, queues: list[str], done: int, cpu: float) -> None:
    record = WorkerRecord(
        worker_id="w1",
        state=state,
        hostname="h",
        pid=1,
        queue_names=tuple(queues),
        concurrency_limit=1,
        started_at_ns=1,
        beat_at_ns=2,
        heartbeat_interval=0.5,
        jobs_completed=done,
        cpu_percent=cpu,
    )
    assert decode_worker(encode_worker(record)) == record


def test_what_has_nothing_to_say_is_left_out() -> None:
    assert json.loads(encode_worker(RECORD)) == {
        "worker_id": "w1",
        "state": "busy",
        "hostname": "build-7",
        "pid": 42,
        "queue_names": ["mail", "reports"],
        "concurrency_limit": 10,
        "started_at_ns": 1,
        "beat_at_ns": 2,
        "heartbeat_interval": 5.0,
    }


def test_fields_of_a_newer_worker_are_passed_over() -> None:
    written = json.loads(encode_worker(RECORD)) | {"mood": "good"}
    assert decode_worker(json.dumps(written).encode()) == RECORD


@given(st.binary(max_size=100))
def test_random_bytes_are_refused_in_one_way(data: bytes) -> None:
    with pytest.raises(SerializationError, match="not a worker's record: "):
        decode_worker(data)


@pytest.mark.parametrize("host", ["build-7", "Ada's MacBook.local", "", "日本", "a" * 200, "x.y.z"])
def test_the_name_made_from_any_host_can_be_on_the_wire(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: host)

    name = default_worker_name()

    assert check_name("worker", name) == name


def test_two_workers_of_one_process_have_different_names() -> None:
    assert default_worker_name() != default_worker_name()
