"""How soon the page of a job is there, when its server holds a million events and a hundred thousand jobs.

    python benchmarks/job_page.py [--events 1000000] [--jobs 100000] [--rounds 50]

Jobs of a queue that is paused, and events of made-up jobs, four each, are stored on an embedded server. Then jobs are
opened, another one each time: all that is known is asked for, and the page is laid out for 120 columns. What lies
around a job comes afterwards, and is measured by itself: its family, what happened to its queue, and its neighbours. A
quarter of the jobs wait for another one. Beside it stands one direct get of one message; the machine is shared.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from event_queries import fill, free_port, job_at, serving, shown, times_ms

from naq_runtime import Job, JobService, ServiceManager
from naq_runtime.monitor import Monitor
from naq_runtime.nats.direct import page_from
from naq_runtime.services.queues import QueueService
from naq_runtime.services.statistics import writer_of
from naq_tui.pages.blocks import lay_out
from naq_tui.pages.job import Around, job_page
from naq_tui.pages.life import ENDED
from naq_tui.pages.reasons import Situation

_CHUNK = 1_000
_WIDTH = 120
_FUNCTION = "shop.mail.send_newsletter"


def standing(number: int) -> Job:
    """One of the jobs that wait in the queue; each fourth waits for the one before."""
    after = f"waits-{number - 1}" if number % 4 == 3 else ()
    return Job(_FUNCTION, (number,), job_id=f"waits-{number}", queue_name="mail", depends_on=after)


async def enqueue(services: ServiceManager, count: int) -> None:
    """Put so many jobs into a queue that is paused."""
    jobs = await services.get_service(JobService)
    await (await services.get_service(QueueService)).pause("mail", reason="the relay is down")
    for first in range(0, count, _CHUNK):
        await jobs.enqueue_jobs([standing(number) for number in range(first, min(count, first + _CHUNK))])


async def opened(monitor: Monitor, job_id: str) -> int:
    """Ask for all that is known of a job, and lay its page out; the number of lines."""
    detail = await monitor.job(job_id)
    return len(lay_out(job_page(detail, _WIDTH, monitor.now_ns()), (), _WIDTH).lines)


async def around(monitor: Monitor, job_id: str, rounds: int, floor: float) -> None:
    """What comes after the page."""
    detail, look = await monitor.job(job_id), monitor.surroundings
    since_ns, last_ns = detail.events[0].event.moment_ns, detail.events[-1].event.moment_ns
    queue = next(name for stored in detail.events if (name := getattr(stored.event, "queue_name", None)))
    function = next(name for stored in detail.events if (name := getattr(stored.event, "function_name", None)))
    family = await look.family(detail)
    until_ns = last_ns if detail.status in ENDED else None
    story = await look.queue_story(queue, since_ns, until_ns)
    shown(f"family of {len(family.members)}", await times_ms(lambda _: look.family(detail), rounds), floor)
    shown(
        "what happened to its queue",
        await times_ms(lambda _: look.queue_story(queue, since_ns, until_ns), rounds),
        floor,
    )

    async def neighbours(_: int) -> None:
        await look.neighbours(function, queue, but=job_id, before_ns=last_ns)

    shown("neighbours", await times_ms(neighbours, rounds), floor)
    told = Around(Situation(family=family, story=story))
    began = time.perf_counter()
    lay_out(job_page(detail, _WIDTH, last_ns, told), (), _WIDTH)
    print(f"  laid out with all of it in {(time.perf_counter() - began) * 1e3:.2f} ms")


async def main(events: int, jobs: int, rounds: int) -> None:
    """Fill a server, and open jobs."""
    with tempfile.TemporaryDirectory() as store:
        async with serving(Path(store), free_port()) as (services, _):
            await fill(services, events)
            await enqueue(services, jobs)
            monitor = await services.get_service(Monitor)
            print(f"{events:,} events of jobs that are over, {jobs:,} jobs in a queue", flush=True)

            async def one_message(number: int) -> None:
                await page_from(services.connection, services.names.events_stream, 1 + number * 7, 1)

            floor = shown("one message, by direct get", await times_ms(one_message, rounds))
            shown("a job that is over", await times_ms(lambda n: opened(monitor, job_at(n, events)), rounds), floor)
            step = max(1, jobs // rounds)
            waits = await times_ms(lambda n: opened(monitor, f"waits-{n * step}"), rounds)
            shown("a job that waits", waits, floor)
            few = max(3, rounds // 10)
            print("around a job that is over, of which no events are rolled up")
            await around(monitor, job_at(3, events), few, floor)
            print("around a job that waits")
            await around(monitor, "waits-2", few, floor)
            began = time.perf_counter()
            await writer_of(services, ahead_ns=120 * 10**9).catch_up()
            print(f"around a job that waits, once all events are rolled up ({time.perf_counter() - began:.0f} s)")
            await around(monitor, "waits-2", few, floor)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=50)
    arguments = parser.parse_args()
    asyncio.run(main(arguments.events, arguments.jobs, arguments.rounds))
