"""The demo: everything comes with it, and everything goes with it."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import psutil

from naq_runtime import AlertService, SchedulerService, ServiceManager
from naq_tui.demo.fleet import DemoFleet
from naq_tui.demo.schedules import SCHEDULES
from tests.support.processes import command_of, is_gone, naq_top, started
from tests.support.waiting import eventually


async def test_one_snapshot_of_the_demo_shows_real_traffic() -> None:
    finished = await naq_top("--demo", "--once", "--format", "json", within=50)

    assert finished.code == 0, finished.err
    document = json.loads(finished.out)
    assert [queue["name"] for queue in document["queues"]] == ["default", "mail", "reports"]
    assert [worker["worker_id"] for worker in document["workers"]] == ["worker-1", "worker-2", "worker-3"]
    assert document["rates"]["jobs_per_s"] > 0
    assert {"enqueued", "started", "completed"} <= {event["event_type"] for event in document["events"]}


async def test_the_demo_has_schedules_of_all_kinds_and_a_scheduler_that_keeps_them() -> None:
    async with DemoFleet() as fleet, ServiceManager(fleet.config, role="test") as services:
        schedules = await services.get_service(SchedulerService)

        async def kept() -> bool:
            found = {schedule.schedule_id: schedule async for schedule in schedules.list()}
            return len(found) == len(SCHEDULES) and found["checksum"].ticks > 0 and found["watch-library"].ticks > 0

        await eventually(kept, within=30)
        found = {schedule.schedule_id: schedule async for schedule in schedules.list()}
        leader = await schedules.leader()

    assert leader is not None
    assert leader.instance_id == "scheduler-1"
    assert [schedule_id for schedule_id, one in found.items() if one.state == "paused"] == ["morning-report"]
    assert found["nightly-count"].timezone == "Europe/Paris"
    assert found["watch-library"].overlap == "skip"
    assert all(is_gone(pid) for pid in fleet.pids)


async def test_the_demo_has_rules_of_alerts_and_one_of_them_fires() -> None:
    async with DemoFleet() as fleet, ServiceManager(fleet.config, role="test") as services:
        alerts = await services.get_service(AlertService)

        async def fires() -> set[str]:
            return {record.name for record in await alerts.alerts() if record.firing}

        await eventually(fires, within=50)
        records = await alerts.alerts()

    assert [record.name for record in records] == ["mail-refused", "reports-late", "worker-lost"]
    assert {record.by for record in records} == {"scheduler-1"}


async def test_killing_the_demo_ends_every_process_and_removes_the_store() -> None:
    async with started("naq_tui.cli.top", "--demo", "--once") as demo:
        family: list[psutil.Process] = []

        def complete() -> bool:
            family[:] = psutil.Process(demo.pid).children(recursive=True)
            commands = [command_of(process) for process in family]
            workers = sum("run-worker" in command for command in commands)
            return workers == 3 and any("run-scheduler" in command for command in commands)

        await eventually(complete)
        (server,) = [command for process in family if "-sd" in (command := command_of(process))]
        store = Path(server[server.index("-sd") + 1])
        assert store.exists()

        demo.send_signal(signal.SIGKILL)
        await demo.wait()

        await eventually(lambda: all(is_gone(process.pid) for process in family))
        await eventually(lambda: not store.exists())
