"""A program that rolls up whatever there is, again and again, until it is killed.

python -m tests.support.rolling_up
"""

from __future__ import annotations

import asyncio
import contextlib

from naq_runtime import ServiceManager, get_config
from naq_runtime.errors import ServerError
from naq_runtime.services.statistics import writer_of

AHEAD_NS = 120 * 10**9
"""It goes by a later time than it is, so that no minute has to be waited for."""


async def roll_up() -> None:
    """Never ends by itself."""
    async with ServiceManager(get_config(), role="scheduler") as services:
        while True:
            with contextlib.suppress(ServerError):
                await writer_of(services, ahead_ns=AHEAD_NS).catch_up()
            await asyncio.sleep(0)


if __name__ == "__main__":
    asyncio.run(roll_up())
