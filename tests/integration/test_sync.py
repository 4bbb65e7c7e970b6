"""Queues without asyncio: from threads, over forks, and at the end of a process."""

from __future__ import annotations

import asyncio
import inspect
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

import naq_runtime
from naq_runtime import (
    EmbeddedServer,
    Job,
    JobFailed,
    JobStatus,
    NAQConfig,
    PartlyRefused,
    ResultTimeout,
    ScheduleConfig,
    ScheduleFilter,
    background,
)
from naq_runtime.errors import InvalidName, NotFound, NotImportable, ServerUnreachable
from naq_runtime.sync import JobHandle, Queue, Schedules, close
from tests.conftest import MakeConfig
from tests.support import sample_tasks as tasks
from tests.support.history import event_types
from tests.support.server import config_for
from tests.support.waiting import eventually
from tests.support.workers import running_worker


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """Each test begins with nothing open."""
    close()
    yield
    close()


def connections_to(config: NAQConfig) -> int:
    """Of this process."""
    port = int(config.nats.url.rpartition(":")[2])
    return sum(bool(c.raddr) and c.raddr.port == port for c in psutil.Process().net_connections("tcp"))


async def test_a_job_runs_and_its_result_comes_back(config: NAQConfig) -> None:
    def produce() -> object:
        with Queue("mail", config=config) as queue:
            handle = queue.enqueue(tasks.add, 2, right=40)
            return handle.result(timeout=30)

    async with running_worker(config, "mail"):
        assert await asyncio.to_thread(produce) == 42


async def test_a_queue_opens_by_itself_at_the_first_call(config: NAQConfig) -> None:
    queue = Queue(config=config)
    assert connections_to(config) == 0

    handle = await asyncio.to_thread(queue.enqueue, tasks.add, 1)

    async with running_worker(config):
        assert (await asyncio.to_thread(handle.outcome, 10)).status is JobStatus.COMPLETED


async def test_the_error_of_a_job_comes_back_as_it_does_elsewhere(config: NAQConfig) -> None:
    queue = Queue(config=config)
    async with running_worker(config):
        handle = await asyncio.to_thread(queue.enqueue, tasks.fail, "out of paper")

        with pytest.raises(JobFailed, match="ValueError: out of paper"):
            await asyncio.to_thread(handle.result, 10)


def test_a_result_that_does_not_come_in_time_is_an_error_of_its_own(config: NAQConfig) -> None:
    with Queue(config=config) as queue, pytest.raises(ResultTimeout, match=r"within 0\.2 s"):
        queue.enqueue(tasks.add, 1).result(timeout=0.2)


def test_what_cannot_be_enqueued_is_refused_at_the_call(config: NAQConfig) -> None:
    queue = Queue(config=config)

    with pytest.raises(NotImportable, match="lambda"):
        queue.enqueue(lambda: None)
    with pytest.raises(ValueError, match="has no time zone"):
        queue.enqueue_at(datetime(2030, 1, 1), tasks.add, 1)
    with pytest.raises(InvalidName):
        queue.handle("a b")
    with pytest.raises(InvalidName):
        Queue("a b", config=config)


def test_jobs_for_later_stand_as_such_and_can_be_cancelled(config: NAQConfig) -> None:
    with Queue(config=config) as queue:
        soon = queue.enqueue_in(600, tasks.add, 1)
        later = queue.enqueue_at(datetime(2100, 1, 1, tzinfo=UTC), tasks.add, 1)

        assert [soon.status(), later.status()] == [JobStatus.SCHEDULED] * 2
        assert soon.cancel("not needed") is True
        assert soon.status() is JobStatus.CANCELLED


async def test_many_jobs_are_made_in_the_thread_of_the_caller(config: NAQConfig) -> None:
    threads = set()

    def jobs() -> Iterator[Job]:
        for number in range(100):
            threads.add(threading.current_thread())
            yield Job(tasks.add, (number,))

    def produce() -> list[JobHandle]:
        threads.add(threading.current_thread())
        return Queue(config=config).enqueue_many(jobs())

    handles = await asyncio.to_thread(produce)

    assert len(threads) == 1
    async with running_worker(config):
        assert await asyncio.to_thread(handles[-1].result, 10) == 100


def test_of_many_jobs_those_refused_are_named(config: NAQConfig) -> None:
    with pytest.raises(PartlyRefused) as caught:
        Queue(config=config).enqueue_many([Job(tasks.add, (1,)), Job(tasks.huge, ("x" * 2_000_000,), job_id="big")])

    assert list(caught.value.refused) == ["big"]


async def test_a_handle_on_a_job_of_elsewhere(config: NAQConfig) -> None:
    async with naq_runtime.Queue(config=config) as queue, running_worker(config):
        job_id = (await queue.enqueue(tasks.add, 1)).job_id

        assert await asyncio.to_thread(Queue(config=config).handle(job_id).result, 10) == 2


# Threads and loops


def test_all_queues_of_many_threads_share_one_connection_and_one_thread(config: NAQConfig) -> None:
    def produce(number: int) -> str:
        return Queue(f"q{number % 5}", config=config).enqueue(tasks.add, number).job_id

    with ThreadPoolExecutor(16) as pool:
        ids = set(pool.map(produce, range(200)))

    assert len(ids) == 200
    assert connections_to(config) == 1
    assert [thread.name for thread in threading.enumerate()].count("naq") == 1


def test_queues_of_other_settings_have_a_connection_of_their_own(make_config: MakeConfig) -> None:
    one, other = make_config(), make_config()
    for config in (one, other, one):
        Queue(config=config).enqueue(tasks.add, 1)

    assert connections_to(one) == 2


def test_threads_that_come_while_the_server_is_away_all_hear_of_it_at_once() -> None:
    config = config_for("nats://192.0.2.1:4222", nats__connect_timeout=2)  # an address that never answers
    begun = time.monotonic()

    def attempt(_: int) -> str:
        with pytest.raises(ServerUnreachable) as caught:
            Queue(config=config).enqueue(tasks.add, 1)
        return str(caught.value)

    with ThreadPoolExecutor(8) as pool:
        assert len(list(pool.map(attempt, range(8)))) == 8
    assert time.monotonic() - begun < 14  # one after the other they would take sixteen seconds


async def test_a_server_that_was_away_is_found_at_the_next_call(tmp_path: Path) -> None:
    async with EmbeddedServer() as server:
        port = int(server.url.rpartition(":")[2])
    queue = Queue(config=config_for(f"nats://127.0.0.1:{port}"))
    with pytest.raises(ServerUnreachable):
        await asyncio.to_thread(queue.enqueue, tasks.add, 1)

    async with EmbeddedServer(port=port):
        assert await asyncio.to_thread(lambda: queue.enqueue(tasks.add, 1).status()) is JobStatus.QUEUED
        await asyncio.to_thread(close)


def test_a_connection_that_was_closed_for_good_is_replaced_at_the_next_call(config: NAQConfig) -> None:
    queue = Queue(config=config)
    handle = queue.enqueue(tasks.add, 1)

    async def shut(running: background.Background) -> None:
        await (await running.services(config)).connection.close()

    background.call(shut)

    assert queue.enqueue(tasks.add, 1).status() is JobStatus.QUEUED
    assert handle.status() is JobStatus.QUEUED


async def test_where_a_loop_runs_it_says_what_to_use_instead(config: NAQConfig) -> None:
    queue = Queue(config=config)

    with pytest.raises(RuntimeError, match=r"use naq_runtime\.Queue, and await it"):
        queue.enqueue(tasks.add, 1)
    with pytest.raises(RuntimeError, match="an event loop runs in this thread"), queue:
        pass
    with pytest.raises(RuntimeError, match="an event loop runs in this thread"):
        close()
    await asyncio.to_thread(close)


def is_waited_for() -> bool:
    """Whether somebody waits on the loop for the outcome of a job."""

    async def waits(_: background.Background) -> bool:
        return any("JobService.wait" in awaited(task.get_coro()) for task in asyncio.all_tasks())

    return background.call(waits)


def awaited(coroutine: object) -> Iterator[str]:
    """The name of a coroutine, and those of the ones that it waits for."""
    while coroutine is not None:
        yield getattr(coroutine, "__qualname__", "")
        coroutine = getattr(coroutine, "cr_await", None)


def in_another_thread(action: Callable[[], None], *, once: Callable[[], bool]) -> threading.Thread:
    """Do something there as soon as a condition holds."""

    def wait_and_act() -> None:
        asyncio.run(eventually(lambda: asyncio.to_thread(once)))
        action()

    thread = threading.Thread(target=wait_and_act)
    thread.start()
    return thread


def test_ctrl_c_ends_the_wait_here_and_in_the_loop(config: NAQConfig) -> None:
    handle = Queue(config=config).enqueue(tasks.add, 1)

    thread = in_another_thread(lambda: os.kill(os.getpid(), signal.SIGINT), once=is_waited_for)
    with pytest.raises(KeyboardInterrupt):
        handle.result()

    thread.join()
    in_another_thread(lambda: None, once=lambda: not is_waited_for()).join()
    assert handle.status() is JobStatus.QUEUED


# The end


async def test_the_end_of_a_with_block_has_stored_all_events(make_config: MakeConfig) -> None:
    config = make_config(events__flush_interval=60)

    def produce() -> str:
        with Queue(config=config) as queue:
            return queue.enqueue(tasks.add, 1).job_id

    assert await event_types(config, await asyncio.to_thread(produce)) == ["enqueued"]


def test_what_was_closed_opens_again(config: NAQConfig) -> None:
    queue = Queue(config=config)
    handle = queue.enqueue(tasks.add, 1)

    close()
    assert connections_to(config) == 0

    assert handle.status() is JobStatus.QUEUED
    close()
    close()


def test_a_call_that_waits_while_all_is_closed_ends_with_an_error(config: NAQConfig) -> None:
    handle = Queue(config=config).enqueue(tasks.add, 1)

    thread = in_another_thread(close, once=is_waited_for)
    with pytest.raises(RuntimeError, match="was closed while this call waited"):
        handle.result()

    thread.join()


def test_a_handle_goes_to_another_process_by_pickle(config: NAQConfig) -> None:
    handle = Queue(config=config).enqueue(tasks.add, 1)

    there = pickle.loads(pickle.dumps(handle))

    assert there.job_id == handle.job_id
    assert there.status() is JobStatus.QUEUED


# Schedules


def test_schedules_are_declared_seen_and_changed(config: NAQConfig) -> None:
    queue, when = Queue("mail", config=config), ScheduleConfig(every=3600, schedule_id="report")
    for _ in range(2):
        assert queue.schedule(tasks.add, 1, when=when, replace=True) == "report"
    schedules = queue.schedules()

    schedules.pause("report", "stocktaking")
    schedules.resume("report")
    changed = schedules.modify("report", cron="0 9 * * *", args=(2,))

    assert (changed.cron, changed.queue_name) == ("0 9 * * *", "mail")
    assert schedules.get("report") == changed == schedules.list(ScheduleFilter(queue_name="mail"))[0]
    assert len(schedules.next_runs("report", 3)) == 3
    assert queue.handle(schedules.trigger_now("report")).status() is JobStatus.QUEUED
    schedules.cancel("report")
    with pytest.raises(NotFound):
        schedules.get("report")


# The two faces


@pytest.mark.parametrize(
    ("blocking", "other"), [(Queue, naq_runtime.Queue), (JobHandle, naq_runtime.JobHandle)], ids=["Queue", "JobHandle"]
)
def test_the_blocking_face_has_all_methods_of_the_other(blocking: type, other: type) -> None:
    def methods(kind: type) -> dict[str, list[str]]:
        public = {name: value for name, value in vars(kind).items() if not name.startswith("_") and callable(value)}
        return {
            name: [str(parameter).partition(":")[0] for parameter in inspect.signature(method).parameters.values()]
            for name, method in public.items()
        }

    assert methods(blocking) == methods(other)


def test_the_blocking_schedules_have_what_people_do_with_them() -> None:
    def parameters(kind: type, name: str) -> list[str]:
        return list(inspect.signature(getattr(kind, name)).parameters)

    names = [name for name in vars(Schedules) if not name.startswith("_")]
    assert set(names) == {
        *("schedule_job", "get", "list", "next_runs", "pause", "resume", "cancel", "modify", "trigger_now")
    }
    for name in set(names) - {"modify"}:
        assert parameters(Schedules, name) == parameters(naq_runtime.SchedulerService, name)
