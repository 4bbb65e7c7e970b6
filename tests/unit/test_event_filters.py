"""Filters as values: by text, by field and by both; and where the events are stored that they let through."""

from __future__ import annotations

import pickle
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from naq_runtime.errors import FilterError
from naq_runtime.events.codec import event_subject
from naq_runtime.events.filters import EventFilter
from naq_runtime.events.models import Event, JobEventType, OtherEvent, ScheduleEvent, ScheduleEventType, WorkerEventType
from naq_runtime.naming import Names
from tests.unit.samples import a_job_event, a_system_event, a_worker_event

NAMES = Names("naq")

few = st.sampled_from(["a", "b"])


def a_schedule_event(event_type: ScheduleEventType = ScheduleEventType.TRIGGERED, **fields: Any) -> ScheduleEvent:
    """An event of a schedule."""
    return ScheduleEvent(event_type=event_type, timestamp_ns=1, event_id="e-1", schedule_id="s1", **fields)


conditions = st.sampled_from(
    [
        *(
            "job:a",
            "job:a,b",
            "queue:a",
            "queue:b",
            "type:started",
            "type:failed,busy",
            "type:connection_lost",
            "worker:a",
        ),
        *(
            "schedule:a",
            "instance:b",
            "category:job",
            "category:worker,system",
            "event:a",
            "cpu>5",
            "attempt:1",
            "tick:1",
        ),
        *("queue:*", "type:s*", "text", "/e/", 'category:"new"', "time>2020-01-01"),
    ]
)
texts = st.recursive(
    conditions,
    lambda inner: (
        inner.map("!({})".format)
        | st.lists(inner, min_size=2, max_size=3).map(lambda parts: "(" + " ".join(parts) + ")")
        | st.lists(inner, min_size=2, max_size=3).map(lambda parts: "(" + " OR ".join(parts) + ")")
    ),
    max_leaves=6,
)
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        a_job_event,
        st.sampled_from([JobEventType.STARTED, JobEventType.FAILED]),
        job_id=few,
        queue_name=few,
        worker_id=st.none() | few,
        attempt=st.none() | st.just(1),
        event_id=few,
    ),
    st.builds(
        a_worker_event,
        st.sampled_from([WorkerEventType.STARTED, WorkerEventType.BUSY]),
        worker_id=few,
        queue_names=st.lists(few, unique=True).map(tuple),
        cpu_percent=st.none() | st.just(7.0),
    ),
    st.builds(
        ScheduleEvent,
        event_type=st.sampled_from([ScheduleEventType.TRIGGERED, ScheduleEventType.SCHEDULED]),
        timestamp_ns=st.just(1),
        event_id=few,
        schedule_id=few,
        queue_name=few,
        job_id=st.none() | few,
        tick=st.just(1),
    ),
    st.builds(a_system_event, instance=few, queue_name=st.none() | few),
)


def _other(category: str, about: str, event_type: str, event_id: str) -> tuple[str, OtherEvent]:
    event = OtherEvent(timestamp_ns=10**18, event_type=event_type, category=category, event_id=event_id)
    return f"naq.events.{category}.{about}.{event_type}.{event_id}", event


others = st.builds(
    _other, st.sampled_from(["worker", "system", "new"]), few, st.sampled_from(["started", "newer"]), few
) | st.builds(_other, st.just("job"), few.map("{}.a".format), st.sampled_from(["started", "newer"]), few)
"""Events of kinds that are not known, with their subjects."""


def takes_in(pattern: str, subject: str) -> bool:
    """Whether a subscription to the pattern would be given the subject."""
    wanted, tokens = pattern.split("."), subject.split(".")
    if wanted[-1] == ">":
        return len(tokens) >= len(wanted) and takes_in(".".join(wanted[:-1]), ".".join(tokens[: len(wanted) - 1]))
    return len(wanted) == len(tokens) and all(one in ("*", other) for one, other in zip(wanted, tokens, strict=True))


class TestWhereTheyAreStored:
    @given(texts, events)
    @example("queue:a", a_worker_event(queue_names=("a",)))
    @example("type:started OR worker:a", a_worker_event(WorkerEventType.STARTED, worker_id="a"))
    def test_every_event_that_matches_is_stored_under_one_of_the_subjects(self, text: str, event: Event) -> None:
        wanted = EventFilter(text)

        under = [s for s in wanted.subjects(NAMES) if takes_in(s, event_subject(NAMES, event))]

        assert len(under) <= 1
        if wanted.matches(event):
            assert under

    @given(texts, others)
    def test_nor_is_one_of_a_kind_that_is_not_known_yet_stored_elsewhere(
        self, text: str, other: tuple[str, OtherEvent]
    ) -> None:
        wanted, (subject, event) = EventFilter(text), other

        under = [s for s in wanted.subjects(NAMES) if takes_in(s, subject)]

        assert len(under) <= 1
        if wanted.matches(event):
            assert under

    def test_an_event_of_a_kind_that_is_not_known_is_not_left_out(self) -> None:
        event = OtherEvent(timestamp_ns=1, event_type="started", category="robot", event_id="e")
        for text in ("type:started", "time>1970-01-01T00:00Z", 'category:"robot"'):
            subjects = EventFilter(text).subjects(NAMES)
            assert any(takes_in(subject, "naq.events.robot.r1.started.e") for subject in subjects)
        assert EventFilter("type:started").matches(event)

    @pytest.mark.parametrize(
        ("text", "subjects"),
        [
            ("", ["naq.events.>"]),
            ("job:j1", ["naq.events.job.j1.*.*.*"]),
            ("job:j1 type:failed", ["naq.events.job.j1.*.failed.*"]),
            ("job:j1,j2 queue:mail", ["naq.events.job.j1.mail.*.*", "naq.events.job.j2.mail.*.*"]),
            ("job:j1 OR job:j2", ["naq.events.job.j1.*.*.*", "naq.events.job.j2.*.*.*"]),
            ("type:failed", ["naq.events.job.*.*.failed.*", "naq.events.*.*.failed.*"]),
            ("type:failed attempt>1", ["naq.events.job.*.*.failed.*"]),
            ("worker:w1", ["naq.events.job.*.*.*.*", "naq.events.worker.w1.*.*"]),
            ("worker:w1 category:worker", ["naq.events.worker.w1.*.*"]),
            ("schedule:s1 type:schedule_missed", ["naq.events.schedule.s1.schedule_missed.*"]),
            ("queue:mail category:job", ["naq.events.job.*.mail.*.*"]),
            ("queue:mail*", ["naq.events.job.*.*.*.*", "naq.events.schedule.*.*.*", "naq.events.system.*.*.*"]),
            ("!job:j1", ["naq.events.>"]),
            ("text", ["naq.events.>"]),
            ("job:j1 OR text", ["naq.events.>"]),
            ("job:j1 job:j2", []),
            ("attempt>1 cpu>5", []),
        ],
    )
    def test_a_filter_is_narrowed_to_the_subjects_that_can_have_it(self, text: str, subjects: list[str]) -> None:
        assert sorted(EventFilter(text).subjects(NAMES)) == sorted(subjects)

    def test_what_would_need_very_many_subjects_is_looked_for_everywhere(self) -> None:
        jobs = ",".join(f"j{number}" for number in range(40))
        assert EventFilter(f"job:{jobs}").subjects(NAMES) == ("naq.events.>",)
        assert EventFilter(f"job:{jobs} category:job").subjects(NAMES) == ("naq.events.job.*.*.*.*",)

    def test_very_many_values_of_several_fields_are_not_multiplied(self) -> None:
        names = [f"n{number}" for number in range(5_000)]
        began = time.process_time()

        assert EventFilter(job_id=names, queue_name=names, event_id=names).subjects(NAMES) == ("naq.events.>",)

        assert time.process_time() - began < 2


class TestValues:
    def test_text_and_fields_are_two_ways_to_the_same_value(self) -> None:
        by_text = EventFilter("queue:mail worker:w-1* attempt:2")

        assert EventFilter({"queue_name": "mail", "worker_id": "w-1*", "attempt": 2}) == by_text
        assert EventFilter(queue_name="mail", worker_id="w-1*", attempt=2) == by_text
        assert EventFilter("queue:mail", worker_id="w-1*", attempt="2") == by_text
        assert EventFilter(by_text) == by_text

    def test_several_values_are_alternatives(self) -> None:
        assert EventFilter(event_type=["failed", "timed_out"]) == EventFilter("type:failed,timed_out")
        assert EventFilter(event_type=JobEventType.FAILED) == EventFilter("type:failed")

    def test_what_is_not_given_is_not_asked_for(self) -> None:
        assert EventFilter(job_id=None, queue_name=None).is_empty
        assert not EventFilter(event_type="failed").is_empty

    def test_values_of_programs_are_in_the_units_of_the_models(self) -> None:
        assert EventFilter(duration_ms=1_500) == EventFilter("duration:1500ms")
        assert EventFilter(retry_delay=5) == EventFilter("delay:5s")
        assert EventFilter(rss_bytes=2_000) == EventFilter("rss:2kB")
        assert EventFilter(final=True) == EventFilter("final:true")
        assert EventFilter(timestamp_ns=1_700_000_000_000_000_000).matches(
            a_job_event(timestamp_ns=1_700_000_000_000_000_000)
        )

    def test_a_text_of_a_program_needs_no_quotes(self) -> None:
        assert EventFilter(error='no "such, file').matches(a_job_event(error_message='there is no "such, file'))
        assert str(EventFilter(error="no such*")) == 'error:"no such*"'

    @pytest.mark.parametrize(
        ("wanted", "reason"),
        [
            ({"jobid": "j1"}, "unknown field 'jobid', did you mean job_id?"),
            ({"job_id": "j.1"}, "job_id: job id 'j.1' is not a valid name"),
            ({"job_id": ""}, "job_id: job id '' is not a valid name"),
            ({"event_type": "faild"}, "event_type: unknown type 'faild', did you mean failed?"),
            ({"attempt": "x"}, "attempt: expected a number"),
            ({"attempt": True}, "attempt: attempt is a number, found True"),
            ({"queue_name": 5}, "queue_name: queue_name is a name, found 5"),
            ({"queue_name": []}, "queue_name: expected at least one value"),
            ({"by": ""}, "by: expected some text"),
            ({"attempt": float("nan")}, "attempt: expected a smaller number"),
            ({"attempt": 10**400}, "attempt: expected a smaller number"),
            ({"timestamp_ns": float("inf")}, "timestamp_ns: expected a smaller number"),
            ({"timestamp_ns": "-10m"}, "timestamp_ns: expected nanoseconds since 1970"),
            (5, "a filter is a text, or values by field, got 5"),
        ],
    )
    def test_what_cannot_be_is_refused(self, wanted: Any, reason: str) -> None:
        with pytest.raises(FilterError) as caught:
            EventFilter(wanted)
        assert str(caught.value).startswith(reason)

    def test_a_filter_is_a_value(self) -> None:
        wanted = EventFilter("queue:mail duration>5s")

        assert wanted in {EventFilter("queue:mail duration>5s")}
        assert wanted != EventFilter("duration>5s")
        assert pickle.loads(pickle.dumps(wanted)) == wanted
        assert repr(wanted) == "EventFilter('queue:mail duration>5s')"
        with pytest.raises(AttributeError, match="does not change"):
            wanted.node = wanted.node
