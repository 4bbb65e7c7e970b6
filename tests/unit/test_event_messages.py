"""One line of text for each event."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from naq_runtime.events.codec import decode_event, event_key
from naq_runtime.events.messages import duration_text, rhythm_text, size_text
from naq_runtime.events.models import (
    AlertEvent,
    AlertEventType,
    Event,
    JobEvent,
    JobEventType,
    ScheduleEvent,
    ScheduleEventType,
    SystemEvent,
    SystemEventType,
    WorkerEvent,
    WorkerEventType,
)
from tests.unit.samples import a_job_event, a_system_event, a_worker_event

J, W, S = JobEventType, WorkerEventType, SystemEventType
SEND = {"function_name": "shop.send"}
HOST: dict[str, Any] = {"hostname": "build-7", "pid": 42}


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (a_job_event(J.ENQUEUED, **SEND), "shop.send"),
        (a_job_event(J.STARTED, **SEND, attempt=1, wait_ms=12.4), "shop.send, waited 12 ms"),
        (a_job_event(J.STARTED, **SEND, attempt=3, wait_ms=0.44), "shop.send, attempt 3, waited 0.4 ms"),
        (a_job_event(J.STARTED, **SEND), "shop.send"),
        (a_job_event(J.COMPLETED, **SEND, attempt=1, duration_ms=3210.0), "shop.send, took 3.21 s"),
        (
            a_job_event(J.FAILED, error_type="KeyError", error_message="'page'", attempt=2, duration_ms=250.0),
            "KeyError: 'page', attempt 2, after 250 ms",
        ),
        (a_job_event(J.FAILED, error_type="KeyError"), "KeyError"),
        (a_job_event(J.FAILED, error_message="no type"), "no type"),
        (a_job_event(J.INTERRUPTED, **SEND, attempt=1, reason="SIGTERM"), "shop.send, SIGTERM"),
        (a_job_event(J.RESULT_STORED, result_size=1_536), "1.5 kB"),
        (a_job_event(J.RESULT_STORED), "0 B"),
        (a_job_event(J.RESULT_FETCHED, **SEND, by="i7"), "shop.send, by i7"),
        (a_job_event(J.RESULT_EXPIRED), ""),
        (a_worker_event(W.STARTED, **HOST, queue_names=("mail", "reports")), "build-7:42, queues mail reports"),
        (a_worker_event(W.STOPPED, reason="SIGTERM", jobs_completed=7, jobs_failed=1), "SIGTERM, 7 done, 1 failed"),
        (a_worker_event(W.STOPPED), "0 done, 0 failed"),
        (a_worker_event(W.BUSY, active_jobs=1, concurrency_limit=10), "1/10 running"),
        (a_worker_event(W.IDLE, active_jobs=0, concurrency_limit=10), "0/10 running"),
        (a_worker_event(W.HEARTBEAT, active_jobs=3), "3/? running"),
        (a_worker_event(W.HEARTBEAT), ""),
        (a_worker_event(W.LOST, **HOST, active_jobs=1), "build-7:42, with 1 job"),
        (a_worker_event(W.LOST, **HOST), "build-7:42, with 0 jobs"),
        (a_worker_event(W.ERROR, error_type="OSError", error_message="disk full"), "OSError: disk full"),
        (a_system_event(S.STARTUP, **HOST, role="worker", version="1.2"), "worker on build-7:42, version 1.2"),
        (a_system_event(S.SHUTDOWN, **HOST, role="worker", reason="SIGTERM"), "worker on build-7:42, SIGTERM"),
        (
            a_system_event(S.METRICS, **HOST, cpu_percent=12.4, rss_bytes=85_300_000, open_files=9, loop_lag_ms=1.2),
            "process on build-7:42, 12 % cpu, 85.3 MB, 9 files, lag 1.2 ms",
        ),
        (a_system_event(S.METRICS, role="worker", events_dropped=3), "worker, 3 events dropped"),
        (
            a_system_event(S.ERROR, role="worker", part="events", error_type="ServerError", error_message="full"),
            "worker, events: ServerError: full",
        ),
        (a_system_event(S.RECOVERED, role="worker", part="events", outage_ms=3_200.0), "worker, events, after 3.20 s"),
        (
            a_system_event(S.CONFIG_CHANGED, role="worker", key="worker.concurrency", old="10", new="20"),
            "worker, worker.concurrency is 20, was 10",
        ),
        (a_system_event(S.CONNECTION_LOST, **HOST, role="worker"), "worker on build-7:42"),
        (a_system_event(S.CONNECTION_LOST, **HOST), "process on build-7:42"),
        (
            a_system_event(S.CONNECTION_RESTORED, **HOST, role="worker", outage_ms=65_000.0),
            "worker on build-7:42, away for 1 m 05 s",
        ),
        (
            a_system_event(S.EVENTS_DROPPED, **HOST, role="worker", dropped={"worker.busy": 2, "job.started": 5}),
            "worker on build-7:42, 7 events dropped: job.started=5 worker.busy=2",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_type_says_what_happened(event: Event, message: str) -> None:
    assert event.message == message


BARE: list[Event] = [
    *(a_job_event(kind) for kind in JobEventType),
    *(a_worker_event(kind) for kind in WorkerEventType),
    *(a_system_event(kind) for kind in SystemEventType),
]


@pytest.mark.parametrize("event", BARE, ids=event_key)
def test_what_an_event_does_not_know_is_left_out_of_its_message(event: Event) -> None:
    assert "None" not in event.message


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0.0 ms"),
        (0.019, "19 µs"),
        (0.097, "0.1 ms"),
        (0.44, "0.4 ms"),
        (9.94, "9.9 ms"),
        (12, "12 ms"),
        (999, "999 ms"),
        (1_000, "1.00 s"),
        (3_210, "3.21 s"),
        (59_990, "59.99 s"),
        (60_000, "1 m 00 s"),
        (245_000, "4 m 05 s"),
        (3_600_000, "1 h 00 m"),
        (7_800_000, "2 h 10 m"),
        (48 * 3_600_000, "2 d 0 h"),
        (100 * 3_600_000, "4 d 4 h"),
    ],
)
def test_a_duration_is_told_in_the_unit_that_suits_it(milliseconds: float, text: str) -> None:
    assert duration_text(milliseconds) == text


@pytest.mark.parametrize(("milliseconds", "text"), [(999.7, "1.00 s"), (59_998, "1 m 00 s")])
def test_a_duration_that_rounds_up_to_the_next_unit_is_told_in_it(milliseconds: float, text: str) -> None:
    assert duration_text(milliseconds) == text


@given(st.floats(0, 1e15))
def test_a_duration_is_short(milliseconds: float) -> None:
    assert len(duration_text(milliseconds)) < 16


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (1_536, "1.5 kB"),
        (3_200_000, "3.2 MB"),
        (1_000_000_000, "1.0 GB"),
        (2_500_000_000_000, "2.5 TB"),
    ],
)
def test_a_size_is_told_in_the_unit_that_suits_it(size: int, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(("size", "text"), [(999_999, "1.0 MB"), (999_960_000, "1.0 GB")])
def test_a_size_that_rounds_up_to_the_next_unit_is_told_in_it(size: int, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.5, "0.5 s"), (2, "2 s"), (59.25, "59.25 s"), (90, "1 m 30 s"), (3600, "1 h"), (90_061, "1 d 1 h 1 m 1 s")],
)
def test_a_rhythm_is_said_as_exactly_as_it_was_given(seconds: float, text: str) -> None:
    assert rhythm_text(seconds) == text


MODELS = (
    (JobEvent, JobEventType),
    (WorkerEvent, WorkerEventType),
    (ScheduleEvent, ScheduleEventType),
    (SystemEvent, SystemEventType),
    (AlertEvent, AlertEventType),
)


@pytest.mark.parametrize("number", [0.0, -1.0, 5e-324, 1e308, -1e308])
@pytest.mark.parametrize(("model", "types"), MODELS)
def test_whatever_numbers_somebody_has_put_into_an_event_it_has_a_message(
    model: type[Event], types: type[StrEnum], number: float
) -> None:
    fields = msgspec.structs.fields(model)
    absurd = {one.name: number for one in fields if "float" in str(one.type) and "Meta" not in str(one.type)}
    named = {one.name: "a" for one in fields if one.required}

    for event_type in types:
        for unit in ("share", "seconds", "rate"):
            said = named | absurd | {"category": model.__struct_config__.tag, "event_type": event_type, "unit": unit}
            event = decode_event(msgspec.json.encode(said | {"timestamp_ns": 0}))
            assert isinstance(event, model)
            assert isinstance(event.message, str)
