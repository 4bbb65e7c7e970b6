"""Events, and how to make them up."""

from __future__ import annotations

from itertools import count
from typing import Any

from hypothesis import strategies as st

from naq_runtime.events.models import (
    AlertEvent,
    AlertEventType,
    Event,
    JobEvent,
    JobEventType,
    SystemEvent,
    SystemEventType,
    WorkerEvent,
    WorkerEventType,
)

__all__ = ["a_job_event", "a_system_event", "a_worker_event", "any_event", "json_value", "token"]

_NUMBERS = count(1)
_STRINGS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_COUNTS = st.none() | st.integers(0, 2**63 - 1)
_FLOATS = st.none() | st.floats(allow_nan=False, allow_infinity=False)

token = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
"""What can stand as one token of a subject."""

json_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _STRINGS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_STRINGS, inner, max_size=4),
    max_leaves=12,
)
"""Whatever JSON can say."""


def a_job_event(event_type: JobEventType = JobEventType.STARTED, **fields: Any) -> JobEvent:
    """An event of a job, with an id of its own."""
    usual: dict[str, Any] = {
        "timestamp_ns": 1_000,
        "job_id": "j1",
        "queue_name": "q1",
        "event_id": f"e-{next(_NUMBERS)}",
    }
    return JobEvent(event_type=event_type, **(usual | fields))


def a_worker_event(event_type: WorkerEventType = WorkerEventType.HEARTBEAT, **fields: Any) -> WorkerEvent:
    """An event of a worker, with an id of its own."""
    usual: dict[str, Any] = {"timestamp_ns": 1_000, "worker_id": "w1", "event_id": f"e-{next(_NUMBERS)}"}
    return WorkerEvent(event_type=event_type, **(usual | fields))


def a_system_event(event_type: SystemEventType = SystemEventType.CONNECTION_LOST, **fields: Any) -> SystemEvent:
    """An event of a process, with an id of its own."""
    usual: dict[str, Any] = {"timestamp_ns": 1_000, "instance": "i1", "event_id": f"e-{next(_NUMBERS)}"}
    return SystemEvent(event_type=event_type, **(usual | fields))


def any_event() -> st.SearchStrategy[Event]:
    """Any event that may be written."""
    common = {"timestamp_ns": st.integers(0, 2**63 - 1), "event_id": token}
    return st.one_of(
        st.builds(
            JobEvent,
            event_type=st.sampled_from(JobEventType),
            job_id=token,
            queue_name=token,
            worker_id=st.none() | token,
            function_name=st.none() | _STRINGS,
            attempt=_COUNTS,
            wait_ms=_FLOATS,
            error_message=st.none() | _STRINGS,
            final=st.none() | st.booleans(),
            **common,
        ),
        st.builds(
            WorkerEvent,
            event_type=st.sampled_from(WorkerEventType),
            worker_id=token,
            queue_names=st.lists(token, max_size=3).map(tuple),
            active_jobs=_COUNTS,
            cpu_percent=_FLOATS,
            **common,
        ),
        st.builds(
            SystemEvent,
            event_type=st.sampled_from(SystemEventType),
            instance=token,
            outage_ms=_FLOATS,
            dropped=st.none() | st.dictionaries(_STRINGS, st.integers(0, 10**9), max_size=3),
            **common,
        ),
        st.builds(
            AlertEvent,
            event_type=st.sampled_from(AlertEventType),
            alert=token,
            rule=_STRINGS,
            labels=st.none() | st.dictionaries(_STRINGS, _STRINGS, max_size=3),
            value=_FLOATS,
            since_ns=_COUNTS,
            **common,
        ),
    )
