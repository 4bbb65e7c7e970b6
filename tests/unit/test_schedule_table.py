"""What a scheduler knows of schedules, and what becomes of it when that is wrong."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from naq_runtime import Job, ScheduleConfig, SchedulerService, ServiceManager
from naq_runtime.config import get_config
from naq_runtime.errors import StreamMissing
from naq_runtime.scheduler.planning import planned
from naq_runtime.scheduler.store import ScheduleStore, Standing
from naq_runtime.scheduler.table import ScheduleTable
from naq_runtime.testing import MemoryBroker
from naq_runtime.testing.streams import MemoryStreams, MemoryTopology
from tests.support import sample_tasks as tasks
from tests.support.interleaving import Ticking
from tests.support.server import config_for

NOW_NS = 1_700_000_000_000_000_000


@pytest.fixture
async def table() -> ScheduleTable:
    config, streams = config_for("nats://nowhere"), MemoryStreams(Ticking())
    await MemoryTopology(streams, config).jobs()
    return ScheduleTable(ScheduleStore(streams, config.names))


def standing(sequence: int, every: float = 3600) -> Standing:
    schedule = planned(ScheduleConfig(every=every, schedule_id="one"), "default", "shop.report", b"{}", NOW_NS)
    return Standing(schedule, sequence)


async def test_a_schedule_that_changes_all_the_time_takes_no_more_room(table: ScheduleTable) -> None:
    for sequence in range(1, 10_000):
        table.put(standing(sequence))

    assert len(table._due) < 2_000
    assert table.due(NOW_NS + 3600 * 10**9, 10) == [standing(9_999)]


async def test_one_that_was_looked_at_again_is_due_once(table: ScheduleTable) -> None:
    await table._store.add(standing(1).schedule)
    await table.catch_up()
    for _ in range(3):
        await table.look_at(["one"])

    assert len(table.due(NOW_NS + 3600 * 10**9, 10)) == 1


async def test_an_older_record_takes_no_newer_ones_place(table: ScheduleTable) -> None:
    table.put(standing(7, every=60))
    table.put(standing(6))

    assert table.get("one") == standing(7, every=60)


async def test_where_the_stream_is_gone_nothing_is_known(table: ScheduleTable) -> None:
    table.put(standing(7))
    streams = table._store._streams
    assert isinstance(streams, MemoryStreams)
    streams._shelves.clear()

    with pytest.raises(StreamMissing):
        await table.catch_up()

    assert (len(table), table.next_ns) == (0, None)


async def test_a_schedule_whose_end_nobody_saw_makes_no_job_and_is_forgotten() -> None:
    async with MemoryBroker() as broker, ServiceManager(get_config()) as here, ServiceManager(get_config()) as there:
        ours, theirs = await here.get_service(SchedulerService), await there.get_service(SchedulerService)
        for schedule_id in ("gone", "stays"):
            when = ScheduleConfig(at=datetime.fromtimestamp(broker.now_ns // 10**9 + 60, UTC), schedule_id=schedule_id)
            await theirs.schedule_job(Job(tasks.add, (1,)), when)
        await ours.catch_up()
        await theirs.cancel("gone")
        broker.advance(70)  # its last record was seen for a minute

        made = await ours.run_due()

        assert [job_id.partition("-")[0] for job_id in made] == ["stays"]
        assert len(ours.table) == 0
