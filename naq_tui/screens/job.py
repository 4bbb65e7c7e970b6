"""One job, from the moment it was enqueued."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from naq_runtime.snapshot import JobDetail
from naq_tui.pages.job import job_page
from naq_tui.screens.detail import DetailScreen
from naq_tui.state import Dashboard
from naq_tui.widgets.line import Line

__all__ = ["JobScreen"]


class JobScreen(DetailScreen[JobDetail]):
    """The page of a job; the bars of a running one grow."""

    NOUN: ClassVar[str] = "job"

    def happened(self, dashboard: Dashboard) -> int:
        """Events of the job."""
        return dashboard.versions.job

    def lines(self, detail: JobDetail, width: int, now_ns: int) -> Sequence[Line]:
        """See `job_page`."""
        return job_page(detail, width, now_ns)
