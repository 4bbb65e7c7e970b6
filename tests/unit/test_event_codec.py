"""Events to JSON and back, whoever wrote them."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from naq_runtime.errors import NaqError, SerializationError
from naq_runtime.events.codec import decode_event, encode_event, event_key, event_subject
from naq_runtime.events.models import (
    Event,
    JobEvent,
    JobEventType,
    OtherEvent,
    SystemEvent,
    SystemEventType,
    WorkerEvent,
    WorkerEventType,
)
from naq_runtime.naming import Names
from tests.unit.samples import a_job_event, a_system_event, a_worker_event, any_event, json_value

NAMES = Names("team")
HEADER = {"category": "job", "timestamp_ns": 5, "event_type": "started", "v": 1}


def as_json(**fields: object) -> bytes:
    """An event as somebody else may write it."""
    return json.dumps(HEADER | fields).encode()


class TestRoundTrip:
    @given(any_event())
    def test_an_event_comes_back_as_it_went(self, event: Event) -> None:
        assert decode_event(encode_event(event)) == event

    def test_every_type_of_every_category_comes_back_as_itself(self) -> None:
        written: list[Event] = [a_job_event(kind) for kind in JobEventType]
        written += [a_worker_event(kind) for kind in WorkerEventType]
        written += [a_system_event(kind) for kind in SystemEventType]

        for event in written:
            assert decode_event(encode_event(event)) == event


class TestOtherVersions:
    def test_fields_of_a_newer_writer_are_passed_over(self) -> None:
        data = as_json(job_id="j1", queue_name="q1", v=2, mood="good", nested={"a": [1]})

        event = decode_event(data)

        assert event == JobEvent(
            event_type=JobEventType.STARTED, timestamp_ns=5, job_id="j1", queue_name="q1", v=2, event_id=""
        )

    def test_an_unknown_category_is_an_event_of_another_kind(self) -> None:
        event = decode_event(as_json(category="schedule", event_type="fired", schedule_id="s1", event_id="i-1", v=3))
        assert event == OtherEvent(timestamp_ns=5, event_type="fired", category="schedule", event_id="i-1", v=3)

    @pytest.mark.parametrize("category", ["job", "worker", "system"])
    def test_an_unknown_type_of_a_known_category_is_an_event_of_another_kind(self, category: str) -> None:
        data = as_json(
            category=category, event_type="frozen", job_id="j1", queue_name="q", worker_id="w", instance="i", v=9
        )
        assert decode_event(data) == OtherEvent(timestamp_ns=5, event_type="frozen", category=category, v=9)

    def test_a_known_event_with_a_field_of_another_form_is_an_event_of_another_kind(self) -> None:
        event = decode_event(as_json(job_id="j1", queue_name="q1", attempt="first", v=2))
        assert event == OtherEvent(timestamp_ns=5, event_type="started", category="job", v=2)

    def test_an_event_of_another_kind_says_so(self) -> None:
        event = decode_event(as_json(category="schedule", event_type="fired", v=3))
        assert event.message == "a schedule event of schema version 3, newer than this reader"

    def test_a_time_before_1970_is_read_as_1970(self) -> None:
        assert decode_event(as_json(category="x", timestamp_ns=-5)).timestamp_ns == 0

    def test_an_event_without_version_or_id_can_be_read(self) -> None:
        event = decode_event(b'{"category":"x","timestamp_ns":1,"event_type":"y"}')
        assert (event.v, event.event_id) == (0, "")


class TestGarbage:
    @given(st.binary(max_size=100))
    def test_random_bytes_are_refused_in_one_way(self, data: bytes) -> None:
        with pytest.raises(SerializationError, match="the message is not an event: "):
            decode_event(data)

    @given(st.dictionaries(st.sampled_from([*HEADER, "job_id", "queue_name", "event_id"]), json_value))
    def test_random_objects_are_read_or_refused_in_one_way(self, fields: dict[str, Any]) -> None:
        try:
            event = decode_event(msgspec.json.encode(HEADER | fields))
        except SerializationError:
            return
        assert isinstance(event, JobEvent | WorkerEvent | SystemEvent | OtherEvent)
        assert event.timestamp_ns >= 0
        assert event.message is not None

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"null",
            b"[]",
            b"{}",
            b"5",
            b'{"category":"job"}',
            b'{"category":"job","timestamp_ns":"5","event_type":"started"}',
            b'{"category":5,"timestamp_ns":5,"event_type":"started"}',
            b'{"category":"x","timestamp_ns":1e999,"event_type":"y"}',
            b'{"category":"x","timestamp_ns":1,"event_type":"\xff"}',
            b'{"category":"x","timestamp_ns":1,"event_type":"y"',
            b'{"a":' * 100_000,
            b"[" * 100_000,
        ],
        ids=lambda data: repr(data[:40]),
    )
    def test_what_is_no_event_is_refused_in_one_way(self, data: bytes) -> None:
        with pytest.raises(SerializationError, match="the message is not an event: "):
            decode_event(data)


class TestPlaces:
    def test_events_are_counted_by_category_and_type(self) -> None:
        assert event_key(a_job_event(JobEventType.RESULT_STORED)) == "job.result_stored"
        assert event_key(a_worker_event(WorkerEventType.BUSY)) == "worker.busy"
        assert event_key(a_system_event(SystemEventType.CONNECTION_LOST)) == "system.connection_lost"
        assert event_key(OtherEvent(timestamp_ns=1, event_type="fired", category="schedule")) == "schedule.fired"

    def test_an_event_is_stored_under_whom_it_is_about_what_it_is_and_its_id(self) -> None:
        job = a_job_event(JobEventType.FAILED, job_id="j1", queue_name="mail", event_id="i-1")
        worker = a_worker_event(WorkerEventType.IDLE, worker_id="w1", event_id="i-2")
        system = a_system_event(SystemEventType.CONNECTION_LOST, instance="i", event_id="i-3")

        assert event_subject(NAMES, job) == "team.events.job.j1.mail.failed.i-1"
        assert event_subject(NAMES, worker) == "team.events.worker.w1.idle.i-2"
        assert event_subject(NAMES, system) == "team.events.system.i.connection_lost.i-3"

    def test_an_event_of_an_unknown_kind_cannot_be_written(self) -> None:
        with pytest.raises(SerializationError, match="can be read, but not written"):
            event_subject(NAMES, OtherEvent(timestamp_ns=1, event_type="fired"))

    @pytest.mark.parametrize("token", ["", "a.b", "a b", "*", ">", "a\r\nPUB x 0", None])
    def test_an_event_about_something_that_cannot_be_named_on_the_wire_has_no_place(self, token: Any) -> None:
        for event in (
            a_job_event(job_id=token),
            a_job_event(queue_name=token),
            a_job_event(event_id=token),
            a_worker_event(worker_id=token),
            a_system_event(instance=token),
        ):
            with pytest.raises(NaqError):
                event_subject(NAMES, event)
