"""The traffic of the demo, against a server that goes away."""

from __future__ import annotations

import asyncio
from pathlib import Path

from naq_runtime import JobService, ServiceManager
from naq_tui.demo.producer import produce
from tests.support.restarting import restartable
from tests.support.server import config_for
from tests.support.waiting import eventually


async def test_it_goes_on_when_the_server_is_back(tmp_path: Path) -> None:
    async with restartable(tmp_path) as server:
        config = config_for(server.url, nats__request_timeout=0.5)
        traffic = asyncio.create_task(produce(config))

        async def stored() -> int:
            async with ServiceManager(config, role="operator") as services:
                await services.get_service(JobService)
                return (await services.streams.bounds(services.names.jobs_stream)).last

        async def has_begun() -> bool:
            return await stored() > 20

        await eventually(has_begun, within=20)
        await server.kill()
        ended, _ = await asyncio.wait({traffic}, timeout=3)
        assert not ended

        await server.start()
        before = await stored()

        async def has_grown() -> bool:
            return await stored() > before + 20

        await eventually(has_grown, within=20)
        traffic.cancel()
        await asyncio.wait({traffic})
