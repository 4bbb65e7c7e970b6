"""Which events are wanted, by what they say and by where they are stored."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from naq_runtime.errors import InvalidName
from naq_runtime.events.codec import event_subject
from naq_runtime.events.filters import EventFilter
from naq_runtime.events.models import Event, JobEventType, OtherEvent, WorkerEventType
from naq_runtime.naming import Names
from tests.unit.samples import a_job_event, a_system_event, a_worker_event

NAMES = Names("naq")

few = st.sampled_from(["a", "b"])
types = st.sampled_from(["started", "failed", "busy", "connection_lost"])
filters = st.builds(
    EventFilter,
    job_id=st.none() | few,
    event_type=st.none() | types,
    queue_name=st.none() | few,
    worker_id=st.none() | few,
)
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        a_job_event,
        st.sampled_from([JobEventType.STARTED, JobEventType.FAILED]),
        job_id=few,
        queue_name=few,
        worker_id=st.none() | few,
    ),
    st.builds(
        a_worker_event,
        st.sampled_from([WorkerEventType.STARTED, WorkerEventType.BUSY]),
        worker_id=few,
        queue_names=st.lists(few, unique=True).map(tuple),
    ),
    st.builds(a_system_event, instance=few),
)


def takes_in(pattern: str, subject: str) -> bool:
    """Whether a subscription to the pattern would be given the subject."""
    wanted, tokens = pattern.split("."), subject.split(".")
    if wanted[-1] == ">":
        return len(tokens) >= len(wanted) and takes_in(".".join(wanted[:-1]), ".".join(tokens[: len(wanted) - 1]))
    return len(wanted) == len(tokens) and all(one in ("*", other) for one, other in zip(wanted, tokens, strict=True))


@given(filters, events)
@example(EventFilter(queue_name="a"), a_worker_event(queue_names=("a",)))
def test_every_event_that_matches_is_stored_under_the_subject_of_the_filter(wanted: EventFilter, event: Event) -> None:
    if wanted.matches(event):
        assert takes_in(wanted.subject(NAMES), event_subject(NAMES, event))


@given(events)
def test_without_anything_given_every_event_matches(event: Event) -> None:
    assert EventFilter().matches(event)


def test_only_a_filter_of_nothing_is_empty() -> None:
    assert EventFilter().is_empty
    assert not EventFilter(event_type="failed").is_empty


def test_a_job_is_found_by_its_id() -> None:
    wanted = EventFilter(job_id="j1")

    assert wanted.matches(a_job_event(job_id="j1"))
    assert not wanted.matches(a_job_event(job_id="j2"))
    assert not wanted.matches(a_worker_event(worker_id="j1", running_job_ids=("j1",)))
    assert not wanted.matches(a_system_event(instance="j1"))


def test_a_type_is_found_in_every_category() -> None:
    wanted = EventFilter(event_type="started")

    assert wanted.matches(a_job_event(JobEventType.STARTED))
    assert wanted.matches(a_worker_event(WorkerEventType.STARTED))
    assert wanted.matches(OtherEvent(timestamp_ns=1, event_type="started", category="schedule"))
    assert not wanted.matches(a_job_event(JobEventType.FAILED))


def test_a_worker_is_found_by_its_own_events_and_by_those_of_its_jobs() -> None:
    wanted = EventFilter(worker_id="w1")

    assert wanted.matches(a_worker_event(worker_id="w1"))
    assert wanted.matches(a_job_event(worker_id="w1"))
    assert not wanted.matches(a_job_event(worker_id=None))
    assert not wanted.matches(a_worker_event(worker_id="w2"))
    assert not wanted.matches(a_system_event())


def test_a_queue_is_found_by_its_jobs_and_not_by_the_workers_that_serve_it() -> None:
    wanted = EventFilter(queue_name="mail")

    assert wanted.matches(a_job_event(queue_name="mail"))
    assert not wanted.matches(a_job_event(queue_name="reports"))
    assert not wanted.matches(a_worker_event(queue_names=("reports", "mail")))
    assert not wanted.matches(a_system_event())


def test_all_that_is_given_must_hold() -> None:
    wanted = EventFilter(job_id="j1", event_type="failed", queue_name="mail", worker_id="w1")
    given = {"job_id": "j1", "queue_name": "mail", "worker_id": "w1"}

    assert wanted.matches(a_job_event(JobEventType.FAILED, **given))
    for other in ({"job_id": "j2"}, {"queue_name": "q2"}, {"worker_id": "w2"}):
        assert not wanted.matches(a_job_event(JobEventType.FAILED, **(given | other)))
    assert not wanted.matches(a_job_event(JobEventType.STARTED, **given))


@pytest.mark.parametrize(
    ("wanted", "subject"),
    [
        (EventFilter(), "naq.events.>"),
        (EventFilter(event_type="failed"), "naq.events.>"),
        (EventFilter(worker_id="w1"), "naq.events.>"),
        (EventFilter(job_id="j1"), "naq.events.job.j1.*.*.*"),
        (EventFilter(job_id="j1", event_type="failed"), "naq.events.job.j1.*.failed.*"),
        (EventFilter(job_id="j1", queue_name="mail"), "naq.events.job.j1.mail.*.*"),
    ],
)
def test_a_filter_is_narrowed_to_a_subject_where_one_can_do_it(wanted: EventFilter, subject: str) -> None:
    assert wanted.subject(NAMES) == subject


@pytest.mark.parametrize("field", ["job_id", "event_type", "queue_name", "worker_id"])
@pytest.mark.parametrize("value", ["", "*", ">", "a.b", "a b"])
def test_a_value_that_cannot_be_on_the_wire_is_refused(field: str, value: str) -> None:
    with pytest.raises(InvalidName):
        EventFilter(**{field: value})
