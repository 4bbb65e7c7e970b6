"""Cancelling a job whose worker has its end in hand, and has not stored it yet."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack

import pytest

from naq_runtime.clock import ManualClock
from naq_runtime.config import NAQConfig
from naq_runtime.job import Job, JobStatus, Whereabouts
from naq_runtime.jobs.cancelling import Cancellation
from naq_runtime.jobs.rules import JobRules
from naq_runtime.jobs.store import TOMBSTONE, Entry
from naq_runtime.serializer import JsonSerializer
from naq_runtime.testing.streams import MemoryStreams, MemoryTopology


class Stand:
    """The rules of jobs over streams in memory, and workers that say what a test lets them say."""

    def __init__(self) -> None:
        config = NAQConfig()
        self.clock = ManualClock()
        self.streams = MemoryStreams(self.clock)
        self.topology = MemoryTopology(self.streams, config)
        self.say = Whereabouts()
        self.told: list[str] = []
        self.rules = JobRules(
            self.streams,
            config.names,
            JsonSerializer(),
            report=lambda event, job, fields: self.told.append(event.value),
            ask=self._ask,
            clock=self.clock,
        )

    async def _ask(self, job_ids: Collection[str], *, by: str, reason: str) -> Whereabouts:
        return self.say

    async def status(self, job_id: str) -> JobStatus | None:
        data = await self.rules.store.outcome(job_id)
        return None if data is None else JsonSerializer().decode_outcome(data).result.status


@pytest.fixture
async def stand() -> AsyncIterator[Stand]:
    """With one job, that a worker has."""
    made = Stand()
    async with AsyncExitStack():
        await made.topology.jobs()
        await made.topology.results()
        job = Job("shop.sell", job_id="one", queue_name="default", enqueued_at_ns=made.clock.time_ns())
        await made.rules.store.put_all([Entry("default", "one", JsonSerializer().encode_job(job))])
        yield made


async def test_a_job_whose_worker_dies_before_it_has_stored_the_end_is_not_lost(stand: Stand) -> None:
    # Given a worker that has the end of the job in hand
    stand.say = Whereabouts(settling=["one"])

    # When somebody cancels the job, and the worker dies
    assert not await stand.rules.cancelling.cancel("one", Cancellation())
    standing = await stand.rules.store.find("one")
    assert standing is not None
    assert TOMBSTONE in standing.message.headers
    stand.say = Whereabouts()

    # Then whoever finds what stands for the job ends it, once
    await stand.rules.cancelling.finish(standing.message)
    assert await stand.status("one") is JobStatus.CANCELLED
    assert stand.told == ["cancelled", "result_stored"]
    assert await stand.rules.store.find("one") is None
