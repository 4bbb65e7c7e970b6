"""The Python of ``docs/filters.md``, on a server."""

from __future__ import annotations

import ast
import inspect
import re
from typing import Any

from naq_runtime import JobEventType, NAQConfig, ServiceManager
from naq_runtime.events.storage import NATSJobEventStorage
from tests.contract.test_event_storage import Log
from tests.support.processes import ROOT
from tests.unit.samples import a_job_event


async def test_the_program_of_the_page_finds_what_it_asks_for(config: NAQConfig, services: ServiceManager) -> None:
    storage = NATSJobEventStorage(services.connection, config, services.topology)
    await Log(storage, config.names).store(
        a_job_event(JobEventType.FAILED, event_id="quick", queue_name="email", duration_ms=5.0),
        a_job_event(JobEventType.FAILED, event_id="slow", queue_name="email", duration_ms=5_000.0),
        a_job_event(JobEventType.FAILED, event_id="other", queue_name="reports"),
    )
    await storage.close()
    page = (ROOT / "docs" / "filters.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    scope: dict[str, Any] = {"config": config}

    ran = eval(compile(block, "filters.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), scope)
    if inspect.isawaitable(ran):
        await ran

    assert [stored.event.event_id for stored in scope["last"]] == ["quick", "slow"]
    assert scope["same"] == scope["last"]
    assert [stored.event.event_id for stored in scope["slow"]] == ["slow"]
