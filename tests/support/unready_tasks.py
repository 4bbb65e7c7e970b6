"""Tasks that cannot be run: their module cannot start."""

from __future__ import annotations

from naq_runtime import on_startup, task


@on_startup
async def connect() -> None:
    """What fails."""
    raise ConnectionError("no database")


@task
async def never() -> None:
    """Does not come to run."""
