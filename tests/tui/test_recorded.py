"""What a recording says of a job's status."""

from __future__ import annotations

import pytest

from naq_runtime.job import JobStatus
from naq_tui.sources.recorded import RecordedSource
from tests.tui.builders import batch, job_event


async def status_after(*kinds: str) -> JobStatus:
    """After events of these types; one with a ``+`` is followed by another attempt."""
    events = [job_event(kind.rstrip("+"), "job-1", final=False if kind.endswith("+") else None) for kind in kinds]
    source = RecordedSource([batch(*events)])
    source.end()
    async for _ in source:
        pass
    return (await source.questions.job("job-1")).status


@pytest.mark.parametrize(
    ("kinds", "status"),
    [
        (("scheduled",), JobStatus.SCHEDULED),
        (("scheduled", "started"), JobStatus.RUNNING),
        (("waiting_for_dependencies", "dependency_satisfied"), JobStatus.WAITING),
        (("waiting_for_dependencies", "dependency_satisfied", "enqueued"), JobStatus.QUEUED),
        (("waiting_for_dependencies", "dependency_failed", "cancelled"), JobStatus.CANCELLED),
        (("enqueued", "started", "progress", "log"), JobStatus.RUNNING),
        (("enqueued", "started", "completed", "result_stored"), JobStatus.COMPLETED),
        (("enqueued", "started", "interrupted"), JobStatus.QUEUED),
        (("enqueued", "started", "cancelled"), JobStatus.CANCELLED),
        (("started", "failed", "dead_lettered"), JobStatus.FAILED),
        (("started", "timed_out"), JobStatus.FAILED),
        (("started", "failed+"), JobStatus.SCHEDULED),
        (("started", "timed_out+", "retry_scheduled"), JobStatus.SCHEDULED),
        (("started", "failed+", "retry_scheduled", "started"), JobStatus.RUNNING),
        (("started", "failed", "dead_lettered", "requeued"), JobStatus.QUEUED),
    ],
)
async def test_the_status_follows_the_events(kinds: tuple[str, ...], status: JobStatus) -> None:
    assert await status_after(*kinds) is status
