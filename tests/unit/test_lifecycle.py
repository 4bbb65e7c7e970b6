"""The judge of event sequences, which the tests of crashes rely on."""

from __future__ import annotations

import pytest

from naq_runtime.events.models import JobEvent, JobEventType
from tests.support.lifecycle import faults


def story(*steps: str) -> list[JobEvent]:
    """Events by type; ``started:2`` is of the second attempt, ``failed!`` is final."""
    events: list[JobEvent] = []
    for step in steps:
        name, _, attempt = step.rstrip("!").partition(":")
        events.append(
            JobEvent(
                event_type=JobEventType(name),
                job_id="j",
                queue_name="q",
                timestamp_ns=len(events),
                attempt=int(attempt) if attempt else None,
                final=True if step.endswith("!") else None,
            )
        )
    return events


@pytest.mark.parametrize(
    "steps",
    [
        ("enqueued", "started", "completed", "result_stored"),
        ("enqueued", "started", "completed", "result_stored", "result_fetched", "result_fetched", "result_expired"),
        ("enqueued", "started:1", "failed", "retry_scheduled", "started:2", "completed"),
        ("enqueued", "started", "interrupted", "started", "progress", "log", "cancelled", "result_stored"),
        ("scheduled", "cancelled"),
        ("enqueued", "started", "timed_out!", "dead_lettered", "result_stored", "requeued", "started", "completed"),
        ("waiting_for_dependencies", "dependency_satisfied", "enqueued", "started", "completed"),
        ("waiting_for_dependencies", "dependency_failed", "cancelled"),
        ("enqueued", "started", "retry_scheduled", "started"),
    ],
)
def test_the_life_of_a_job_is_without_fault(steps: tuple[str, ...]) -> None:
    assert faults(story(*steps)) == []


@pytest.mark.parametrize(
    ("steps", "fault"),
    [
        (("started",), "started although it was not enqueued"),
        (("enqueued", "completed"), "completed although it was queued"),
        (("enqueued", "started", "started"), "started although it was running"),
        (("enqueued", "started", "failed", "dead_lettered"), "dead_lettered although it was failed, to be tried again"),
        (("enqueued", "started:2", "interrupted", "started:1"), "attempt 1 after attempt 2"),
    ],
)
def test_what_cannot_be_is_named(steps: tuple[str, ...], fault: str) -> None:
    assert faults(story(*steps)) == [fault]


@pytest.mark.parametrize(
    "steps",
    [
        ("enqueued", "started", "started", "completed"),
        ("enqueued", "completed", "result_stored"),
        ("waiting_for_dependencies", "started", "completed"),
        ("enqueued", "started", "failed!", "dead_lettered"),
    ],
)
def test_a_process_that_died_explains_what_is_missing(steps: tuple[str, ...]) -> None:
    assert faults(story(*steps), gaps=True) == []


@pytest.mark.parametrize(
    "steps",
    [
        ("enqueued", "started", "completed", "completed"),
        ("enqueued", "started", "completed", "started"),
        ("enqueued", "cancelled", "started"),
        ("enqueued", "started", "cancelled", "completed"),
        ("enqueued", "started", "completed", "enqueued"),
    ],
)
def test_no_death_explains_a_second_end_or_a_life_after_it(steps: tuple[str, ...]) -> None:
    assert len(faults(story(*steps), gaps=True)) == 1
