"""The runs of a job that ended with their worker."""

from __future__ import annotations

from naq_runtime.events.models import StoredEvent
from naq_runtime.losses import losses_of
from tests.tui.builders import job_event, stored, worker_event


def told(*events: StoredEvent) -> list[tuple[int, str]]:
    return [(one.sequence, str(one.event.event_type)) for one in events]


BEGUN = stored([job_event("enqueued", ago_s=61), job_event("started", ago_s=60, worker_id="w-1")])
AGAIN = stored([job_event("started", ago_s=20, worker_id="w-2"), job_event("completed", ago_s=5, worker_id="w-2")], 20)


def test_a_loss_stands_between_the_run_that_it_ended_and_the_next() -> None:
    lost = stored([worker_event("lost", "w-1", ago_s=52)], 10)

    assert told(*losses_of([*BEGUN, *AGAIN], lost)) == [
        (1, "enqueued"),
        (2, "started"),
        (10, "lost"),
        (20, "started"),
        (21, "completed"),
    ]


def test_the_loss_of_a_worker_that_had_the_job_last_is_told_before_it_runs_again() -> None:
    lost = stored([worker_event("lost", "w-1", ago_s=52)], 10)

    assert told(*losses_of(BEGUN, lost))[-1] == (10, "lost")


def test_a_worker_that_was_seen_last_before_it_began_the_job_was_lost_after_that() -> None:
    lost = stored([worker_event("lost", "w-1", ago_s=60.5)], 10)

    assert [place for place, _ in told(*losses_of([*BEGUN, *AGAIN], lost))] == [1, 2, 10, 20, 21]


def test_what_became_of_a_worker_in_other_lives_is_not_told() -> None:
    before = stored([worker_event("lost", "w-1", ago_s=100)], 0)
    later = stored([worker_event("lost", "w-1", ago_s=52), worker_event("lost", "w-1", ago_s=3)], 10)

    assert [place for place, _ in told(*losses_of([*BEGUN, *AGAIN], [*before, *later]))] == [1, 2, 10, 20, 21]


def test_a_worker_that_was_lost_after_it_had_ended_the_job_is_not_told() -> None:
    lost = stored([worker_event("lost", "w-2", ago_s=1)], 30)

    assert [place for place, _ in told(*losses_of(AGAIN, lost))] == [20, 21]
