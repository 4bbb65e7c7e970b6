"""One job, from the moment it was enqueued."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from naq_runtime.job import JobStatus
from naq_runtime.snapshot import JobDetail
from naq_tui.acts import JOB_ACTS, Act, ActKind, job_text
from naq_tui.commands import Scope
from naq_tui.pages.job import job_page
from naq_tui.pages.life import ENDED
from naq_tui.screens.detail import DetailScreen
from naq_tui.state import Dashboard
from naq_tui.widgets.line import Line

__all__ = ["JobScreen"]


class JobScreen(DetailScreen[JobDetail]):
    """The page of a job; the bars of a running one grow."""

    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.JOB_ACTS, Scope.BACK)
    NOUN: ClassVar[str] = "job"

    def happened(self, dashboard: Dashboard) -> int:
        """Events of the job."""
        return dashboard.versions.job

    def lines(self, detail: JobDetail, width: int, now_ns: int) -> Sequence[Line]:
        """See `job_page`."""
        return job_page(detail, width, now_ns)

    def act(self, kind: ActKind) -> Act | None:
        """What is wanted of the job, when it stands so that it can be done."""
        detail = self.detail
        if detail is None or kind not in JOB_ACTS:
            return None
        able = detail.status not in ENDED if kind is ActKind.CANCEL else detail.status is JobStatus.FAILED
        return Act(kind, "job", (self.thing_id,), about=_about(detail)) if able else None


def _about(detail: JobDetail) -> dict[str, str]:
    if detail.job is None:
        return {}
    return {detail.job_id: job_text(str(detail.job.function), detail.job.queue_name or "default")}
