"""What can be done from the monitor, to a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from naq_runtime import Job, NAQConfig, Queue, ServiceManager
from naq_runtime.config_layers import Source
from naq_runtime.errors import NaqError, NotFound, ServerUnreachable
from naq_runtime.events.models import JobEvent
from naq_runtime.job import JobStatus
from naq_runtime.monitor import Monitor
from naq_runtime.schedule import ScheduleConfig, ScheduleState
from naq_runtime.services.alerts import AlertService
from naq_runtime.services.jobs import JobService
from naq_runtime.services.queues import QueueService
from naq_runtime.services.scheduler import SchedulerService
from naq_tui.acts import ActKind
from naq_tui.app import NaqTop
from naq_tui.caller import caller
from naq_tui.cli import showing
from naq_tui.cli.wishes import wishes_of
from naq_tui.screens.confirm import Confirm
from naq_tui.source import ConnectionState
from naq_tui.sources.live import LiveSource
from naq_tui.sources.live_actions import LiveActions
from naq_tui.sources.recorded_alerts import RecordedAlerts
from tests.conftest import MakeConfig
from tests.integration.test_leading import scheduler
from tests.support import sample_tasks as tasks
from tests.support import wayward_tasks
from tests.support.history import all_events, history
from tests.support.restarting import restartable
from tests.support.server import config_for
from tests.support.waiting import eventually
from tests.support.workers import running_worker

Perform = Callable[[ActKind, str, str], Awaitable[str | None]]


@asynccontextmanager
async def acting(config: NAQConfig) -> AsyncIterator[Perform]:
    """Acts over the connection of a source that follows the server."""
    async with LiveSource(config) as source, aclosing(source.__aiter__()) as batches:
        while (await anext(batches)).link.state is not ConnectionState.LIVE:
            pass
        assert source.actions is not None
        yield source.actions.perform


@asynccontextmanager
async def failed_for_good(config: NAQConfig, path: Path, job_id: str) -> AsyncIterator[None]:
    """A job among the dead letters, and a worker that would run it again."""
    async with Queue(config=config) as queue, running_worker(config):
        handle = await queue.enqueue_job(Job(wayward_tasks.flaky, (path, 2), retries=0, job_id=job_id))
        assert (await handle.outcome(timeout=30)).status is JobStatus.FAILED
        yield


async def letters(services: ServiceManager) -> list[str]:
    jobs = await services.get_service(JobService)
    return [letter.job_id async for letter in jobs.dead_letters()]


# Jobs


async def test_a_job_that_failed_for_good_runs_again_in_the_name_of_who_asked(
    config: NAQConfig, tmp_path: Path
) -> None:
    async with failed_for_good(config, tmp_path / "runs", "broken"), acting(config) as perform:
        await perform(ActKind.RETRY, "job", "broken")

        async def requeued_by() -> list[str | None]:
            events = [event for event in await history(config, "broken") if isinstance(event, JobEvent)]
            return [event.by for event in events if event.event_type == "requeued"]

        assert await eventually(requeued_by) == [caller()]
        await eventually(lambda: len(wayward_tasks.notes(tmp_path / "runs")) == 2)


async def test_a_dead_letter_is_deleted_once(config: NAQConfig, services: ServiceManager, tmp_path: Path) -> None:
    async with failed_for_good(config, tmp_path / "runs", "broken"), acting(config) as perform:
        await perform(ActKind.DELETE, "job", "broken")
        assert await letters(services) == []

        with pytest.raises(NotFound, match="no dead letter of job broken"):
            await perform(ActKind.DELETE, "job", "broken")


async def test_a_job_is_cancelled_and_one_that_has_ended_is_not(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, acting(config) as perform:
        await queue.enqueue_job(Job(tasks.add, (1, 2), job_id="unwanted"))
        await perform(ActKind.CANCEL, "job", "unwanted")
        assert (await queue.handle("unwanted").outcome(timeout=30)).status is JobStatus.CANCELLED

        with pytest.raises(NaqError, match="job unwanted had ended already"):
            await perform(ActKind.CANCEL, "job", "unwanted")


# Queues


async def test_a_queue_is_paused_and_resumed(config: NAQConfig, services: ServiceManager) -> None:
    queues = await services.get_service(QueueService)
    async with Queue("mail", config=config) as queue, acting(config) as perform:
        await queue.enqueue(tasks.add, 1)

        await perform(ActKind.PAUSE, "queue", "mail")
        assert (await queues.state("mail")).paused

        await perform(ActKind.RESUME, "queue", "mail")
        assert not (await queues.state("mail")).paused


async def test_a_queue_is_emptied_and_says_of_how_many_jobs(config: NAQConfig, services: ServiceManager) -> None:
    async with Queue("mail", config=config) as queue, acting(config) as perform:
        await queue.enqueue_many(Job(tasks.add, (n,)) for n in range(30))

        assert await perform(ActKind.PURGE, "queue", "mail") == "30 jobs cancelled"
        assert (await (await services.get_service(QueueService)).state("mail")).waiting == 0


# Schedules


async def test_a_schedule_is_triggered_paused_resumed_and_ended(config: NAQConfig, services: ServiceManager) -> None:
    schedules = await services.get_service(SchedulerService)
    await schedules.schedule_job(Job(tasks.add, (1, 2)), ScheduleConfig(every=3600, schedule_id="hourly"))

    async def state() -> ScheduleState:
        return (await schedules.get("hourly")).state

    async with acting(config) as perform:
        made = await perform(ActKind.TRIGGER, "schedule", "hourly")
        assert made == f"job {(await schedules.get('hourly')).asked_job_id}"

        await perform(ActKind.PAUSE, "schedule", "hourly")
        assert await state() is ScheduleState.PAUSED

        await perform(ActKind.RESUME, "schedule", "hourly")
        assert await state() is ScheduleState.ACTIVE

        await perform(ActKind.CANCEL, "schedule", "hourly")
        with pytest.raises(NotFound, match="was cancelled"):
            await state()


# Workers and alerts


async def test_a_worker_is_sent_home(config: NAQConfig, services: ServiceManager) -> None:
    monitor = await services.get_service(Monitor)

    async def gone() -> bool:
        return not await monitor.workers()

    async with running_worker(config, name="postman"), acting(config) as perform:
        await perform(ActKind.STOP, "worker", "postman")
        await eventually(gone)

        with pytest.raises(NotFound, match="postman"):
            await perform(ActKind.STOP, "worker", "postman")


async def test_an_alert_is_acknowledged_with_who_and_when_on_record(
    make_config: MakeConfig, services: ServiceManager
) -> None:
    rule = {"rule": "queue_depth > 0 clear for 1h"}
    config = make_config(alerts={"depth": rule}, scheduler__alerts_interval=0.2)
    async with (
        Queue("mail", config=config) as queue,
        scheduler(config, "boris"),
        ServiceManager(config, role="test") as looking,
        acting(config) as perform,
    ):
        await queue.enqueue(tasks.add, 1)
        alerts = await looking.get_service(AlertService)

        async def fires() -> bool:
            return any(record.firing for record in await alerts.alerts())

        await eventually(fires)
        before_ns = alerts.now_ns()
        await perform(ActKind.ACKNOWLEDGE, "alert", "depth queue=mail")
        ((seen,),) = [record.firing for record in await alerts.alerts()]

        with pytest.raises(NotFound, match="depth queue=news does not fire"):
            await perform(ActKind.ACKNOWLEDGE, "alert", "depth queue=news")

    assert seen.acknowledged_by == caller()
    assert before_ns - 10**9 < seen.acknowledged_ns < before_ns + 10 * 10**9
    fired, said = await all_events(config, category="alert")
    told = RecordedAlerts()
    told.hear([said, fired])
    ((then,),) = [record.firing for record in told.records()]
    assert said.event.message == f"depth queue=mail: seen by {caller()}, queue_depth > 0 clear for 1h"
    assert (then.labels, then.acknowledged_by) == ({"queue": "mail"}, caller())


# Where nothing can be done


async def test_a_source_that_is_only_to_be_looked_at_has_no_actions(config: NAQConfig) -> None:
    assert LiveSource(config, read_only=True).actions is None


@pytest.mark.parametrize("read_only", [True, False])
async def test_naq_top_with_read_only_has_such_a_source(
    config: NAQConfig, read_only: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[LiveSource] = []

    async def run_app(source: LiveSource, **options: object) -> int:
        shown.append(source)
        return 0

    monkeypatch.setattr("naq_tui.app.run_app", run_app)
    wishes = wishes_of([], "", None, begin_at="", read_only=read_only, log_file=None)
    await showing.watch(config, wishes, demo=False, read_only=read_only, named=Source())

    assert [source.actions is None for source in shown] == [read_only]


async def test_without_a_connection_nothing_is_done() -> None:
    with pytest.raises(ServerUnreachable, match="no connection"):
        await LiveActions().perform(ActKind.PAUSE, "queue", "mail")


async def test_while_the_server_is_away_nothing_is_tried(tmp_path: Path) -> None:
    async with restartable(tmp_path) as server:
        async with LiveSource(config_for(server.url)) as source, aclosing(source.__aiter__()) as batches:
            while (await anext(batches)).link.state is not ConnectionState.LIVE:
                pass
            assert source.actions is not None
            await server.kill()
            while (await anext(batches)).link.state is not ConnectionState.RECONNECTING:
                pass

            with pytest.raises(ServerUnreachable, match="no connection"):
                await source.actions.perform(ActKind.PAUSE, "queue", "mail")


# From the screen


async def test_a_queue_is_paused_from_the_screen_and_the_screen_shows_it(config: NAQConfig) -> None:
    app = NaqTop(source=LiveSource(config))

    def screen() -> str:
        return "\n".join(strip.text for strip in app.screen._compositor.render_strips())

    async with Queue("mail", config=config) as queue, app.run_test(size=(120, 40)) as pilot:
        await queue.enqueue(tasks.add, 1)
        await eventually(lambda: "│ mail " in screen())
        await pilot.press("tab", "P")
        await eventually(lambda: "Pause queue mail" in screen())
        await pilot.press("y")
        await eventually(lambda: "‖ 1 paused" in screen() and not isinstance(app.screen, Confirm))

        async with running_worker(config, "mail"):
            await pilot.press("P")
            await eventually(lambda: "Resume queue mail" in screen())
            await pilot.press("enter")
            await eventually(lambda: "‖ 1 paused" not in screen())
            await eventually(lambda: "✓ completed" in screen())
