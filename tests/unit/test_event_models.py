"""Events as they are written: one JSON object each, without what has nothing to say."""

from __future__ import annotations

import json

import pytest
from hypothesis import given

from naq_runtime.events.codec import encode_event
from naq_runtime.events.models import (
    SCHEMA_VERSION,
    AlertEvent,
    AlertEventType,
    Event,
    JobEvent,
    JobEventType,
    OtherEvent,
    SystemEvent,
    SystemEventType,
    WorkerEvent,
    WorkerEventType,
)
from tests.unit.samples import a_job_event, a_system_event, a_worker_event, any_event


def test_an_event_of_a_job_is_one_flat_json_object() -> None:
    event = JobEvent(
        event_type=JobEventType.FAILED,
        timestamp_ns=1_700_000_000_123_456_789,
        event_id="i1-7",
        job_id="j1",
        queue_name="mail",
        function_name="shop.send",
        worker_id="w1",
        attempt=1,
        duration_ms=1.5,
        error_type="ValueError",
        error_message="no such page",
        final=True,
    )

    assert json.loads(encode_event(event)) == {
        "category": "job",
        "timestamp_ns": 1_700_000_000_123_456_789,
        "event_id": "i1-7",
        "v": 1,
        "event_type": "failed",
        "job_id": "j1",
        "queue_name": "mail",
        "function_name": "shop.send",
        "worker_id": "w1",
        "attempt": 1,
        "duration_ms": 1.5,
        "error_type": "ValueError",
        "error_message": "no such page",
        "final": True,
    }


def test_an_event_of_a_worker_is_one_json_object() -> None:
    event = WorkerEvent(
        event_type=WorkerEventType.HEARTBEAT, timestamp_ns=1, worker_id="w1", queue_names=("a", "b"), active_jobs=0
    )

    assert json.loads(encode_event(event)) == {
        "category": "worker",
        "timestamp_ns": 1,
        "v": 1,
        "event_type": "heartbeat",
        "worker_id": "w1",
        "queue_names": ["a", "b"],
        "active_jobs": 0,
    }


def test_an_event_of_a_process_is_one_json_object() -> None:
    event = SystemEvent(
        event_type=SystemEventType.EVENTS_DROPPED, timestamp_ns=1, instance="i1", dropped={"job.started": 3}
    )

    assert json.loads(encode_event(event)) == {
        "category": "system",
        "timestamp_ns": 1,
        "v": 1,
        "event_type": "events_dropped",
        "instance": "i1",
        "dropped": {"job.started": 3},
    }


@given(any_event())
def test_version_category_type_and_time_are_always_there_and_nothing_is_null(event: Event) -> None:
    written = json.loads(encode_event(event))

    assert written["v"] == SCHEMA_VERSION == event.v
    assert written["category"] in ("job", "worker", "system", "alert")
    assert written["event_type"] == event.event_type
    assert written["timestamp_ns"] == event.timestamp_ns
    assert None not in written.values()


def test_zero_is_something_to_say() -> None:
    written = json.loads(encode_event(a_job_event(result_size=0, attempt=0, wait_ms=0.0, final=False, args_count=0)))
    assert [written[key] for key in ("result_size", "attempt", "wait_ms", "final", "args_count")] == [0, 0, 0, False, 0]


@pytest.mark.parametrize("make", [a_job_event, a_worker_event, a_system_event])
def test_the_time_is_seconds_too(make: type) -> None:
    assert make(timestamp_ns=1_500_000_000).timestamp == 1.5


def test_the_time_of_an_event_of_an_unknown_kind_is_seconds_too() -> None:
    assert OtherEvent(timestamp_ns=2_500_000_000, event_type="x").timestamp == 2.5


def test_an_event_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        a_job_event().job_id = "other"  # type: ignore[misc]  # that is the point


def test_types_compare_as_text() -> None:
    assert JobEventType("result_stored") == str(JobEventType.RESULT_STORED) == "result_stored"
    assert f"{WorkerEventType.BUSY}" == "busy"


def test_how_severe_an_alert_is_is_written_even_when_it_is_as_severe_as_most() -> None:
    event = AlertEvent(event_type=AlertEventType.FIRING, alert="late", timestamp_ns=1)

    assert json.loads(encode_event(event))["severity"] == "warning"
