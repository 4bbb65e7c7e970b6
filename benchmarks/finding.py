"""How fast jobs are found among many, wherever they stand.

    python benchmarks/finding.py [--ended 250000] [--queued 100000]

Made-up jobs are stored on an embedded server as workers leave them: four events and an outcome each, one in 25 failed;
and jobs that wait in their queues. For each filter: the time to the first page, and what ten pages looked at and took.
The machine is shared: the ratios say more than the figures.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from contextlib import aclosing

from naq_runtime import EmbeddedServer, Job, JobEvent, JobEventType, JobStatus, NAQConfig, ServiceManager
from naq_runtime.events.codec import encode_event, event_subject
from naq_runtime.finding.query import JobQuery
from naq_runtime.job import JobResult
from naq_runtime.monitor import Monitor
from naq_runtime.nats.publish import Outgoing, open_writer
from naq_runtime.services.jobs import JobService

_QUEUES = 20
_CHUNK = 200
_PAGES = 10
_SPAN_NS = 3_600_000_000_000
_FUNCTION = "shop.orders.confirm_order"
_FILTERS = (
    "",
    "state:queued",
    "state:running",
    "state:failed",
    "queue:queue-07",
    "state:completed queue:queue-03",
    "{id}",
    "id:{prefix}*",
    "args:customer-777",
    "error:10.0.0.25 time>-1h",
)


def made_up(number: int, at_ns: int) -> Job:
    """One of the jobs."""
    return Job(
        _FUNCTION,
        (number,),
        {"customer": f"customer-{number % 1000}"},
        queue_name=f"queue-{number % _QUEUES:02d}",
        job_id=f"job{number:016d}",
        enqueued_at_ns=at_ns,
    )


def event(kind: JobEventType, job: Job, step: int, **fields: object) -> JobEvent:
    """Something that happened to it, so many steps of ten milliseconds after it was enqueued."""
    return JobEvent(
        event_type=kind,
        event_id=f"bench-{job.job_id}-{step}",
        timestamp_ns=job.enqueued_at_ns + step * 10_000_000,
        job_id=job.job_id,
        queue_name=job.queue_name or "",
        function_name=_FUNCTION,
        **fields,  # type: ignore[arg-type]  # of the event
    )


def story(job: Job, result: JobResult) -> list[JobEvent]:
    """What happened to a job that has ended."""
    failed = result.status is JobStatus.FAILED
    end = event(
        JobEventType.FAILED if failed else JobEventType.COMPLETED,
        job,
        2,
        worker_id="w-1",
        attempt=1,
        duration_ms=10.0,
        error_type=result.error_type,
        error_message=result.error,
    )
    started = event(JobEventType.STARTED, job, 1, worker_id="w-1", attempt=1, wait_ms=10.0)
    return [event(JobEventType.ENQUEUED, job, 0), started, end, event(JobEventType.RESULT_STORED, job, 3)]


def ended(number: int, at_ns: int) -> tuple[Job, JobResult]:
    """A job with what became of it."""
    failed = number % 25 == 0
    result = JobResult(
        job_id=f"job{number:016d}",
        status=JobStatus.FAILED if failed else JobStatus.COMPLETED,
        worker_id="w-1",
        start_time_ns=at_ns + 10_000_000,
        finish_time_ns=at_ns + 20_000_000,
        duration_ms=10.0,
        error_type="ConnectionError" if failed else None,
        error=f"mail server 10.0.0.{number % 250} closed the connection" if failed else None,
    )
    return made_up(number, at_ns), result


async def fill(services: ServiceManager, count: int, queued: int) -> None:
    """Store all of them."""
    await services.get_service(JobService)
    for place in range(_QUEUES):
        await services.topology.queue(f"queue-{place:02d}")
    names, serializer = services.names, services.serializer
    log = await open_writer(services.connection, fast=(await services.topology.events()).fast_ingest)
    results = await open_writer(services.connection, fast=(await services.topology.results()).fast_ingest)
    start_ns = time.time_ns() - _SPAN_NS

    async def tell(events: list[JobEvent]) -> None:
        await log.store([Outgoing(event_subject(names, one), encode_event(one)) for one in events])

    for first in range(0, count, _CHUNK):
        numbers = range(first, min(count, first + _CHUNK))
        some = [ended(number, start_ns + number * _SPAN_NS // count) for number in numbers]
        await tell([one for job, result in some for one in story(job, result)])
        encoded = [
            (job, serializer.encode_outcome(serializer.encode_job(job), result, b"null")) for job, result in some
        ]
        await results.store([Outgoing(names.result(job.job_id), data) for job, data in encoded])
    for first in range(count, count + queued, _CHUNK):
        jobs = [made_up(number, time.time_ns()) for number in range(first, min(count + queued, first + _CHUNK))]
        entries = [(names.job(job.queue_name or "", job.job_id), serializer.encode_job(job)) for job in jobs]
        await services.streams.publish([Outgoing(*entry) for entry in entries])
        await tell([event(JobEventType.ENQUEUED, job, 0) for job in jobs])
    await log.close()
    await results.close()


async def look(monitor: Monitor, text: str) -> None:
    """Find the first pages of a filter, and print how that went."""
    began, first_ms = time.perf_counter(), 0.0
    pages = found = looked = 0
    async with aclosing(monitor.find_jobs(JobQuery(text))) as search:
        async for page in search:
            pages, found, looked = pages + 1, found + len(page.jobs), looked + page.looked
            first_ms = first_ms or (time.perf_counter() - began) * 1e3
            if pages == _PAGES:
                break
    took = time.perf_counter() - began
    print(
        f"{text!r:34} first page {first_ms:6.0f} ms  {pages:2} pages: {found:6,} found of {looked:7,} in {took:4.1f} s",
        flush=True,
    )


async def measure(count: int, queued: int) -> None:
    """All of it."""
    async with EmbeddedServer() as server:
        config = NAQConfig.load(arguments={"nats.url": server.url, "events.max_count": 20_000_000}, environ={})
        async with ServiceManager(config, role="benchmark") as services:
            await fill(services, count, queued)
            print(f"{count:,} jobs that have ended, {queued:,} that are queued")
            monitor = await services.get_service(Monitor)
            for text in _FILTERS:
                await look(monitor, text.format(id=f"job{count // 2:016d}", prefix=f"job{count // 2:016d}"[:-3]))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ended", type=int, default=250_000)
    parser.add_argument("--queued", type=int, default=100_000)
    options = parser.parse_args()
    asyncio.run(measure(options.ended, options.queued))


if __name__ == "__main__":
    main()
