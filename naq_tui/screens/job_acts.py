"""To which jobs something can be done, of those that somebody has chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import aclosing

from naq_runtime.finding.found import ENDED, FoundJob
from naq_runtime.finding.query import JobQuery
from naq_runtime.job import JobStatus
from naq_tui.acts import Act, ActKind, job_text
from naq_tui.questions import Questions

__all__ = ["act_on_jobs", "jobs_as_they_stand"]

_MAY: dict[ActKind, Callable[[FoundJob], bool]] = {
    ActKind.RETRY: lambda job: job.status is JobStatus.FAILED,
    ActKind.CANCEL: lambda job: job.status not in ENDED,
    ActKind.DELETE: lambda job: job.dead,
}


def act_on_jobs(kind: ActKind, chosen: Iterable[FoundJob], *, of: str = "", more: bool = False) -> Act | None:
    """What is wanted of the jobs that are chosen; ``None`` when none of them stands so that it can be done.

    Args:
        of: how they were chosen; see `Act.of`.
        more: see `Act.more`.
    """
    may = _MAY.get(kind)
    about = {job.job_id: job_text(job.function_name, job.queue_name) for job in chosen if may is not None and may(job)}
    return Act(kind, "job", tuple(about), of=of, about=about, more=more) if about else None


async def jobs_as_they_stand(questions: Questions, ids: tuple[str, ...]) -> list[FoundJob]:
    """All of these jobs that are still known.

    Raises:
        NaqError: they cannot be looked for.
    """
    found: list[FoundJob] = []
    async with aclosing(questions.find_jobs(JobQuery(ids=ids))) as pages:
        async for page in pages:
            found += page.jobs
    return found
