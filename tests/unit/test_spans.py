"""The spans that are made of the events of a job."""

from __future__ import annotations

from typing import Any

import pytest

from naq_runtime.events.models import Event, JobEvent, JobEventType
from naq_runtime.processors.spans import Span, is_end, spans_of

S = 1_000_000_000
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Story:
    """The events of a job, one after the other."""

    def __init__(self, job_id: str = "j1") -> None:
        self.job_id = job_id
        self.events: list[Event] = []

    def __call__(self, event_type: str, at_s: float, **fields: Any) -> Story:
        self.events.append(
            JobEvent(
                event_type=JobEventType(event_type),
                job_id=self.job_id,
                queue_name="mail",
                function_name="shop.send",
                timestamp_ns=int(at_s * S),
                event_id=f"e-{self.job_id}-{len(self.events)}",
                **fields,
            )
        )
        return self


def retried(**first: Any) -> list[Event]:
    """A job that fails once, and then not."""
    story = Story()("enqueued", 100, **first)("started", 101, wait_ms=1000.0, attempt=1, worker_id="w1")
    story("failed", 103, duration_ms=2000.0, attempt=1, error_type="LookupError", error_message="no", final=False)
    story("retry_scheduled", 103, run_at_ns=108 * S, attempt=1)
    story("started", 109, wait_ms=1000.0, attempt=2)("completed", 112, duration_ms=3000.0, attempt=2, result_size=7)
    return story("result_stored", 112, result_size=7).events


def times(spans: list[Span]) -> list[tuple[str, float, float]]:
    return sorted((span.name, span.start_ns / S, span.end_ns / S) for span in spans)


def test_a_job_is_one_trace_from_its_enqueuing_to_its_end() -> None:
    spans = spans_of(retried())

    assert times(spans) == [
        ("attempt 1", 101, 103),
        ("attempt 2", 109, 112),
        ("enqueue", 100, 100),
        ("job shop.send", 100, 112),
        ("result", 112, 112),
        ("retry delay", 103, 108),
        ("wait", 100, 101),
        ("wait", 108, 109),
    ]
    (root,) = (span for span in spans if span.parent_id is None)
    assert root.name == "job shop.send"
    assert {span.trace_id for span in spans} == {root.trace_id}
    assert {span.parent_id for span in spans if span is not root} == {root.span_id}
    assert len({span.span_id for span in spans}) == len(spans)
    assert {span.name: span.error for span in spans if span.error} == {"attempt 1": "LookupError: no"}


def test_made_again_they_are_the_same_and_those_of_another_job_are_others() -> None:
    ids = [span.span_id for span in spans_of(retried())]
    other = [span.span_id for span in spans_of(Story("j2")("enqueued", 1)("completed", 2, duration_ms=1.0).events)]

    assert ids == [span.span_id for span in spans_of(retried())]
    assert not set(ids) & set(other)


def test_to_a_trace_that_there_is_only_what_no_process_could_measure_is_added() -> None:
    spans = spans_of(retried(trace=TRACE))

    assert [name for name, *_ in times(spans)] == ["result", "retry delay", "wait", "wait"]
    assert {f"{span.trace_id:032x}" for span in spans} == {"0af7651916cd43dd8448eb211c80319c"}
    assert {f"{span.parent_id:016x}" for span in spans} == {"b7ad6b7169203331"}


def test_what_is_no_trace_context_makes_a_trace_of_its_own() -> None:
    assert len(spans_of(retried(trace="00-zz\r\n"))) == len(spans_of(retried()))


def test_a_job_that_has_not_ended_has_no_spans() -> None:
    assert spans_of(retried()[:-2]) == []
    assert spans_of([]) == []


def test_a_failure_for_good_and_a_cancellation_are_ends() -> None:
    failed = spans_of(Story()("enqueued", 1)("failed", 2, final=True, error_type="E", duration_ms=500.0).events)
    cancelled = spans_of(Story()("enqueued", 1)("cancelled", 2, state="queued").events)

    assert [(span.name, span.error) for span in failed if span.error] == [("job shop.send", "E"), ("attempt 1", "E")]
    assert [(span.name, span.error) for span in cancelled] == [("job shop.send", None), ("enqueue", None)]
    assert cancelled[0].attributes["naq.outcome"] == "cancelled"


def test_of_a_job_that_was_put_back_the_last_life_counts() -> None:
    story = Story()("enqueued", 1)("started", 2, wait_ms=1.0)("failed", 3, final=True, duration_ms=1.0)
    story("dead_lettered", 3)("requeued", 10)("started", 11, wait_ms=1.0)("completed", 12, duration_ms=1000.0)

    assert times(spans_of(story.events))[1:3] == [("enqueue", 10, 10), ("job shop.send", 10, 12)]


def test_clocks_that_disagree_make_no_span_that_ends_before_it_begins() -> None:
    story = Story()("enqueued", 10)("started", 5, wait_ms=0.0)("completed", 6, duration_ms=1e12)

    assert all(0 <= span.start_ns <= span.end_ns for span in spans_of(story.events))


def test_only_ends_are_ends() -> None:
    ends = {event.event_type for event in retried() if is_end(event)}

    assert ends == {JobEventType.COMPLETED}


def test_nothing_is_added_to_a_trace_that_was_not_sampled() -> None:
    assert spans_of(retried(trace=TRACE.removesuffix("01") + "00")) == []


def test_ids_of_zeros_are_no_trace() -> None:
    nobody = f"00-{'0' * 32}-{'0' * 16}-01"

    assert len(spans_of(retried(trace=nobody))) == len(spans_of(retried()))


@pytest.mark.parametrize("traced", [{}, {"trace": TRACE}])
def test_an_attempt_whose_worker_was_lost_ends_where_the_next_one_begins(traced: dict[str, Any]) -> None:
    story = Story()("enqueued", 1, **traced)("started", 2, attempt=1, worker_id="w1")
    story("started", 32, attempt=2, worker_id="w2")("completed", 33, attempt=2, duration_ms=1000.0)

    (lost,) = (span for span in spans_of(story.events) if span.name == "attempt 1")
    assert (lost.start_ns, lost.end_ns, lost.error) == (2 * S, 32 * S, "its worker was lost")
    assert lost.attributes["naq.worker"] == "w1"


def test_an_attempt_that_was_interrupted_is_one_without_an_error() -> None:
    story = Story()("enqueued", 1)("started", 2, attempt=1)("interrupted", 4, attempt=1)
    story("started", 5, attempt=2)("completed", 6, attempt=2, duration_ms=0.0)

    attempts = [span for span in spans_of(story.events) if span.is_consumer]
    assert times(attempts) == [("attempt 1", 2, 4), ("attempt 2", 6, 6)]
    assert [span.error for span in attempts] == [None, None]


def test_what_a_worker_could_not_tell_goes_to_the_end_of_the_job() -> None:
    story = Story()("enqueued", 1)("started", 2, attempt=1)("failed", 9, final=True, error_type="WorkerKilled")

    assert times(spans_of(story.events))[0] == ("attempt 1", 2, 9)


def test_a_job_waits_for_its_time_and_for_others() -> None:
    later = Story()("scheduled", 1, run_at_ns=5 * S)("started", 6)("completed", 7, duration_ms=1.0)
    child = Story()("waiting_for_dependencies", 1)("dependency_satisfied", 3)("dependency_satisfied", 4)
    child("started", 5)("completed", 6, duration_ms=1.0)
    cancelled = Story()("scheduled", 1, run_at_ns=500 * S)("cancelled", 3)

    assert ("delay", 1, 5) in times(spans_of(later.events))
    assert ("dependencies", 1, 4) in times(spans_of(child.events))
    assert ("delay", 1, 3) in times(spans_of(cancelled.events))


def test_a_delay_ends_by_the_clock_of_the_server() -> None:
    story = Story()("enqueued", 1)
    story("retry_scheduled", 103, run_at_ns=108 * S, clock_offset_ns=-50 * S)("completed", 60, duration_ms=1.0)

    assert ("retry delay", 53, 58) in times(spans_of(story.events))


@pytest.mark.parametrize("milliseconds", [-1e300, 1e300])
def test_durations_that_cannot_be_make_times_that_can(milliseconds: float) -> None:
    story = Story()("enqueued", 1)("started", 2, wait_ms=milliseconds)("completed", 3, duration_ms=milliseconds)

    assert all(0 <= span.start_ns <= span.end_ns < 2**63 for span in spans_of(story.events))
