"""SIGHUP: settings that change while a process runs, by real processes and a real file."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from naq_runtime import Monitor, NAQConfig, Queue, ServiceManager
from naq_runtime.config import settings_of, shown_setting
from naq_runtime.events.models import SystemEvent
from tests.support import sample_tasks as tasks
from tests.support.history import all_events
from tests.support.processes import started
from tests.support.waiting import eventually
from tests.support.workers import MODULE


@asynccontextmanager
async def worker_of(config: NAQConfig, file: Path, *options: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker by a file of settings, that is up."""
    arguments = ("run-worker", "default", "-m", MODULE, "--name", "anna", "--config", str(file), *options)
    async with started("naq_tui.cli.main", *arguments, config=config) as process:
        async with ServiceManager(config, role="test") as services:
            monitor = await services.get_service(Monitor)

            async def is_up() -> bool:
                return any(one.state != "starting" for one in await monitor.workers())

            await eventually(is_up)
        yield process


async def told(config: NAQConfig, event_type: str) -> list[SystemEvent]:
    return [
        stored.event
        for stored in await all_events(config)
        if isinstance(stored.event, SystemEvent) and stored.event.event_type == event_type
    ]


async def changes(config: NAQConfig) -> dict[str, tuple[str | None, str | None]]:
    return {event.key or "": (event.old, event.new) for event in await told(config, "config_changed")}


async def test_what_can_change_does_and_each_setting_is_told_of(config: NAQConfig, tmp_path: Path) -> None:
    file = tmp_path / "naq.toml"
    file.write_text("[worker]\nconcurrency = 1\n[dead]\nmax_age = 100\n")
    marks = [tmp_path / f"mark-{number}" for number in range(3)]
    async with Queue(config=config) as queue, worker_of(config, file) as process:
        handles = [await queue.enqueue(tasks.nap, 60.0, mark) for mark in marks]
        await eventually(lambda: any(mark.exists() for mark in marks))
        assert sum(mark.exists() for mark in marks) == 1

        file.write_text("[worker]\nconcurrency = 3\n[dead]\nmax_age = 200\n")
        process.send_signal(signal.SIGHUP)

        await eventually(lambda: all(mark.exists() for mark in marks))
        await eventually(lambda: changes(config))
        assert await changes(config) == {"worker.concurrency": ("1", "3")}
        async with ServiceManager(config, role="test") as services:
            monitor = await services.get_service(Monitor)

            async def shown() -> bool:
                return (await monitor.worker("anna")).concurrency_limit == 3

            await eventually(shown)
        for handle in handles:
            await handle.cancel()
        process.terminate()
        _, err = await process.communicate()

    assert "worker.concurrency: 3, was 1" in err.decode()
    assert "changed, and needs a restart: dead.max_age" in err.decode()


async def test_fewer_jobs_at_a_time_let_those_that_run_go_on(config: NAQConfig, tmp_path: Path) -> None:
    file = tmp_path / "naq.toml"
    file.write_text("[worker]\nconcurrency = 2\n")
    marks = [tmp_path / f"mark-{number}" for number in range(4)]
    async with Queue(config=config) as queue, worker_of(config, file) as process:
        first = [await queue.enqueue(tasks.nap, 60.0, mark) for mark in marks[:2]]
        await eventually(lambda: all(mark.exists() for mark in marks[:2]))
        file.write_text("[worker]\nconcurrency = 1\n")
        process.send_signal(signal.SIGHUP)
        await eventually(lambda: changes(config))

        rest = [await queue.enqueue(tasks.nap, 60.0, mark) for mark in marks[2:]]
        await first[0].cancel()
        await asyncio.sleep(0.5)  # nothing is to begin meanwhile
        assert not any(mark.exists() for mark in marks[2:])
        await first[1].cancel()
        await eventually(lambda: any(mark.exists() for mark in marks[2:]))
        assert sum(mark.exists() for mark in marks[2:]) == 1
        for handle in rest:
            await handle.cancel()


async def test_a_file_with_a_mistake_changes_nothing_and_is_an_error(config: NAQConfig, tmp_path: Path) -> None:
    file = tmp_path / "naq.toml"
    file.write_text("[worker]\nconcurrency = 1\n")
    async with worker_of(config, file) as process:
        file.write_text("[worker]\nconcurrency = -1\nshutdown_grace = 3\n")
        process.send_signal(signal.SIGHUP)

        (error,) = await eventually(lambda: told(config, "error"))

        assert (error.part, error.error_type) == ("config", "ConfigError")
        assert "setting worker.concurrency: expected a whole number >= 1, got -1" in (error.error_message or "")
        assert await changes(config) == {}
        assert process.returncode is None


async def test_what_was_said_on_the_command_line_stays(config: NAQConfig, tmp_path: Path) -> None:
    file = tmp_path / "naq.toml"
    file.write_text("[worker]\nconcurrency = 1\n[jobs]\nsweep_interval = 10\n")
    async with worker_of(config, file, "--concurrency", "2") as process:
        file.write_text("[worker]\nconcurrency = 9\n[jobs]\nsweep_interval = 20\n")
        process.send_signal(signal.SIGHUP)

        await eventually(lambda: changes(config))

        assert await changes(config) == {"jobs.sweep_interval": ("10.0", "20.0")}
        process.terminate()
        _, err = await process.communicate()
    assert "needs a restart" not in err.decode()


async def test_a_supervisor_has_all_of_its_workers_read_again(config: NAQConfig, tmp_path: Path) -> None:
    file = tmp_path / "naq.toml"
    file.write_text("[worker]\nconcurrency = 1\n")
    async with worker_of(config, file, "--processes", "2") as process:
        async with ServiceManager(config, role="test") as services:
            monitor = await services.get_service(Monitor)

            async def both() -> bool:
                return {one.state for one in await monitor.workers()} == {"idle"} and len(await monitor.workers()) == 2

            await eventually(both)
        file.write_text("[worker]\nconcurrency = 2\n")
        process.send_signal(signal.SIGHUP)

        async def both_told() -> bool:
            return len(await told(config, "config_changed")) == 2

        await eventually(both_told)
        process.terminate()
        await process.wait()


async def test_a_scheduler_reads_again_what_it_goes_by(config: NAQConfig, tmp_path: Path) -> None:
    file = tmp_path / "naq.toml"
    file.write_text("[scheduler]\nchores_interval = 10\n")
    arguments = ("run-scheduler", "--config", str(file))
    async with started("naq_tui.cli.main", *arguments, config=config) as process:
        await eventually(lambda: told(config, "leader_elected"))
        file.write_text("[scheduler]\nchores_interval = 5\n")
        process.send_signal(signal.SIGHUP)

        await eventually(lambda: changes(config))

        assert await changes(config) == {"scheduler.chores_interval": ("10.0", "5.0")}
        process.terminate()
        assert await process.wait() == 0


async def test_a_worker_that_is_to_say_more_does(config: NAQConfig, tmp_path: Path) -> None:
    file = tmp_path / "naq.toml"
    file.write_text("[log]\nlevel = 'warning'\n")
    async with worker_of(config, file) as process:
        file.write_text("[log]\nlevel = 'debug'\n")
        process.send_signal(signal.SIGHUP)
        await eventually(lambda: changes(config))
        process.terminate()
        _, err = await process.communicate()

    assert await changes(config) == {"log.level": ("warning", "debug")}
    assert "worker anna: tasks" not in err.decode()
    assert "worker anna stopped" in err.decode()


async def test_one_that_begins_with_other_settings_than_the_last_of_its_name_says_which(
    config: NAQConfig, tmp_path: Path
) -> None:
    file = tmp_path / "naq.toml"
    file.write_text("[worker]\ncommit_size = 8\nqueue_order = 'fair'\n[nats]\nuser = 'ada'\npassword = 'hidden1'\n")
    async with worker_of(config, file):
        pass
    assert await changes(config) == {}, "nobody was there before"

    file.write_text("[worker]\ncommit_size = 16\nqueue_order = 'fair'\n[nats]\nuser = 'ada'\npassword = 'hidden2'\n")
    async with worker_of(config, file):
        await eventually(lambda: changes(config))

    assert await changes(config) == {"worker.commit_size": ("8", "16")}


async def test_what_changed_while_the_last_one_ran_is_no_news_to_the_next(config: NAQConfig, tmp_path: Path) -> None:
    file = tmp_path / "naq.toml"
    file.write_text("[worker]\nconcurrency = 1\ncommit_size = 8\n")
    async with worker_of(config, file) as process:
        file.write_text("[worker]\nconcurrency = 2\ncommit_size = 16\n")
        process.send_signal(signal.SIGHUP)
        await eventually(lambda: changes(config))
        process.terminate()
        await process.wait()

    async with worker_of(config, file):

        async def told_of_both() -> bool:
            return len(await told(config, "config_changed")) == 2

        await eventually(told_of_both)

    assert [event.key for event in await told(config, "config_changed")] == ["worker.concurrency", "worker.commit_size"]


async def test_a_processor_reads_again_what_it_can_change(config: NAQConfig, tmp_path: Path) -> None:
    file = tmp_path / "naq.toml"
    file.write_text("[log]\nlevel = 'info'\n")
    (tmp_path / "mine.py").write_text("async def take(event): pass\n")
    arguments = ("run-processor", "mine", "--processor", "mine:take", "--config", str(file))
    async with started("naq_tui.cli.main", *arguments, config=config, cwd=tmp_path) as process:
        assert process.stderr is not None
        assert b"processor mine: " in await process.stderr.readline()
        file.write_text("[log]\nlevel = 'error'\n")
        process.send_signal(signal.SIGHUP)

        await eventually(lambda: changes(config))

        assert await changes(config) == {"log.level": ("info", "error")}
        process.terminate()
        assert await process.wait() == 0


def test_secrets_are_never_shown() -> None:
    secret = NAQConfig.load(
        environ={},
        arguments={
            "nats.url": "nats://ada:hidden1@host:4222",
            "nats.password": "hidden2",
            "nats.token": "hidden3",
        },
    )

    shown = " ".join(shown_setting(key, value) for key, value in settings_of(secret).items())

    assert "hidden1" not in shown
    assert "hidden2" not in shown
    assert "hidden3" not in shown
