"""The smallest task there is."""

from __future__ import annotations

from naq_runtime import task


@task
async def noop() -> None:
    """Nothing."""
