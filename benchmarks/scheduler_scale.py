"""What many schedules and delayed jobs cost, and whether ticks still come in time.

    python benchmarks/scheduler_scale.py [--schedules 100000] [--delayed 1000000] [--burst 5000] [--idle 60]

Schedules of which none is due soon, and jobs that wait for their time, are stored; then schedulers as processes are
started. Shown are memory, the time until a new leader makes its first tick, the CPU of schedulers that have nothing to
do, the lag of ordinary ticks, and how soon the last of many ticks is out that are due at the same moment. All times are
those at which the server stored the jobs. Ends with status 1 when a promise is not kept.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from naq_runtime import EmbeddedServer, Job, NAQConfig, Queue, ScheduleConfig, ServiceManager
from naq_runtime.clock import nanoseconds_of
from naq_runtime.schedule import tick_id
from naq_runtime.scheduler.planning import planned
from naq_runtime.scheduler.store import ScheduleStore

_MEBIBYTE = 1024 * 1024
_CHUNK = 10_000
_FUNCTION = "shop.report"
_ZONES = ("UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata")
_ORDINARY = 200
_ORDINARY_S = 20
_PATIENCE_S = 120.0


class Tick(NamedTuple):
    """A schedule's job that must come."""

    job_id: str
    due_ns: int


class Scale:
    """One server, filled, and its schedulers."""

    def __init__(self, services: ServiceManager, config: NAQConfig) -> None:
        self._services = services
        self._config = config
        self._store = ScheduleStore(services.streams, services.names)
        self._number = 0
        self.kept: list[bool] = []

    def say(self, name: str, value: str, kept: bool | None = None) -> None:
        """A line of the table; whether a promise was kept, where there is one."""
        if kept is not None:
            self.kept.append(kept)
        print(f"{name:<58}{value}{'' if kept is None else '  kept' if kept else '  NOT KEPT'}", flush=True)

    # Filling

    async def add(self, configs: Iterator[ScheduleConfig]) -> list[Tick]:
        """Store schedules, many at a time; the first tick of each."""
        payload = self._services.serializer.encode_job(Job(_FUNCTION, (17, "monthly"), {"to": "ada@example.com"}))
        ticks: list[Tick] = []
        schedules = [planned(config, "default", _FUNCTION, payload, time.time_ns()) for config in configs]
        for start in range(0, len(schedules), _CHUNK):
            part = schedules[start : start + _CHUNK]
            answers = await self._services.streams.publish([self._store.outgoing(schedule, 0) for schedule in part])
            assert all(isinstance(answer, int) for answer in answers), answers[0]
            ticks += [Tick(tick_id(one.schedule_id, one.next_ns), one.next_ns) for one in part]
        await self._store.changed()
        return ticks

    async def delay(self, count: int) -> None:
        """Have jobs wait for tomorrow."""
        silent = NAQConfig.load(arguments={"nats.url": self._config.nats.url, "events.enabled": False}, environ={})
        run_at_ns = time.time_ns() + 86_400 * 10**9
        async with Queue("default", config=silent) as queue:
            for start in range(0, count, _CHUNK):
                jobs = (
                    Job(_FUNCTION, (number,), run_at_ns=run_at_ns + number * 10**6)
                    for number in range(start, min(count, start + _CHUNK))
                )
                await queue.enqueue_many(jobs)

    # Schedulers

    @asynccontextmanager
    async def scheduler(self) -> AsyncIterator[psutil.Process]:
        """A process of its own."""
        self._number += 1
        command = ("-m", "naq_tui.cli.main", "run-scheduler", "--server", self._config.nats.url)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, *command, "--instance-id", f"boris-{self._number}"), stderr=asyncio.subprocess.DEVNULL
        )
        try:
            yield psutil.Process(process.pid)
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()

    async def lags_ms(self, ticks: list[Tick]) -> list[float]:
        """How long after its time each job was stored, in order; waits for all of them."""
        names = self._services.names
        due = {tick.job_id: tick.due_ns for tick in ticks}
        found: dict[str, float] = {}
        read = 0
        async with asyncio.timeout(_PATIENCE_S):
            while len(found) < len(due):
                async for page in self._services.streams.scan(names.jobs_stream, names.job("*", "*"), read):
                    read = page[-1].sequence
                    for message in page:
                        job_id = message.subject.rpartition(".")[2]
                        if job_id in due:
                            found[job_id] = (nanoseconds_of(message.stored_at) - due[job_id]) / 1e6
                await asyncio.sleep(0.1)
        return sorted(found.values())

    async def at_once(self) -> Tick:
        """A schedule that is due now."""
        self._number += 1
        (tick,) = await self.add(iter([ScheduleConfig(at=datetime.now(UTC), schedule_id=f"now-{self._number}")]))
        return tick

    # Measuring

    async def measure(self, server_pid: int, burst: int, idle_s: float) -> None:
        """Everything but what the server needs to hold it all."""
        tick, begun_ns = await self.at_once(), time.time_ns()
        async with self.scheduler() as leader:
            (lag_ms,) = await self.lags_ms([tick])
            first_s = (tick.due_ns + lag_ms * 1e6 - begun_ns) / 1e9
            value = f"{first_s:.2f} s ({cpu_s(leader):.1f} s of CPU)"
            self.say("a first scheduler, from its start to its first tick", value)
            async with self.scheduler() as standby:
                await self._idle({"leader": leader, "standby": standby, "server": psutil.Process(server_pid)}, idle_s)
                await self._ordinary()
                await self._burst(burst)
                self.say("resident memory of the leader after that", f"{mebibytes(leader)}")
                await self._takeovers(leader, standby)

    async def _idle(self, processes: dict[str, psutil.Process], idle_s: float) -> None:
        await self._quiet(processes.values())
        before = {name: cpu_s(process) for name, process in processes.items()}
        await asyncio.sleep(idle_s)
        for name, process in processes.items():
            share = (cpu_s(process) - before[name]) / idle_s
            kept = None if name == "server" else share < 0.01
            self.say(f"CPU of the idle {name}, over {idle_s:g} s", f"{share:.2%} of a core", kept)
        for name, process in processes.items():
            self.say(f"resident memory of the {name}", f"{mebibytes(process)}")

    async def _quiet(self, processes: Any) -> None:
        """Return when all have read what there is."""
        for process in processes:
            before = -1.0
            while cpu_s(process) - before > 0.05:
                before = cpu_s(process)
                await asyncio.sleep(2)

    async def _ordinary(self) -> None:
        """The lag of ticks that come one after the other."""
        ends_at = datetime.now(UTC) + timedelta(seconds=_ORDINARY_S)
        configs = [
            ScheduleConfig(every=2, phase=number * 2 / _ORDINARY, ends_at=ends_at, schedule_id=f"often-{number}")
            for number in range(_ORDINARY)
        ]
        begun_ns = time.time_ns()
        await self.add(iter(configs))
        schedules = [planned(config, "default", _FUNCTION, b"", begun_ns) for config in configs]
        ticks = [
            Tick(tick_id(one.schedule_id, due_ns), due_ns)
            for one in schedules
            for due_ns in one.ticks_after(begun_ns + 10**9)
        ]
        lags = await self.lags_ms(ticks)
        p50, p99 = lags[len(lags) // 2], lags[int(len(lags) * 0.99)]
        self.say(
            f"lag of {len(lags):,} ticks, 100 a second", f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, most {lags[-1]:.1f} ms"
        )

    async def _burst(self, count: int) -> None:
        """Many at the same moment, by cron and by rate."""
        due = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=8)
        cron = f"{due.second} {due.minute} * * * *"

        def configs() -> Iterator[ScheduleConfig]:
            for number in range(count):
                when: dict[str, Any] = {"cron": cron} if number % 2 else {"every": 3600, "starts_at": due}
                yield ScheduleConfig(schedule_id=f"burst-{number}", **when)

        lags = await self.lags_ms(await self.add(configs()))
        value = f"first {lags[0]:.0f} ms, median {lags[len(lags) // 2]:.0f} ms, last {lags[-1]:.0f} ms"
        self.say(f"lag of {count:,} ticks that are due at the same moment", value, lags[-1] < 1000)

    async def _takeovers(self, leader: psutil.Process, standby: psutil.Process) -> None:
        leader.kill()
        killed_ns, tick = time.time_ns(), await self.at_once()
        (lag_ms,) = await self.lags_ms([tick])
        taken_s = (tick.due_ns + lag_ms * 1e6 - killed_ns) / 1e9
        self.say("from the leader's SIGKILL to the first tick of the next", f"{taken_s:.2f} s", taken_s < 5)
        async with self.scheduler() as third:
            await self._quiet([third])
            standby.terminate()
            resigned_ns, tick = time.time_ns(), await self.at_once()
            (lag_ms,) = await self.lags_ms([tick])
            taken_s = (tick.due_ns + lag_ms * 1e6 - resigned_ns) / 1e9
            self.say("from the leader's SIGTERM to the first tick of the next", f"{taken_s:.2f} s", taken_s < 1)


def cpu_s(process: psutil.Process) -> float:
    """CPU seconds that a process has used."""
    times = process.cpu_times()
    return float(times.user + times.system)


def mebibytes(process: psutil.Process) -> str:
    """Its resident memory."""
    return f"{process.memory_info().rss / _MEBIBYTE:,.0f} MiB"


def distant(count: int) -> Iterator[ScheduleConfig]:
    """Schedules, by cron and by rate, of which none is due within the hour."""
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    for number in range(count):
        if number % 2:
            cron = f"{number % 60} {number // 60 % 24} * * *"
            yield ScheduleConfig(
                cron=cron, timezone=_ZONES[number // 2 % 4], starts_at=tomorrow, schedule_id=f"d{number}"
            )
        else:
            starts_at = tomorrow + timedelta(seconds=number % 86_400)
            yield ScheduleConfig(every=3600 + number % 7200, starts_at=starts_at, schedule_id=f"d{number}")


async def run(schedules: int, delayed: int, burst: int, idle_s: float) -> bool:
    """Measure; whether all promises were kept."""
    async with EmbeddedServer() as server:
        config = NAQConfig.load(arguments={"nats.url": server.url}, environ={})
        process = psutil.Process(server.pid)
        async with ServiceManager(config, role="bench") as services:
            await services.topology.jobs()
            await services.topology.queue("default")
            scale = Scale(services, config)
            scale.say("resident memory of the server, empty", mebibytes(process))
            await scale.add(distant(schedules))
            scale.say(f"the same, with {schedules:,} schedules", mebibytes(process))
            await scale.delay(delayed)
            scale.say(f"the same, with {delayed:,} delayed jobs, too", mebibytes(process))
            await scale.measure(server.pid, burst, idle_s)
            return all(scale.kept)


def main() -> int:
    """Run, and say whether all promises were kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--schedules", type=int, default=100_000)
    parser.add_argument("--delayed", type=int, default=1_000_000)
    parser.add_argument("--burst", type=int, default=5_000, help="ticks that are due at the same moment")
    parser.add_argument("--idle", type=float, default=60.0, dest="idle_s", help="seconds for which CPU is measured")
    given = vars(parser.parse_args())
    os.environ.pop("NAQ_CONFIG", None)
    return not asyncio.run(run(**given))


if __name__ == "__main__":
    sys.exit(main())
