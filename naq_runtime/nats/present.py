"""The names of what there is, for whoever completes them: one request or two, and nothing is decoded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from naq_runtime.errors import JetStreamError
from naq_runtime.naming import Names
from naq_runtime.nats.bucket import LeaseBucket
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.direct import STREAM_NOT_FOUND, page_from, stream_bounds
from naq_runtime.nats.inspecting import purposes
from naq_runtime.nats.state import paged

__all__ = ["NAMES_OF"]

_LATEST = 1_000
"""Events that are looked through for the latest jobs."""
_JOBS = 100


async def queue_names(connection: Connection, names: Names) -> list[str]:
    """The queues that have had a job or a worker."""
    return await _consumers(connection, names.jobs_stream, names.queue_consumer(""))


async def processor_names(connection: Connection, names: Names) -> list[str]:
    """The durable processors."""
    return await _consumers(connection, names.events_stream, names.processor_consumer(""))


async def worker_names(connection: Connection, names: Names) -> list[str]:
    """The workers whose leases stand."""
    leases = await LeaseBucket(connection, names, names.workers_bucket).leases()
    return [_last_token(lease.subject) for lease in leases if lease.data]


async def schedule_ids(connection: Connection, names: Names) -> list[str]:
    """The schedules."""
    return await _subjects(connection, names.jobs_stream, names.schedule("*"))


async def dead_job_ids(connection: Connection, names: Names) -> list[str]:
    """The jobs that failed for good."""
    return await _subjects(connection, names.dead_stream, names.dead_letters)


async def alert_names(connection: Connection, names: Names) -> list[str]:
    """The rules that a leader has evaluated."""
    bucket = names.alerts_bucket
    return await _subjects(connection, names.bucket_stream(bucket), names.bucket_key(bucket, "rule.*"))


async def stream_names(connection: Connection, names: Names) -> list[str]:
    """The streams of the namespace."""
    ours = {name for name, _ in purposes(names)}
    return [name for name in await paged(connection, "STREAM.NAMES", "streams") if name in ours]


async def job_ids(connection: Connection, names: Names) -> list[str]:
    """The jobs to which something happened last, these first."""
    last = (await stream_bounds(connection, names.events_stream)).last
    if not last:
        return []
    jobs = names.category_events("job")
    page = await page_from(connection, names.events_stream, last - _LATEST + 1, _LATEST, jobs)
    place = jobs.count(".")
    found = dict.fromkeys(message.subject.split(".")[place] for message in reversed(page.messages))
    return list(found)[:_JOBS]


async def _consumers(connection: Connection, stream: str, prefix: str) -> list[str]:
    found = await paged(connection, f"CONSUMER.NAMES.{stream}", "consumers")
    return sorted(name.removeprefix(prefix) for name in found if name.startswith(prefix))


async def _subjects(connection: Connection, stream: str, subject: str) -> list[str]:
    """The last part of each subject that matches; of very many, the first 100,000."""
    try:
        answer = await connection.api(f"STREAM.INFO.{stream}", {"subjects_filter": subject})
    except JetStreamError as error:
        if error.code == STREAM_NOT_FOUND:
            return []
        raise
    return sorted(map(_last_token, answer["state"].get("subjects") or ()))


def _last_token(subject: str) -> str:
    return subject.rpartition(".")[2]


NAMES_OF: Mapping[str, Callable[[Connection, Names], Awaitable[list[str]]]] = {
    "queues": queue_names,
    "workers": worker_names,
    "schedules": schedule_ids,
    "jobs": job_ids,
    "dead": dead_job_ids,
    "alerts": alert_names,
    "processors": processor_names,
    "streams": stream_names,
}
"""How the names of each kind of thing are found. All may raise `ServerError`."""
