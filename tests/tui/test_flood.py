"""Very many events while somebody goes through all views: each is counted, and what is kept stays within bounds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from naq_runtime.events.models import JobEvent
from naq_tui.model.log import LOG_LIMIT
from naq_tui.source import Batch
from tests.tui.builders import LIVE, NOW_NS, batch, job_event, queue, snapshot, stored, worker
from tests.tui.harness import watching

JOBS = 40_000
"""Five events each."""
BATCH = 5_000
QUEUES = ("default", "mail", "reports")
VIEWS = "12345678a"


def lives() -> Iterator[JobEvent]:
    """Jobs of three queues within half a minute; each is tried twice, and every tenth fails for good."""
    for number in range(JOBS):
        name, at = QUEUES[number % 3], 31.0 - 28 * number / JOBS
        job: dict[str, Any] = {"job_id": f"j{number}", "queue_name": name, "ago_s": at}
        run = {**job, "worker_id": f"w-{number % 7}"}
        yield job_event("enqueued", **job, function_name="shop.mail.send")
        yield job_event("started", **run, attempt=1, wait_ms=4.0)
        yield job_event("failed", **run, attempt=1, final=False, error_type="Busy", error_message="later")
        yield job_event("started", **run, attempt=2, wait_ms=2.0)
        if number % 10:
            yield job_event("completed", **run, attempt=2, duration_ms=20.0)
        else:
            yield job_event("failed", **run, attempt=2, final=True, error_type="Refused", duration_ms=20.0)


def flood() -> Iterator[Batch]:
    events = stored(lives())
    for start in range(0, len(events), BATCH):
        yield Batch(LIVE, events[start : start + BATCH])


async def test_all_of_a_flood_is_counted_while_every_view_is_looked_at() -> None:
    stands = snapshot([queue(name, 5) for name in QUEUES], [worker(f"w-{number}") for number in range(7)])
    async with watching(batch(snapshot=stands), size=(120, 40)) as watched:
        for number, some in enumerate(flood()):
            await watched.press(VIEWS[number % len(VIEWS)])
            await watched.feed(some)
        await watched.press("escape", "1")
        await watched.settle()

        dashboard = watched.app._shown.dashboard
        through = dashboard.throughput(NOW_NS, 60)
        assert dashboard.log.end == 5 * JOBS
        assert (sum(through.enqueued), sum(through.completed)) == (JOBS, JOBS * 9 // 10)
        assert dashboard.missed == 0
        assert f"Events {LOG_LIMIT:,}" in watched.text


async def test_of_a_flood_no_more_is_kept_than_the_bounds_allow() -> None:
    async with watching(batch(snapshot=snapshot())) as watched:
        await watched.feed(*flood())

        dashboard = watched.app._shown.dashboard
        assert dashboard.log.end - dashboard.log.first == LOG_LIMIT
        assert {len(dashboard.queue_failures(name)) for name in QUEUES} == {8}
        assert sum(len(jobs) for jobs in dashboard._workers._held._begun.values()) == 0
        assert sum(len(jobs) for jobs in dashboard._workers._held._over.values()) == 0
