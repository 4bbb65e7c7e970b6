"""Statistics of an hour and a day of the small shop, and what its server tells: made up, the same every time."""

from __future__ import annotations

import asyncio
import math
import random
from typing import Any

from naq_runtime.jetstream import Account, Consumer, Peer, ServerDetail, Stream, Usage
from naq_runtime.snapshot import ServerState
from naq_runtime.statistics.counting import Counting, Span
from naq_runtime.statistics.rollup import Group
from naq_runtime.statistics.sketch import Sketch
from naq_runtime.statistics.trends import EventTrends, step_ns_of

__all__ = ["NAMES", "consumer", "detail", "stream", "trends"]

SECOND = 1_000_000_000
NAMES = (
    ("default", "shop.orders.charge", "worker-a1", 9.0, 45, 0.006),
    ("default", "shop.orders.reserve", "worker-a2", 6.0, 30, 0.004),
    ("mail", "shop.mail.send_receipt", "worker-b1", 14.0, 120, 0.061),
    ("reports", "shop.reports.daily_revenue", "worker-r1", 0.4, 2600, 0.04),
    ("imports", "shop.prices.fetch", "worker-i1", 0.05, 9000, 0.0),
)
"""Queue, function, worker, jobs a second, milliseconds a run, and the share that fails."""


def trends(until_ns: int, window_s: int, by: str = "queue", names: Any = NAMES) -> EventTrends:
    """What happened in the time before a moment."""
    step_ns = step_ns_of(window_s * SECOND)
    span = Span((until_ns - window_s * SECOND) // step_ns * step_ns, until_ns)
    counting = Counting((by,), step_ns)
    groups = [
        _group(random.Random(f"{place} {start_ns}"), start_ns, min(step_ns, until_ns - start_ns), *one)
        for place, one in enumerate(names)
        for start_ns in range(span.since_ns, until_ns, step_ns)
    ]

    async def count() -> EventTrends:
        await counting.add_scanned(groups)
        return await counting.trends(span, span, ())

    return asyncio.run(count())


def _group(
    chance: random.Random, start_ns: int, length_ns: int, queue: str, function: str, worker: str, *rates: float
) -> Group:
    rate, run_ms, failing = rates
    tide = 1 + 0.6 * math.sin(start_ns / 1e9 / 86_400 * 2 * math.pi) + chance.uniform(-0.15, 0.15)
    jobs = max(0, round(rate * length_ns / SECOND * tide))
    failed = min(jobs, round(jobs * failing * chance.uniform(0.4, 2)))
    wait, run = Sketch(), Sketch()
    for number in range(min(jobs, 60)):
        share = -(-jobs // min(jobs, 60)) if number == 0 else 1
        for _ in range(share if share < 4 else 4):
            wait.add(int(chance.expovariate(1 / 4) * 1e6))
            run.add(int(run_ms * chance.lognormvariate(0, 0.6) * 1e6))
    types = {"job.enqueued": jobs, "job.started": jobs, "job.completed": jobs - failed, "job.failed": failed}
    types = {name: count for name, count in types.items() if count}
    return Group(start_ns // SECOND, queue, function, worker, types, wait if jobs else None, run if jobs else None)


def stream(name: str, purpose: str = "", messages: int = 0, size: int = 0, **fields: Any) -> Stream:
    """A stream of this name."""
    usual: dict[str, Any] = {"last_sequence": messages, "first_sequence": 1}
    return Stream(name=name, purpose=purpose, messages=messages, bytes=size, **(usual | fields))


def consumer(name: str, **fields: Any) -> Consumer:
    """A consumer of this name."""
    return Consumer(name=name, **fields)


def detail(now_ns: int, *, clustered: bool = True) -> ServerDetail:
    """A cluster of three, a follower of which is behind; one log is nearly full."""
    peers = (Peer(name="nats-2"), Peer(name="nats-3", current=False, lag=1204, silent_s=0.4))
    where: dict[str, Any] = {"replicas": 3, "leader": "nats-1", "is_clustered": True} if clustered else {}
    well = where | ({"peers": (Peer(name="nats-2"), Peer(name="nats-3"))} if clustered else {})
    hour = 3600 * SECOND
    times: dict[str, Any] = {"first_ns": now_ns - 26 * hour, "last_ns": now_ns - SECOND // 2}
    return ServerDetail(
        taken_at_ns=now_ns,
        server=ServerState(name="nats-1", version="2.14.1", url="nats://127.0.0.1:4222", cluster="shop", rtt_ms=0.3),
        account=Account(
            usages=(
                Usage("storage", 812_000_000, 10_000_000_000),
                Usage("set aside", 8_600_000_000, 10_000_000_000),
                Usage("memory", 0),
                Usage("streams", 11, 50),
                Usage("consumers", 9),
            ),
            api_calls=48_211,
            api_errors=3,
        ),
        streams=(
            stream("NAQ_JOBS", "waiting jobs, schedules", 1_204, 402_000, consumers=5,
                   retention="workqueue",
                   subjects=("naq.jobs.*.*", "naq.later.*.*", "naq.waiting.*.*"), **times, **well),
            stream("NAQ_RESULTS", "outcomes of jobs", 80_412, 21_000_000, max_bytes=1_000_000_000, **times, **well),
            stream("NAQ_DEAD", "dead letters", 38, 41_000, **times, **well),
            stream("NAQ_EVENTS", "the log of all events", 4_104_233, 962_000_000, max_bytes=1_000_000_000,
                   max_age_s=7 * 86_400.0, first_sequence=51_234_000, last_sequence=55_338_232, deleted=12,
                   consumers=1, subjects=("naq.events.>",), **times, **well),
            stream("NAQ_STATS", "roll-ups of the events", 3_120, 4_400_000, max_bytes=5_000_000, **times, **well),
            stream("KV_NAQ_WORKERS", "leases of workers", 6, 2_100, discards_new=True, **times,
                   **(where | ({"peers": peers} if clustered else {}))),
        ),
    )  # fmt: skip


def consumers() -> tuple[Consumer, ...]:
    """Those of the stream of jobs."""
    return (
        consumer("queue-default", purpose="workers of queue default", pending=12, unacknowledged=8,
                 max_unacknowledged=1000, pulls=12, lag=40, delivered=1164, leader="nats-1"),
        consumer("queue-imports", purpose="workers of queue imports", pending=31, lag=33, leader="nats-2"),
        consumer("queue-mail", purpose="workers of queue mail", pending=702, unacknowledged=990, redelivered=4,
                 max_unacknowledged=1000, pulls=0, lag=702, leader="nats-1"),
        consumer("queue-newsletter", purpose="workers of queue newsletter", pending=4, paused=True),
        consumer("queue-reports", purpose="workers of queue reports", pulls=4, leader="nats-1"),
    )  # fmt: skip
