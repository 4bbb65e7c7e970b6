"""Tasks that need what the hooks of their module open."""

from __future__ import annotations

from naq_runtime import Queue, on_shutdown, on_startup, sync, task

happened: list[str] = []


@on_startup
async def open_pool() -> None:
    """Before the first job; enqueues one, too."""
    async with Queue("early") as queue:
        await queue.enqueue(use)
    happened.append("open")


@on_shutdown
def close_pool() -> None:
    """After the last one; a plain one."""
    happened.append("close")


@task
async def use() -> str:
    """Fails without the pool."""
    assert happened[-1:] != ["close"], "the pool is closed"
    happened.append("use")
    return "used"


@task
async def use_another() -> str:
    """Has another job run meanwhile, and needs the pool before and after."""
    await use()
    async with Queue("inner") as queue:
        await (await queue.enqueue(use)).result()
    return await use()


@task
def use_another_plainly() -> str:
    """The same from a thread, by another event loop."""
    sync.Queue("inner").enqueue(use).result()
    happened.append("use")
    return "used"
