"""A queue whose workers and server are killed loses nothing. The long form of this is ``benchmarks/chaos.py``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.chaos import Chaos, Plan
from tests.support.restarting import restartable
from tests.support.server import config_for

PLAN = Plan(jobs=300, workers=2, seconds=10.0, kill_every_s=2.5, restart_every_s=6.0)


@pytest.mark.timeout(120)
async def test_every_job_ends_once_and_as_it_must_whoever_is_killed_meanwhile(tmp_path: Path) -> None:
    async with restartable(tmp_path) as server:
        config = config_for(server.url, jobs__ack_wait=5.0, events__max_bytes=64 * 1024 * 1024)
        findings = await Chaos(PLAN, server, config, tmp_path).run()

    assert findings.faults == []
    assert findings.accepted == PLAN.jobs
    assert findings.kills >= 2
    assert findings.restarts >= 1
