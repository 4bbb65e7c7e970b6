"""A search for jobs that goes on as far as somebody wants to see."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

from naq_runtime.errors import NaqError
from naq_tui.model.jobs import MOST_JOBS, JobList
from naq_tui.questions import Questions

__all__ = ["MOST_MARKED", "JobSearch"]

MOST_MARKED = MOST_JOBS
"""Jobs that are looked for when all that match are wanted."""
_AT_A_TIME = 500
_LOOKED_AT = 100_000
"""Jobs that are looked at for those that are rare, before somebody asks for more."""


class JobSearch:
    """Fills a list, and rests whenever there is enough in it."""

    def __init__(self, jobs: JobList) -> None:
        self.jobs = jobs
        self.rests = False
        """Whether it waits until more is wanted, or has ended."""
        self.everything = False
        """Whether all that match are wanted."""
        self._wanted = _AT_A_TIME
        self._looked = 0
        self._more = asyncio.Event()

    @property
    def is_short(self) -> bool:
        """Whether no more was wanted than what comes first."""
        return self._wanted == _AT_A_TIME

    @property
    def has_enough(self) -> bool:
        """Whether it may rest."""
        if self.everything:
            return len(self.jobs.jobs) >= MOST_MARKED
        looked = self.jobs.looked - self._looked
        return len(self.jobs.jobs) >= self._wanted or looked >= _LOOKED_AT or (self.is_short and self.jobs.has_named)

    def go_on(self, *, everything: bool = False) -> None:
        """More is wanted, or all."""
        if self.rests or everything:
            self.everything = everything
            self._wanted = len(self.jobs.jobs) + _AT_A_TIME
            self._looked = self.jobs.looked
            self._more.set()

    def be_content(self) -> None:
        """Not all that match are wanted any more."""
        self.everything = False

    async def run(self, questions: Questions, found: Callable[[], None]) -> None:
        """Look for the jobs until there are no more, or it is cancelled.

        Args:
            found: called after each page, and when it rests.
        """
        try:
            async with aclosing(questions.find_jobs(self.jobs.query)) as pages:
                async for page in pages:
                    self.jobs.take(page)
                    found()
                    if self.jobs.is_over:
                        break
                    await self._rest(found)
        except NaqError as error:
            self.jobs.fail(str(error))
        self.rests = True
        found()

    async def _rest(self, found: Callable[[], None]) -> None:
        while self.has_enough:
            self.rests = True
            self._more.clear()
            found()
            await self._more.wait()
        self.rests = False
