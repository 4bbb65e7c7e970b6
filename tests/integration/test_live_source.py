"""The dashboard's source over a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from naq_runtime import Job, NAQConfig, Queue
from naq_runtime.errors import NotFound, ServerError, ServerUnreachable
from naq_runtime.nats.publish import Outgoing
from naq_runtime.schedule import Schedule, ScheduleConfig, encode_schedule
from naq_runtime.scheduler.scheduler import Scheduler
from naq_runtime.services.manager import ServiceManager
from naq_runtime.services.scheduler import SchedulerService
from naq_runtime.snapshot import ScheduleMark, ScheduleNews
from naq_tui.app import NaqTop
from naq_tui.source import Batch, ConnectionState
from naq_tui.sources.live import LiveSource
from tests.support import sample_tasks as tasks
from tests.support.restarting import restartable
from tests.support.server import config_for
from tests.support.waiting import eventually
from tests.support.workers import running_worker


class Reader:
    """Reads batches until something has been seen."""

    def __init__(self, batches: AsyncIterator[Batch]) -> None:
        self._batches = batches
        self.sequences: list[int] = []
        self.missed = 0
        self.states: list[ConnectionState] = []

    async def until_sequences(self, count: int) -> None:
        while len(self.sequences) < count:
            await self._next()

    async def until_state(self, state: ConnectionState) -> Batch:
        while (batch := await self._next()).link.state is not state:
            pass
        return batch

    async def until_snapshot(self) -> Batch:
        while (batch := await self._next()).snapshot is None:
            pass
        return batch

    async def _next(self) -> Batch:
        async with asyncio.timeout(20):
            batch = await anext(self._batches)
        self.sequences += [stored.sequence for stored in batch.events]
        self.missed += batch.missed
        if not self.states or self.states[-1] is not batch.link.state:
            self.states.append(batch.link.state)
        return batch


async def test_it_begins_with_what_was_and_goes_on_with_what_comes(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, LiveSource(config) as source, aclosing(source.__aiter__()) as batches:
        await queue.enqueue_many(Job(tasks.add, (n,)) for n in range(50))
        reader = Reader(batches)
        await reader.until_state(ConnectionState.LIVE)

        await queue.enqueue_many(Job(tasks.add, (n,)) for n in range(50))
        await reader.until_sequences(101)

    assert sorted(reader.sequences) == list(range(1, 102))  # the producer's own beginning is the first
    assert reader.missed == 0
    assert reader.states == [ConnectionState.CONNECTING, ConnectionState.CATCHING_UP, ConnectionState.LIVE]


async def test_it_begins_with_the_whole_minute_that_figures_are_of(config: NAQConfig) -> None:
    async with Queue(config=config) as queue:
        await queue.enqueue_many(Job(tasks.add, (n,)) for n in range(300))

    async with LiveSource(config, history=10) as source, aclosing(source.__aiter__()) as batches:
        reader = Reader(batches)
        await reader.until_state(ConnectionState.LIVE)

    assert sorted(reader.sequences) == list(range(1, 303))  # the producer's beginning and end among them


async def test_it_begins_with_the_events_since_a_moment_when_it_is_told_one(
    config: NAQConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("naq_tui.sources.live._MINUTE_NS", 0)
    async with Queue(config=config) as queue:
        await queue.enqueue_many(Job(tasks.add, (n,)) for n in range(30))

    since = LiveSource(config, history=10, since=lambda now_ns: now_ns - 3600 * 10**9)
    async with since as source, aclosing(source.__aiter__()) as batches:
        reader = Reader(batches)
        await reader.until_state(ConnectionState.LIVE)

    assert sorted(reader.sequences) == list(range(1, 33))


async def test_it_says_what_stands(config: NAQConfig) -> None:
    async with (
        Queue("mail", config=config) as queue,
        running_worker(config, "mail", name="postman"),
        LiveSource(config) as source,
        aclosing(source.__aiter__()) as batches,
    ):
        await (await queue.enqueue(tasks.add, 1)).result(timeout=30)
        snapshot = (await Reader(batches).until_snapshot()).snapshot

    assert snapshot is not None
    assert [queue.name for queue in snapshot.queues] == ["mail"]
    assert [worker.worker_id for worker in snapshot.workers] == ["postman"]
    assert snapshot.server.version.startswith("2.")


async def test_after_an_outage_nothing_is_missing_and_nothing_comes_twice(tmp_path: Path) -> None:
    async with restartable(tmp_path) as server:
        config = config_for(server.url)
        async with (
            Queue(config=config) as queue,
            LiveSource(config) as source,
            aclosing(source.__aiter__()) as batches,
        ):
            reader = Reader(batches)
            await reader.until_state(ConnectionState.LIVE)
            await queue.enqueue(tasks.add, 1)
            await reader.until_sequences(1)

            await server.kill()
            lost = await reader.until_state(ConnectionState.RECONNECTING)
            await server.start()
            await reader.until_state(ConnectionState.LIVE)
            await queue.enqueue_many(Job(tasks.add, (n,)) for n in range(30))
            await reader.until_sequences(31)

    assert lost.link.detail
    assert sorted(reader.sequences) == sorted(set(reader.sequences))
    assert reader.missed == 0


async def test_without_a_server_it_goes_on_trying_and_says_why(tmp_path: Path) -> None:
    async with restartable(tmp_path) as server:
        config = config_for(server.url)
        await server.kill()
        async with LiveSource(config) as source, aclosing(source.__aiter__()) as batches:
            reader = Reader(batches)
            waiting = await reader.until_state(ConnectionState.RECONNECTING)
            await server.start()
            await reader.until_state(ConnectionState.LIVE)

    assert "connection refused" in waiting.link.detail


async def test_when_it_should_not_be_patient_a_missing_server_is_an_error() -> None:
    config = config_for("nats://127.0.0.1:1")
    async with LiveSource(config, patient=False) as source, aclosing(source.__aiter__()) as batches:
        with pytest.raises(ServerUnreachable, match="connection refused"):
            await Reader(batches).until_state(ConnectionState.LIVE)


async def test_all_about_one_job(config: NAQConfig) -> None:
    async with (
        Queue(config=config) as queue,
        running_worker(config),
        LiveSource(config) as source,
        aclosing(source.__aiter__()) as batches,
    ):
        await Reader(batches).until_state(ConnectionState.LIVE)
        handle = await queue.enqueue(tasks.add, 20, right=22)
        await handle.result(timeout=30)

        detail = await source.questions.job(handle.job_id)
        with pytest.raises(NotFound, match="nothing is known of job unheard-of"):
            await source.questions.job("unheard-of")

    assert detail.job is not None
    assert (detail.job.args, detail.job.kwargs) == ((20,), {"right": 22})
    assert detail.result is not None
    assert detail.result.result == 42


# Schedules


@asynccontextmanager
async def scheduling(config: NAQConfig) -> AsyncIterator[SchedulerService]:
    """Somebody elsewhere who manages schedules."""
    async with ServiceManager(config, role="producer") as services:
        yield await services.get_service(SchedulerService)


@asynccontextmanager
async def running_scheduler(config: NAQConfig, name: str) -> AsyncIterator[None]:
    async with ServiceManager(config, role="scheduler") as services:
        scheduler = Scheduler(services, instance_id=name)
        running = asyncio.create_task(scheduler.run())
        try:
            yield
        finally:
            scheduler.request_stop()
            await running


class Watcher:
    """Asks a source for schedules until something is so."""

    def __init__(self, source: LiveSource) -> None:
        self._source = source
        self.mark: ScheduleMark | None = None
        self.known: dict[str, Schedule] = {}
        self.news: list[ScheduleNews] = []

    async def ask(self) -> ScheduleNews:
        news = await self._source.questions.schedules(self.mark)
        self.mark = news.mark
        self.news.append(news)
        if news.whole:
            self.known.clear()
        for schedule in news.schedules:
            self.known[schedule.schedule_id] = schedule
        return news


async def test_after_the_first_answer_only_changes_are_told(config: NAQConfig) -> None:
    async with (
        scheduling(config) as schedules,
        LiveSource(config) as source,
        aclosing(source.__aiter__()) as batches,
    ):
        await Reader(batches).until_state(ConnectionState.LIVE)
        for name in ("a", "b", "c"):
            await schedules.schedule_job(Job(tasks.add, (1, 2)), ScheduleConfig(every=3600, schedule_id=name))
        watcher = Watcher(source)
        first = await watcher.ask()
        nothing = await watcher.ask()
        await schedules.pause("b", "for now")
        await schedules.cancel("c")
        changed = await watcher.ask()

    assert first.whole
    assert [schedule.schedule_id for schedule in first.schedules] == ["a", "b", "c"]
    assert {schedule.payload for schedule in first.schedules} == {b""}
    assert first.leader is None
    assert (nothing.whole, nothing.schedules) == (False, ())
    assert [(one.schedule_id, one.state.value) for one in changed.schedules] == [("b", "paused"), ("c", "cancelled")]


async def test_many_are_told_in_parts(config: NAQConfig) -> None:
    async with scheduling(config) as schedules, ServiceManager(config) as services:
        await schedules.schedule_job(Job(tasks.add, (1, 2)), ScheduleConfig(every=3600, schedule_id="pattern"))
        pattern = await schedules.get("pattern")
        ids = [f"s-{number}" for number in range(12_000)]
        for first in range(0, len(ids), 1000):
            copies = [pattern.evolve(schedule_id=schedule_id) for schedule_id in ids[first : first + 1000]]
            await services.streams.publish_together(
                [Outgoing(services.names.schedule(copy.schedule_id), encode_schedule(copy)) for copy in copies]
            )
        async with LiveSource(config) as source, aclosing(source.__aiter__()) as batches:
            await Reader(batches).until_state(ConnectionState.LIVE)
            watcher = Watcher(source)
            while (await watcher.ask()).more:
                pass

    assert watcher.known.keys() == {"pattern", *ids}
    assert [news.whole for news in watcher.news] == [True, False]
    assert 10_000 <= len(watcher.news[0].schedules) < 12_000


async def test_it_says_who_leads_and_that_nobody_does_any_more(config: NAQConfig) -> None:
    async with LiveSource(config) as source, aclosing(source.__aiter__()) as batches:
        await Reader(batches).until_state(ConnectionState.LIVE)
        watcher = Watcher(source)

        async def led() -> bool:
            leader = (await watcher.ask()).leader
            return leader is not None and leader.leads

        async with running_scheduler(config, "sch-1"):
            await eventually(led)
            leading = (await watcher.ask()).leader
        left = (await watcher.ask()).leader

    assert leading is not None
    assert (leading.instance_id, leading.leads, leading.term) == ("sch-1", True, 1)
    assert leading.silent_s < leading.lease_s
    assert left is not None
    assert not left.leads


async def test_after_an_outage_all_schedules_are_read_anew(tmp_path: Path) -> None:
    async with restartable(tmp_path) as server:
        config = config_for(server.url)
        async with (
            scheduling(config) as schedules,
            LiveSource(config) as source,
            aclosing(source.__aiter__()) as batches,
        ):
            reader = Reader(batches)
            await reader.until_state(ConnectionState.LIVE)
            await schedules.schedule_job(Job(tasks.add, (1, 2)), ScheduleConfig(every=3600, schedule_id="a"))
            watcher = Watcher(source)
            await watcher.ask()
            await server.kill()
            await reader.until_state(ConnectionState.RECONNECTING)
            await server.start()
            await reader.until_state(ConnectionState.LIVE)
            again = await watcher.ask()

    assert again.whole
    assert [schedule.schedule_id for schedule in again.schedules] == ["a"]


async def test_all_about_one_schedule(config: NAQConfig) -> None:
    async with (
        scheduling(config) as schedules,
        LiveSource(config) as source,
        aclosing(source.__aiter__()) as batches,
    ):
        reader = Reader(batches)
        await reader.until_state(ConnectionState.LIVE)
        await schedules.schedule_job(Job(tasks.add, (20,), {"right": 22}), ScheduleConfig(every=60, schedule_id="a"))
        job_id = await schedules.trigger_now("a")
        await reader.until_sequences(3)
        detail = await source.questions.schedule("a")
        with pytest.raises(NotFound, match="there is no schedule unheard-of"):
            await source.questions.schedule("unheard-of")

    assert detail.schedule.latest_job_id == job_id
    assert detail.job is not None
    assert (detail.job.args, detail.job.kwargs) == ((20,), {"right": 22})
    assert [str(stored.event.event_type) for stored in detail.events] == ["scheduled", "schedule_triggered"]


async def test_without_a_connection_there_is_no_answer(config: NAQConfig) -> None:
    with pytest.raises(ServerError, match="no connection"):
        await LiveSource(config).questions.schedules()


async def test_a_schedule_made_elsewhere_appears_and_its_countdown_moves_on_after_a_tick(config: NAQConfig) -> None:
    app = NaqTop(source=LiveSource(config))

    def screen() -> str:
        return "\n".join(strip.text for strip in app.screen._compositor.render_strips())

    def ticks() -> int:
        row = next((line for line in screen().splitlines() if "│ pulse " in line), "")
        return int(row.split()[-2]) if row else -1

    async with (
        app.run_test(size=(80, 24)) as pilot,
        running_scheduler(config, "sch-1"),
        scheduling(config) as schedules,
    ):
        await pilot.press("6")
        await eventually(lambda: "★ sch-1 leads" in screen())
        await schedules.schedule_job(Job(tasks.add, (1, 2)), ScheduleConfig(every=2, schedule_id="pulse"))
        await eventually(lambda: ticks() == 0)
        await eventually(lambda: ticks() >= 2, within=20)
        await eventually(lambda: "in 2 s" in screen() or "in 1 s" in screen())
        assert "late" not in screen()
