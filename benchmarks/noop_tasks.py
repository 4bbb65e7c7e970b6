"""The smallest tasks there are."""

from __future__ import annotations

import time

from naq_runtime import Retry, current_job, task


@task
async def noop() -> None:
    """Nothing."""


@task
async def moment() -> int:
    """When it began."""
    return time.time_ns()


@task(retries=1)
async def fails_once() -> None:
    """Nothing, the second time."""
    if current_job().attempt == 1:
        raise Retry(after=0.1)
