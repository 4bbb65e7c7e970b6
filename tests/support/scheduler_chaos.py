"""Schedulers at their worst: killed, stopped, sent home, the server restarted, and every tick is accounted for.

Somebody takes each job out of its queue at once, as a worker would, and notes when the server stored it. So a tick that
was made twice is two jobs of one id, stored at two times. At the end the jobs are compared with the timetables, with
the records of the schedules and with the events.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from naq_runtime import Job, NAQConfig, ScheduleConfig, SchedulerService, ServiceManager
from naq_runtime.clock import nanoseconds_of
from naq_runtime.errors import NaqError
from naq_runtime.events.models import ScheduleEvent, ScheduleEventType
from naq_runtime.nats.direct import StoredMessage
from naq_runtime.schedule import Schedule, ScheduleState, decode_schedule, tick_id
from naq_runtime.scheduler.leadership import read_leader
from naq_runtime.snapshot import LeaderState
from tests.support.history import all_events
from tests.support.processes import environment
from tests.support.restarting import RestartableServer
from tests.support.sample_tasks import add
from tests.support.waiting import eventually

__all__ = ["HARMS", "Findings", "Plan", "SchedulerChaos"]

HARMS = ("kill leader", "stop leader", "resign", "kill server", "kill standby", "restart server")
_EVENTS = 200_000
"""More than there will be."""
_STOPPED = 1.5
"""Leases for which a leader is stopped."""
_PATIENCE_S = 60.0


@dataclass(frozen=True)
class Plan:
    """What is done to the schedulers."""

    schedules: int = 50
    schedulers: int = 3
    seconds: float = 120.0
    pause_s: float = 2.0
    """Between the end of one harm and the next, on average."""
    harms: tuple[str, ...] = HARMS
    """In turn, again and again."""
    lease_s: float = 3.0
    seed: int = 1


@dataclass
class Findings:
    """What came of it."""

    ticks: int = 0
    """That were due."""
    harms: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    missing: list[str] = field(default_factory=list)
    """Ticks without a job."""
    doubled: list[str] = field(default_factory=list)
    """Ticks with more than one job, or with more than one event."""
    wrong: list[str] = field(default_factory=list)
    """Jobs of no tick, and records that say something else than their jobs."""
    unsaid: int = 0
    """Jobs without an event, as those of a scheduler that is killed before it has sent it."""
    lags_ms: list[float] = field(default_factory=list)
    """From the time of each tick to the time at which the server stored its job."""
    calm_lags_ms: list[float] = field(default_factory=list)
    """The same of the ticks that were due while there was a leader and a server."""
    takeovers_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """From each harm that was done to a leader to the record of the next one."""
    outages_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """From each harm to the first job after it."""

    @property
    def faults(self) -> list[str]:
        """All that must not be."""
        return [*self.missing, *self.doubled, *self.wrong]


class Made(NamedTuple):
    """A job as it was stored."""

    job_id: str
    stored_ns: int


class SchedulerChaos:
    """One run.

    Args:
        config: settings, with the address of the server.
        folder: for the log.
    """

    def __init__(self, plan: Plan, server: RestartableServer, config: NAQConfig, folder: Path) -> None:
        self.plan = plan
        self.findings = Findings()
        self._server = server
        self._config = config
        self._log = folder / "schedulers.log"
        self._chance = random.Random(plan.seed)
        self._fleet: dict[str, asyncio.subprocess.Process] = {}
        """Those to which nothing has been done."""
        self._started: list[asyncio.subprocess.Process] = []
        self._number = 0
        self._made: dict[str, set[int]] = defaultdict(set)
        """When the jobs of each id were stored."""
        self._last_made_ns = 0
        self._ends_ns = 0
        """When no more ticks are due."""
        self._planned: dict[str, Schedule] = {}
        self._outages: list[tuple[int, int]] = []

    async def run(self, say: Callable[[str], None] = lambda _: None) -> Findings:
        """Do it all; takes the plan's time and some seconds."""
        begun = time.monotonic()
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._end_fleet)
            services = await stack.enter_async_context(ServiceManager(self._config, role="test"))
            for _ in range(self.plan.schedulers):
                await self._start_one()
            await eventually(lambda: self._leader(services), within=30)
            await self._schedule(await services.get_service(SchedulerService))
            taking = asyncio.create_task(self._take(services))
            stack.callback(taking.cancel)
            with self._told():
                await self._harm(services, say)
                await eventually(lambda: self._all_over(services), within=_PATIENCE_S)
            await self._settled()
            await self._judge(services)
        self._judge_events(await all_events(self._config, _EVENTS))
        self.findings.seconds = time.monotonic() - begun
        return self.findings

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Add to an error what the schedulers said last."""
        try:
            yield
        except Exception as error:
            error.add_note("\n".join(self._log.read_text().splitlines()[-40:]))
            raise

    # Schedules and their jobs

    async def _schedule(self, schedules: SchedulerService) -> None:
        """Half of them at a rate, half by cron with seconds; of none may a tick be missing."""
        ends_at = datetime.now(UTC) + timedelta(seconds=self.plan.seconds)
        self._ends_ns = int(ends_at.timestamp() * 1e9)
        policy: dict[str, Any] = {"ends_at": ends_at, "missed": "all", "catch_up_limit": 400}
        for number in range(self.plan.schedules):
            seconds = 1 + number // 2 % 5
            rhythm: dict[str, Any] = {"cron": f"*/{seconds} * * * * *"} if number % 2 else {"every": seconds}
            config = ScheduleConfig(schedule_id=f"s{number}", **rhythm, **policy)
            await schedules.schedule_job(Job(add, (number,)), config)
        self._planned = {one.schedule_id: one async for one in schedules.list()}

    async def _take(self, services: ServiceManager) -> None:
        """Take jobs out of their queue for as long as the run lasts."""
        names, streams = services.names, services.streams
        while True:
            with suppress(NaqError):
                async for page in streams.scan(names.jobs_stream, names.job("*", "*")):
                    self._note(page)
                    await streams.delete(names.jobs_stream, [message.sequence for message in page])
            await asyncio.sleep(0.1)

    def _note(self, page: Sequence[StoredMessage]) -> None:
        for message in page:
            made = Made(message.subject.rpartition(".")[2], nanoseconds_of(message.stored_at))
            self._made[made.job_id].add(made.stored_ns)
            self._last_made_ns = max(self._last_made_ns, made.stored_ns)

    async def _all_over(self, services: ServiceManager) -> bool:
        """Whether no record says that something is still due."""
        with suppress(NaqError):
            return all(one.state.is_over for one in await self._records(services))
        return False

    async def _records(self, services: ServiceManager) -> list[Schedule]:
        names = services.names
        pages = services.streams.scan(names.jobs_stream, names.schedule("*"))
        return [decode_schedule(message.data) async for page in pages for message in page]

    async def _settled(self) -> None:
        """Return when no more jobs come."""
        number = -1
        while number != len(self._made):
            number = len(self._made)
            await asyncio.sleep(1)

    # What is done to them

    async def _harm(self, services: ServiceManager, say: Callable[[str], None]) -> None:
        until = time.monotonic() + self.plan.seconds - self.plan.lease_s * 2
        number = 0
        async with asyncio.TaskGroup() as afterwards:
            while True:
                await asyncio.sleep(self.plan.pause_s * (0.5 + self._chance.random()))
                if time.monotonic() > until:
                    return
                harm = self.plan.harms[number % len(self.plan.harms)]
                number += 1
                begun_ns = time.time_ns()
                await self._do(harm, services, afterwards)
                recovered_ns = await self._recovered(time.time_ns())
                self.findings.harms[harm] += 1
                self._outages.append((begun_ns, recovered_ns or self._ends_ns))
                if not recovered_ns:
                    return
                self.findings.outages_s[harm].append((recovered_ns - begun_ns) / 1e9)
                say(f"{harm}: {(recovered_ns - begun_ns) / 1e9:.2f} s to the next job, {len(self._made)} jobs so far")

    async def _do(self, harm: str, services: ServiceManager, afterwards: asyncio.TaskGroup) -> None:
        match harm:
            case "kill server":
                await asyncio.sleep(1 - time.time() % 1 + self._chance.random() * 0.03)  # while ticks are being stored
                await self._server.kill()
                await asyncio.sleep(self._chance.random())
                await self._server.start()
            case "restart server":
                await self._server.stop()
                await self._server.start()
            case "kill standby":
                leader = await self._leader(services)
                name = next(name for name in self._fleet if leader is None or name != leader.instance_id)
                standby = self._fleet.pop(name)
                standby.kill()
                await standby.wait()
                await self._start_one()
            case _:
                await self._harm_leader(harm, services, afterwards)

    async def _harm_leader(self, harm: str, services: ServiceManager, afterwards: asyncio.TaskGroup) -> None:
        leader = await eventually(lambda: self._leader(services), within=_PATIENCE_S)
        assert leader is not None
        process = self._fleet.pop(leader.instance_id)
        signals = {"kill leader": signal.SIGKILL, "stop leader": signal.SIGSTOP, "resign": signal.SIGTERM}
        begun_ns = time.time_ns()
        process.send_signal(signals[harm])
        taken_ns = await self._taken_over(services, leader)
        self.findings.takeovers_s[harm].append((taken_ns - begun_ns) / 1e9)
        if harm == "stop leader":
            stopped_s = _STOPPED * self.plan.lease_s - (time.time_ns() - begun_ns) / 1e9
            afterwards.create_task(self._go_on(leader.instance_id, process, stopped_s))
        else:
            await process.wait()
            await self._start_one()

    async def _go_on(self, name: str, process: asyncio.subprocess.Process, after_s: float) -> None:
        await asyncio.sleep(max(0.0, after_s))
        process.send_signal(signal.SIGCONT)
        self._fleet[name] = process

    async def _leader(self, services: ServiceManager) -> LeaderState | None:
        """Who leads, of those that run."""
        with suppress(NaqError):
            leader, _ = await read_leader(services.streams, services.names)
            return leader if leader is not None and leader.instance_id in self._fleet else None
        return None

    async def _taken_over(self, services: ServiceManager, before: LeaderState) -> int:
        """When somebody else has had the record, by the server's clock."""

        async def taken() -> int:
            bucket = services.names.leader_bucket
            key = services.names.bucket_key(bucket, "scheduler")
            with suppress(NaqError):
                (message,) = await services.streams.last(services.names.bucket_stream(bucket), [key])
                leader, _ = await read_leader(services.streams, services.names)
                if leader is not None and leader.instance_id and leader.term > before.term:
                    return nanoseconds_of(message.stored_at)
            return 0

        return await eventually(taken, within=_PATIENCE_S)

    async def _recovered(self, since_ns: int) -> int:
        """When a job was stored after a moment; 0 when the timetables have ended and none is to come any more."""
        await eventually(lambda: self._last_made_ns > since_ns or time.time_ns() > self._ends_ns, within=_PATIENCE_S)
        return min((moment for moments in self._made.values() for moment in moments if moment > since_ns), default=0)

    async def _start_one(self) -> None:
        """Start one, and wait until it is up: it would end at once if the server were away by then."""
        self._number += 1
        name = f"boris-{self._number}"
        extra = {"NAQ_SCHEDULER_LEASE": str(self.plan.lease_s)}
        with self._log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "naq_tui.cli.main", "run-scheduler", "--instance-id", name),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(self._config, extra),
            )
        self._started.append(process)
        await eventually(lambda: f"I scheduler {name}\n" in self._log.read_text(), within=_PATIENCE_S)
        self._fleet[name] = process

    async def _end_fleet(self) -> None:
        left = [process for process in self._started if process.returncode is None]
        for process in left:
            process.terminate()
            process.send_signal(signal.SIGCONT)
        await asyncio.gather(*(process.wait() for process in left))

    # What came of it

    async def _judge(self, services: ServiceManager) -> None:
        findings = self.findings
        records = {one.schedule_id: one for one in await self._records(services)}
        expected: set[str] = set()
        for schedule_id, planned in self._planned.items():
            ticks = list(planned.ticks_after(planned.created_at_ns))
            expected |= {tick_id(schedule_id, due_ns) for due_ns in ticks}
            findings.ticks += len(ticks)
            for due_ns in ticks:
                self._judge_tick(tick_id(schedule_id, due_ns), due_ns)
            record = records.get(schedule_id)
            if record is None or record.ticks != len(ticks) or record.state is not ScheduleState.FINISHED:
                findings.wrong.append(f"{schedule_id}: {len(ticks)} ticks were due, and its record says {record}")
        findings.wrong += [f"{job_id}: is the job of no tick" for job_id in set(self._made) - expected]

    def _judge_tick(self, job_id: str, due_ns: int) -> None:
        moments = sorted(self._made.get(job_id, ()))
        if not moments:
            self.findings.missing.append(f"{job_id}: no job")
            return
        if len(moments) > 1:
            self.findings.doubled.append(
                f"{job_id}: {len(moments)} jobs, {(moments[-1] - moments[0]) / 1e9:.3f} s apart"
            )
        lag_ms = (moments[0] - due_ns) / 1e6
        self.findings.lags_ms.append(lag_ms)
        if not any(from_ns <= due_ns <= to_ns for from_ns, to_ns in self._outages):
            self.findings.calm_lags_ms.append(lag_ms)

    def _judge_events(self, events: Sequence[Any]) -> None:
        said = Counter(
            stored.event.job_id
            for stored in events
            if isinstance(stored.event, ScheduleEvent) and stored.event.event_type is ScheduleEventType.TRIGGERED
        )
        findings = self.findings
        findings.doubled += [f"{job_id}: {count} events" for job_id, count in said.items() if count > 1]
        findings.wrong += [f"{job_id}: an event and no job" for job_id in set(said) - set(self._made)]
        findings.unsaid = len(set(self._made) - set(said))
