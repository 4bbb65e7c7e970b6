"""The spans that are made of the events of a job."""

from __future__ import annotations

from typing import Any

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
