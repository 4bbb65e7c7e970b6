"""A few minutes of a small shop: made up, the same every time, and full enough to look at.

Five queues, one of them paused and one limited; six workers, failures with tracebacks, a burst of orders; one job
that fails three times, and one that waited for others and is in its second attempt; seven schedules.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from naq_runtime.events.models import (
    Event,
    JobEvent,
    JobEventType,
    StoredEvent,
    WorkerEvent,
    WorkerEventType,
)
from naq_runtime.job import After, Job, JobResult, JobStatus
from naq_runtime.snapshot import JobDetail, QueueBacklog, QueueState, ServerState, Snapshot
from naq_runtime.worker.record import WorkerRecord, WorkerState
from naq_tui.source import Batch, ConnectionState, Link
from tests.tui.timetables import Timetables, timetables

__all__ = ["BACKLOGS", "END_NS", "IMPORT_JOB", "TROUBLED_JOB", "Recording", "shop"]

SECOND = 1_000_000_000
END_NS = 1_760_000_400 * SECOND
"""When the recording ends: 2025-10-09 09:00:00 UTC."""
TROUBLED_JOB = "8f3ac21e7d904b6fa1c2"
"""It fails twice, and then for good."""
IMPORT_JOB = "c41d09e77b3a4f5c9e20"
"""It waits for two others, times out, and runs again; it reports its progress, and writes to its log."""

TRACEBACK = """\
Traceback (most recent call last):
  File "/srv/shop/.venv/lib/python3.12/site-packages/naq_runtime/worker/execution.py", line 141, in perform
    result = await call(task.function, *job.args, **job.kwargs)
             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/srv/shop/shop/mail.py", line 58, in send_receipt
    async with smtp(settings.relay, timeout=5) as relay:
               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/srv/shop/shop/smtp.py", line 22, in __aenter__
    raise RelayRefused(f"451 4.7.1 {self.host}: try again later")
shop.smtp.RelayRefused: 451 4.7.1 relay-2.example.net: try again later
"""


@dataclass(frozen=True, slots=True)
class Line:
    """What a queue of the shop is like."""

    queue: str
    functions: tuple[str, ...]
    rate: float
    """Jobs a second."""
    run_ms: float
    """Typical time of a run."""
    failing: float
    """Share of jobs that fail."""
    errors: tuple[tuple[str, str], ...]


LINES = (
    Line(
        "default",
        ("shop.orders.charge", "shop.orders.reserve", "shop.search.index"),
        9.0,
        45,
        0.006,
        (("CardDeclined", "insufficient funds"), ("TimeoutError", "inventory did not answer in 2 s")),
    ),
    Line(
        "mail",
        ("shop.mail.send_receipt", "shop.mail.send_newsletter"),
        14.0,
        120,
        0.021,
        (("RelayRefused", "451 4.7.1 relay-2.example.net: try again later"), ("KeyError", "'customer_name'")),
    ),
    Line(
        "reports",
        ("shop.reports.daily_revenue", "shop.reports.stock"),
        0.7,
        2600,
        0.04,
        (("ZeroDivisionError", "division by zero"),),
    ),
)
WORKERS = (
    ("worker-a1", "app-1", 31021, ("default", "mail"), 8),
    ("worker-a2", "app-1", 31022, ("default", "mail"), 8),
    ("worker-b1", "app-2", 1187, ("mail",), 6),
    ("worker-b2", "app-2", 1188, ("default",), 4),
    ("worker-r1", "batch-1", 902, ("reports",), 2),
    ("worker-i1", "batch-1", 903, ("imports", "newsletter"), 2),
)


BACKLOGS = {
    "default": QueueBacklog(scheduled=3, oldest_s=0.4),
    "imports": QueueBacklog(scheduled=12, retrying=4, depending=38),
    "mail": QueueBacklog(scheduled=51, retrying=51, dead=212, oldest_s=97.0),
    "newsletter": QueueBacklog(oldest_s=5400.0),
    "reports": QueueBacklog(scheduled=2, dead=3),
}
"""What waits in the queues at the end."""


@dataclass
class Recording:
    """What was recorded."""

    events: list[StoredEvent]
    snapshot: Snapshot
    schedules: Timetables
    jobs: dict[str, JobDetail] = field(default_factory=dict)

    def batches(self, size: int = 5000) -> Iterator[Batch]:
        """The whole of it, the snapshot with the last."""
        link = Link(ConnectionState.LIVE, END_NS - 3600 * SECOND)
        for start in range(0, len(self.events), size):
            last = start + size >= len(self.events)
            yield Batch(link, self.events[start : start + size], snapshot=self.snapshot if last else None)


def shop(seconds: int = 400, seed: int = 11) -> Recording:
    """The recording of so many seconds."""
    return _Shop(random.Random(seed), seconds).record()


class _Shop:
    def __init__(self, rng: random.Random, seconds: int) -> None:
        self.rng = rng
        self.start_ns = END_NS - seconds * SECOND
        self.seconds = seconds
        self.found: list[tuple[int, int, Event]] = []
        self.waiting = {line.queue: 0 for line in LINES}
        self.running = {line.queue: 0 for line in LINES}
        self.active = {name: 0 for name, *_ in WORKERS}
        self.done = {name: 0 for name, *_ in WORKERS}
        self.failed = {name: 0 for name, *_ in WORKERS}
        self.schedules = timetables(END_NS)

    def record(self) -> Recording:
        for line in LINES:
            for at in self._arrivals(line):
                self._job(line, at)
        for worker in WORKERS:
            self._beats(*worker)
        for event in self.schedules.events:
            self._say(event)
        told = {
            TROUBLED_JOB: list(_troubled(END_NS - 74 * SECOND)),
            IMPORT_JOB: list(_imported(END_NS - 96 * SECOND)),
        }
        for event in (*told[TROUBLED_JOB], *told[IMPORT_JOB]):
            self._say(event)
        events = [heapq.heappop(self.found)[2] for _ in range(len(self.found))]
        stored = [StoredEvent(sequence, event) for sequence, event in enumerate(events, 48_211)]
        troubled, imported = ([entry for entry in stored if entry.event in events] for events in told.values())
        jobs = {TROUBLED_JOB: _troubled_detail(troubled), IMPORT_JOB: _imported_detail(imported)}
        return Recording(stored, self._snapshot(), self.schedules, jobs)

    def _arrivals(self, line: Line) -> Iterator[int]:
        at = 0.0
        while True:
            wave = 1 + 0.35 * math.sin(at / 23) + 0.2 * math.sin(at / 7)
            burst = 2.4 if 300 < at < 325 and line.queue == "default" else 1.0
            at += self.rng.expovariate(line.rate * wave * burst)
            if at >= self.seconds:
                return
            yield self.start_ns + int(at * SECOND)

    def _job(self, line: Line, at: int) -> None:
        rng = self.rng
        job: dict[str, Any] = {"job_id": f"{rng.getrandbits(80):020x}", "queue_name": line.queue}
        function = rng.choice(line.functions)
        self._say(_event("enqueued", at, **job, function_name=function))
        wait_ms = rng.lognormvariate(math.log(14), 0.9) * (6 if line.queue == "reports" else 1)
        run_ms = rng.lognormvariate(math.log(line.run_ms), 0.6)
        begin = at + int(wait_ms * 1e6)
        end = begin + int(run_ms * 1e6)
        worker = rng.choice([name for name, _, _, queues, _ in WORKERS if line.queue in queues])
        job |= {"worker_id": worker, "attempt": 1}
        if begin >= END_NS:
            self.waiting[line.queue] += 1
            return
        self._say(_event("started", begin, **job, function_name=function, wait_ms=wait_ms))
        if end >= END_NS:
            self.running[line.queue] += 1
            self.active[worker] += 1
        elif rng.random() < line.failing:
            self._fail(line, end, {**job, "function_name": function}, run_ms)
        else:
            self.done[worker] += 1
            self._say(_event("completed", end, **job, function_name=function, duration_ms=run_ms))

    def _fail(self, line: Line, at: int, job: dict[str, Any], run_ms: float) -> None:
        kind, text = self.rng.choice(line.errors)
        self.failed[job["worker_id"]] += 1
        error = {"error_type": kind, "error_message": text, "traceback": TRACEBACK, "final": True}
        self._say(_event("failed", at, **job, duration_ms=run_ms, **error))

    def _beats(self, name: str, host: str, pid: int, queues: tuple[str, ...], limit: int) -> None:
        offset = self.rng.randrange(5 * SECOND)
        own = random.Random(pid)
        for at in range(self.start_ns + offset, END_NS, 10 * SECOND):
            self._say(
                WorkerEvent(
                    timestamp_ns=at,
                    event_type=WorkerEventType.HEARTBEAT,
                    worker_id=name,
                    hostname=host,
                    pid=pid,
                    active_jobs=self.rng.randrange(limit),
                    concurrency_limit=limit,
                    queue_names=queues,
                    cpu_percent=round(min(99.0, own.gauss(32, 9)), 1),
                    rss_bytes=150_000_000 + pid * 700 + own.randrange(9_000_000),
                    loop_lag_ms=round(own.lognormvariate(0.8, 0.5), 2),
                )
            )

    def _say(self, event: Event) -> None:
        heapq.heappush(self.found, (event.timestamp_ns, len(self.found), event))

    def _snapshot(self) -> Snapshot:
        queues = [
            QueueState(
                name=line.queue,
                waiting=self.waiting[line.queue] + (212 if line.queue == "reports" else self.rng.randrange(9)),
                running=self.running[line.queue],
            )
            for line in sorted(LINES, key=lambda line: line.queue)
        ]
        queues.insert(1, QueueState(name="imports", waiting=6, running=1, concurrency_limit=2, rate_limit="30/60s"))
        queues.insert(3, QueueState(name="newsletter", waiting=1_840, running=0, paused=True))
        server = ServerState(name="nats-1", version="2.14.1", url="nats://10.0.4.12:4222", rtt_ms=0.4)
        workers = tuple(self._worker(index, *worker) for index, worker in enumerate(WORKERS))
        return Snapshot(taken_at_ns=END_NS, server=server, queues=tuple(queues), workers=workers)

    def _worker(self, index: int, name: str, host: str, pid: int, queues: tuple[str, ...], limit: int) -> WorkerRecord:
        active = 1 if name == "worker-i1" else min(limit, self.active[name])
        return WorkerRecord(
            worker_id=name,
            state=WorkerState.BUSY if active else WorkerState.IDLE,
            hostname=host,
            pid=pid,
            queue_names=queues,
            concurrency_limit=limit,
            started_at_ns=END_NS - (3 * 86_400 + index * 4013) * SECOND,
            beat_at_ns=END_NS - (1 + index % 4) * SECOND,
            heartbeat_interval=5.0,
            active_jobs=active,
            jobs_completed=180_000 + self.done[name] * 13,
            jobs_failed=0 if index == 3 else self.failed[name] * 9,
            cpu_percent=self.rng.uniform(4, 60),
            rss_bytes=self.rng.randrange(90_000_000, 260_000_000),
            loop_lag_ms=self.rng.uniform(0.3, 9),
            stuck_job_ids=(IMPORT_JOB,) if name == "worker-i1" else (),
        )


def _event(kind: str, at: int, **fields: Any) -> JobEvent:
    return JobEvent(timestamp_ns=at, event_type=JobEventType(kind), **fields)


def _troubled(begin: int) -> Iterator[JobEvent]:
    """Three attempts, each after a longer wait."""
    job = {"job_id": TROUBLED_JOB, "queue_name": "mail"}
    function = "shop.mail.send_receipt"
    error = {"error_type": "RelayRefused", "error_message": "451 4.7.1 relay-2.example.net: try again later"}
    yield _event("enqueued", begin, **job, function_name=function)
    at = begin + 180_000_000
    for attempt, (run_s, pause_s, worker) in enumerate(
        ((5.2, 12, "worker-a1"), (5.1, 31, "worker-b1"), (5.4, 0, "worker-a2")), 1
    ):
        run = {**job, "worker_id": worker, "attempt": attempt}
        yield _event("started", at, **run, function_name=function, wait_ms=180.0 if attempt == 1 else 40.0)
        at += int(run_s * SECOND)
        yield _event("failed", at, **run, **error, traceback=TRACEBACK, final=attempt == 3, duration_ms=run_s * 1000)
        if pause_s:
            again = {"retry_count": attempt, "retry_delay": float(pause_s), "run_at_ns": at + pause_s * SECOND}
            yield _event("retry_scheduled", at, **run, **again)
            at += pause_s * SECOND + 40_000_000
    yield _event("dead_lettered", at + 2_000_000, **job, worker_id="worker-a2", function_name=function)
    yield _event("result_stored", at + 3_000_000, **job, worker_id="worker-a2", result_size=2_911)


def _troubled_detail(events: list[StoredEvent]) -> JobDetail:
    last = next(entry.event for entry in reversed(events) if entry.event.event_type == JobEventType.FAILED)
    assert isinstance(last, JobEvent)
    job = Job(
        "shop.mail.send_receipt",
        args=(81_204,),
        kwargs={
            "to": "ada@example.net",
            "order": {
                "total": "128.40",
                "currency": "EUR",
                "lines": [{"sku": "TEA-100", "count": 2}, {"sku": "POT-7", "count": 1}],
            },
            "language": "en",
            "urgent": False,
        },
        queue_name="mail",
        job_id=TROUBLED_JOB,
        attempt=3,
        enqueued_at_ns=events[0].event.timestamp_ns,
    )
    result = JobResult(
        job_id=TROUBLED_JOB,
        status=JobStatus.FAILED,
        error_type=last.error_type,
        error=last.error_message,
        traceback=TRACEBACK,
        worker_id=last.worker_id,
        attempt=3,
        start_time_ns=last.timestamp_ns - 5_400_000_000,
        finish_time_ns=last.timestamp_ns,
        duration_ms=5400.0,
    )
    return JobDetail(job_id=TROUBLED_JOB, status=JobStatus.FAILED, job=job, result=result, events=tuple(events))


IMPORT = {"job_id": IMPORT_JOB, "queue_name": "imports"}
CATALOGUE = "shop.imports.catalogue"
FEEDS = ("2b90e1c44d7f4a0f8d11", "77aa03f15c0e4be2b6c9")


def _imported(begin: int) -> Iterator[JobEvent]:
    """Two feeds are fetched first; the first attempt takes too long, the second is under way."""
    yield _event("waiting_for_dependencies", begin, **IMPORT, function_name=CATALOGUE, depends_on=FEEDS)
    for feed, after_s in zip(FEEDS, (6, 14), strict=True):
        ended = {"dependency_id": feed, "reason": "completed"}
        yield _event("dependency_satisfied", begin + after_s * SECOND, **IMPORT, **ended)
    at = begin + 14 * SECOND
    yield _event("enqueued", at, **IMPORT, function_name=CATALOGUE)
    yield from _import_run(at + 2 * SECOND, 1, ((1, 150), (9, 310), (20, 320)), 2000.0)
    at += 32 * SECOND
    run = {**IMPORT, "worker_id": "worker-i1", "attempt": 1}
    late = {"error_type": "JobTimeout", "error_message": "it took longer than 30 s", "final": False}
    yield _event("timed_out", at, **run, **late, duration_ms=30_000.0)
    again = {"retry_count": 1, "retry_delay": 15.0, "run_at_ns": at + 15 * SECOND}
    yield _event("retry_scheduled", at, **run, **again)
    yield from _import_run(at + 18 * SECOND, 2, ((1, 150), (8, 820), (19, 1510), (31, 2480)), 3000.0)


def _import_run(at: int, attempt: int, steps: tuple[tuple[int, int], ...], wait_ms: float) -> Iterator[JobEvent]:
    run = {**IMPORT, "worker_id": "worker-i1", "attempt": attempt}
    yield _event("started", at, **run, function_name=CATALOGUE, wait_ms=wait_ms)
    yield _event("log", at + SECOND // 5, **run, level="INFO", text="2 feeds, 4,000 products")
    for after_s, done in steps:
        report = {"done": float(done), "total": 4000.0, "text": f"feed {1 + done // 2000} of 2"}
        yield _event("progress", at + after_s * SECOND, **run, **report)
    slow = at + 9 * SECOND + 412_000_000
    yield _event("log", slow, **run, level="WARNING", text="product POT-7 has no price: left out")
    if attempt == 1:
        yield _event("log", at + 21 * SECOND, **run, level="ERROR", text="feed 1 stalls: 0 products in 10 s")
    else:
        yield _event("log", at + 28 * SECOND, **run, level="DEBUG", text="page 25 of 40 fetched in 812 ms")


def _imported_detail(events: list[StoredEvent]) -> JobDetail:
    job = Job(
        CATALOGUE,
        kwargs={"feeds": ["north", "south"], "currency": "EUR"},
        queue_name="imports",
        job_id=IMPORT_JOB,
        attempt=2,
        enqueued_at_ns=events[0].event.timestamp_ns,
        depends_on=tuple(After(feed) for feed in FEEDS),
    )
    return JobDetail(job_id=IMPORT_JOB, status=JobStatus.RUNNING, job=job, events=tuple(events))
