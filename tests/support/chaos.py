"""A queue at its worst: workers are killed, the server is restarted, and every job is accounted for.

A producer enqueues jobs of every kind; a side ledger, a plain file, has each beginning and each end of a job's
function. At the end, outcomes, ledger and events are compared.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from naq_runtime import (
    After,
    EventService,
    Job,
    JobEvent,
    JobService,
    JobStatus,
    NAQConfig,
    NotFound,
    Queue,
    ServiceManager,
)
from naq_runtime.errors import DuplicateJob, NaqError
from naq_runtime.jobs.store import JobStore
from naq_runtime.nats.bucket import LeaseBucket
from naq_runtime.services.jobs import PartlyRefused
from naq_runtime.worker.amends import Amends
from tests.support import chaos_tasks as tasks
from tests.support.history import all_events
from tests.support.lifecycle import Stage, faults, last_stages
from tests.support.processes import environment
from tests.support.restarting import RestartableServer
from tests.support.waiting import eventually

__all__ = ["Chaos", "Findings", "Plan"]

MODULE = "tests.support.chaos_tasks"
_GROUP = 20
"""Jobs that are enqueued together, one of each kind."""
_EVENTS = 200_000
"""More than there will be."""
_RECOVERY_NS = 15_000_000_000
"""So long after an outage an acknowledgement may still turn out to be lost."""


@dataclass(frozen=True)
class Plan:
    """What is done to the queue."""

    jobs: int = 20_000
    workers: int = 5
    concurrency: int = 20
    kill_every_s: float = 2.0
    restart_every_s: float = 20.0
    """Of the server; it is killed like the workers."""
    seconds: float = 120.0
    """For which jobs come in and processes are killed."""
    seed: int = 1


@dataclass
class Findings:
    """What came of it."""

    accepted: int = 0
    kills: int = 0
    restarts: int = 0
    seconds: float = 0.0
    statuses: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    """Jobs without an outcome, or with one that the ledger belies."""
    wrong: list[str] = field(default_factory=list)
    """Jobs that ended otherwise than they must."""
    repeated: int = 0
    """Attempts whose function began more than once."""
    unexplained: list[str] = field(default_factory=list)
    """Those of them that no killed worker and no outage explains."""
    amended: int = 0
    """Events that killed workers had not told, and that were told for them at the end."""
    gaps: int = 0
    """Jobs whose events have gaps, as those do that a killed process could not store."""
    endless: int = 0
    """Those of them that lack their last event."""
    rewound: int = 0
    """Jobs that went on from an earlier state, as the server did that was killed."""
    illegal: list[str] = field(default_factory=list)
    """Jobs whose events cannot have happened in that order, whatever is missing."""

    @property
    def faults(self) -> list[str]:
        """All that must not be."""
        return [*self.lost, *self.wrong, *self.unexplained, *self.illegal]


class Chaos:
    """One run.

    Args:
        config: settings, with the address of the server.
        folder: for the ledger and the logs.
    """

    def __init__(self, plan: Plan, server: RestartableServer, config: NAQConfig, folder: Path) -> None:
        self.plan = plan
        self.findings = Findings()
        self.ledger = folder / "ledger"
        self._server = server
        self._config = config
        self._log = folder / "workers.log"
        self._chance = random.Random(plan.seed)
        self._workers: list[asyncio.subprocess.Process] = []
        self._died: dict[int, int] = {}
        """When each worker was killed, by its process."""
        self._outages: list[tuple[int, int]] = []
        self._expected: dict[str, JobStatus] = {}

    async def run(self, say: Callable[[str], None] = lambda _: None) -> Findings:
        """Do it all; takes the plan's time and what the last jobs need."""
        begun = time.monotonic()
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._end_workers)
            self._workers = [await self._new_worker() for _ in range(self.plan.workers)]
            queue = await stack.enter_async_context(Queue(config=self._config))
            async with asyncio.TaskGroup() as group:
                producing = group.create_task(self._produce(queue))
                wreckers = [group.create_task(self._kill_workers()), group.create_task(self._restart_server(say))]
                await producing
                say(f"{self.findings.accepted} jobs enqueued")
                await asyncio.sleep(max(0.0, self.plan.seconds - (time.monotonic() - begun)))
                for wrecker in wreckers:
                    wrecker.cancel()
            await self._settled(say)
        self.findings.seconds = time.monotonic() - begun
        await self._make_amends()
        await self._judge()
        return self.findings

    # What comes in

    async def _produce(self, queue: Queue) -> None:
        groups = self.plan.jobs // _GROUP
        pause = self.plan.seconds * 0.9 / groups
        due = time.monotonic()
        async with asyncio.TaskGroup() as cancelling:
            for number in range(groups):
                await self._enqueue(queue, list(self._group(f"g{number}")))
                for kind in ("scheduled", "endless"):
                    cancelling.create_task(self._cancel(queue, f"g{number}-{kind}"))
                due += pause
                await asyncio.sleep(max(0.0, due - time.monotonic()))

    def _group(self, group: str) -> Iterator[Job]:
        """Twenty jobs."""
        chance, done = self._chance, JobStatus.COMPLETED
        for number in range(8):
            yield self._job(Job(tasks.plain, (chance.random() * 0.05,), job_id=f"{group}-plain{number}"), done)
        yield self._job(Job(tasks.threaded, (chance.random() * 0.02,), job_id=f"{group}-thread"), done)
        for number in range(3):
            yield self._job(Job(tasks.flaky, (2 + number,), job_id=f"{group}-flaky{number}"), done)
        yield self._job(Job(tasks.doomed, job_id=f"{group}-doomed"), JobStatus.FAILED)
        until_ns = time.time_ns() + 1_000_000_000
        yield self._job(Job(tasks.snoozing, (until_ns,), job_id=f"{group}-snoozing"), done)
        yield self._job(Job(tasks.dependant, depends_on=f"{group}-plain0", job_id=f"{group}-child"), done)
        several = [f"{group}-plain{number}" for number in range(1, 5)]
        yield self._job(Job(tasks.dependant, depends_on=[*several, f"{group}-flaky0"], job_id=f"{group}-fan"), done)
        always = After(f"{group}-doomed", on="always")
        yield self._job(Job(tasks.dependant, depends_on=always, job_id=f"{group}-mourner"), done)
        heir = Job(tasks.dependant, depends_on=f"{group}-doomed", job_id=f"{group}-heir")
        yield self._job(heir, JobStatus.CANCELLED)
        in_an_hour = time.time_ns() + 3_600_000_000_000
        yield self._job(
            Job(tasks.plain, (0.0,), run_at_ns=in_an_hour, job_id=f"{group}-scheduled"), JobStatus.CANCELLED
        )
        yield self._job(Job(tasks.endless, job_id=f"{group}-endless"), JobStatus.CANCELLED)

    def _job(self, job: Job, expected: JobStatus) -> Job:
        self._expected[job.job_id] = expected
        return job

    async def _enqueue(self, queue: Queue, jobs: list[Job]) -> None:
        """As a careful producer does: what was not confirmed is looked up, and enqueued again if it is not there."""
        to_do = jobs
        while to_do:
            try:
                await queue.enqueue_many(to_do)
            except PartlyRefused as partly:
                refused = partly.refused
            except NaqError as error:
                refused = {job.job_id: error for job in to_do}
            else:
                break
            await asyncio.sleep(0.2)
            to_do = [job for job in to_do if job.job_id in refused and not await self._known(queue, job, refused)]
        self.findings.accepted += len(jobs)

    async def _known(self, queue: Queue, job: Job, refused: dict[str, NaqError]) -> bool:
        if isinstance(refused[job.job_id], DuplicateJob):
            return True
        while True:
            try:
                await queue.handle(job.job_id).status()
            except NotFound:
                return False
            except NaqError:
                await asyncio.sleep(0.2)
            else:
                return True

    async def _cancel(self, queue: Queue, job_id: str) -> None:
        await asyncio.sleep(self._chance.random() * 3)
        while True:
            try:
                await queue.handle(job_id).cancel()
            except NaqError:
                await asyncio.sleep(0.2)
            else:
                return

    # What is done to it

    async def _new_worker(self) -> asyncio.subprocess.Process:
        arguments = ("-m", MODULE, "-c", str(self.plan.concurrency))
        extra = {"NAQ_JOBS_SWEEP_INTERVAL": "2", "NAQ_JOBS_POISON_AFTER": "50", tasks.LEDGER: str(self.ledger)}
        with self._log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "naq_tui.cli.main", "run-worker", *arguments),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(self._config, extra),
            )

    async def _kill_workers(self) -> None:
        while True:
            await asyncio.sleep(self.plan.kill_every_s)
            place = self._chance.randrange(len(self._workers))
            victim = self._workers[place]
            if victim.returncode is None:
                victim.kill()
                self.findings.kills += 1
            elif not self._outages:  # only a worker that finds no server when it starts may end by itself
                raise AssertionError(f"a worker has ended with status {victim.returncode}; see {self._log}")
            await victim.wait()
            self._died[victim.pid] = time.time_ns()
            self._workers[place] = await self._new_worker()

    async def _restart_server(self, say: Callable[[str], None]) -> None:
        while True:
            await asyncio.sleep(self.plan.restart_every_s)
            begun_ns = time.time_ns()
            await self._server.kill()
            await asyncio.sleep(self._chance.random())
            await self._server.start()
            self._outages.append((begun_ns, time.time_ns() + _RECOVERY_NS))
            self.findings.restarts += 1
            say(f"server restarted, {self.findings.accepted} jobs enqueued, {self.findings.kills} workers killed")

    async def _end_workers(self) -> None:
        for worker in self._workers:
            with suppress(ProcessLookupError):
                worker.terminate()
        await asyncio.gather(*(worker.wait() for worker in self._workers))

    # What came of it

    async def _settled(self, say: Callable[[str], None], patience_s: float = 60.0) -> None:
        """Return when all jobs have an outcome, or nothing has moved for a while."""
        missing, moved_at = len(self._expected) + 1, time.monotonic()
        while missing and time.monotonic() - moved_at < patience_s:
            await asyncio.sleep(0.5)
            with suppress(NaqError):
                now_missing = len(self._expected) - len(await self._outcomes())
                if now_missing != missing:
                    missing, moved_at = now_missing, time.monotonic()
                    say(f"{missing} jobs to go")

    async def _outcomes(self) -> dict[str, bytes]:
        async with ServiceManager(self._config, role="test") as services:
            await services.get_service(JobService)
            return await JobStore(services.streams, services.names).outcomes(list(self._expected))

    async def _make_amends(self) -> None:
        """Once the leases of the killed are over, tell what they have not told, as a scheduler would."""
        async with ServiceManager(self._config, role="scheduler") as services:
            leases = LeaseBucket(services.connection, services.names, services.names.workers_bucket)

            async def are_over() -> bool:
                return not await leases.values()

            await eventually(are_over, within=60)
            events = await services.get_service(EventService)
            self.findings.amended = await Amends(services, events).sweep()

    async def _judge(self) -> None:
        self._judge_ledger(await self._judge_outcomes())
        stories: dict[str, list[JobEvent]] = defaultdict(list)
        for stored in await all_events(self._config, _EVENTS):
            if isinstance(stored.event, JobEvent):
                stories[stored.event.job_id].append(stored.event)
        for job_id in self._expected:
            self._judge_story(job_id, sorted(stories[job_id], key=lambda event: event.timestamp_ns))

    async def _judge_outcomes(self) -> set[str]:
        """Compare how jobs ended with how they must; the ids of those that completed."""
        outcomes, completed, findings = await self._outcomes(), set(), self.findings
        async with ServiceManager(self._config, role="test") as services:
            for job_id, expected in self._expected.items():
                if job_id not in outcomes:
                    findings.lost.append(f"{job_id}: no outcome")
                    continue
                result = services.serializer.decode_outcome(outcomes[job_id]).result
                findings.statuses[result.status.value] += 1
                if result.status is not expected:
                    findings.wrong.append(f"{job_id}: {result.status.value} ({result.error_type}: {result.error})")
                if result.status is JobStatus.COMPLETED:
                    completed.add(job_id)
        return completed

    def _judge_ledger(self, completed: set[str]) -> None:
        """Find ends that were claimed and never happened, and attempts that were made twice."""
        notes = tasks.read(self.ledger)
        ended = {note.job_id for note in notes if note.what is tasks.What.ENDED}
        self.findings.lost += [f"{job_id}: completed, but never ran to its end" for job_id in completed - ended]
        begun: dict[tuple[str, int], list[tasks.Note]] = defaultdict(list)
        for note in notes:
            if note.what is tasks.What.BEGUN and not note.job_id.endswith("-snoozing"):
                begun[note.job_id, note.attempt].append(note)
        for (job_id, attempt), runs in begun.items():
            self.findings.repeated += len(runs) - 1
            for one, next_one in pairwise(runs):
                if not self._explained(one, next_one):
                    self.findings.unexplained.append(f"{job_id}: attempt {attempt} was made twice")

    def _explained(self, one: tasks.Note, next_one: tasks.Note) -> bool:
        """Whether the first worker died in between, or the server was away."""
        died_ns = self._died.get(one.pid)
        if died_ns is not None and one.time_ns <= died_ns <= next_one.time_ns:
            return True
        return any(from_ns <= next_one.time_ns and one.time_ns <= to_ns for from_ns, to_ns in self._outages)

    def _judge_story(self, job_id: str, events: list[JobEvent]) -> None:
        if not faults(events) and last_stages(events) <= {Stage.KEPT, Stage.BURIED}:
            return
        wrong = faults(events, gaps=True)
        if wrong and not self._was_rewound(events):
            story = " ".join(f"{event.event_type}:{event.attempt}" for event in events)
            self.findings.illegal.append(f"{job_id}: {'; '.join(wrong)} ({story})")
        elif wrong:
            self.findings.rewound += 1
        else:
            self.findings.gaps += 1
            self.findings.endless += not last_stages(events, gaps=True) & {Stage.KEPT, Stage.BURIED}

    def _was_rewound(self, events: list[JobEvent]) -> bool:
        """Whether it makes two legal stories: the server was killed, and has gone on with an earlier state."""
        for place, event in enumerate(events):
            if any(from_ns <= event.timestamp_ns <= to_ns for from_ns, to_ns in self._outages):
                before, after = events[:place], events[place:]
                if not faults(before, gaps=True) and not faults(after, gaps=True):
                    return True
        return False
