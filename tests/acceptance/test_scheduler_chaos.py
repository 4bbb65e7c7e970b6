"""Schedulers that are killed, stopped and sent home neither miss nor double a tick. The long form of this is
``benchmarks/scheduler_chaos.py``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.restarting import restartable
from tests.support.scheduler_chaos import Plan, SchedulerChaos
from tests.support.server import config_for

PLAN = Plan(schedules=20, seconds=15.0, pause_s=0.4, lease_s=1.0)


@pytest.mark.timeout(120)
async def test_each_tick_makes_one_job_whoever_is_killed_or_stopped_meanwhile(tmp_path: Path) -> None:
    async with restartable(tmp_path) as server:
        config = config_for(server.url, events__max_bytes=64 * 1024 * 1024)
        findings = await SchedulerChaos(PLAN, server, config, tmp_path).run()

    assert findings.faults == []
    assert findings.ticks > 100
    assert {"kill leader", "stop leader"} <= set(findings.harms)
