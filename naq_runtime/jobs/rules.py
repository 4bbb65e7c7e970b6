"""Everything that can be done with jobs, put together over one set of streams."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from naq_runtime.clock import SYSTEM_CLOCK, Clock
from naq_runtime.events.models import JobEventType
from naq_runtime.job import Job
from naq_runtime.jobs.cancelling import AskWorkers, Cancelling
from naq_runtime.jobs.dead import DeadLetters
from naq_runtime.jobs.dependencies import Dependencies
from naq_runtime.jobs.ledger import Ledger
from naq_runtime.jobs.outcomes import Outcomes
from naq_runtime.jobs.store import JobStore
from naq_runtime.naming import Names
from naq_runtime.nats.streams import Streams
from naq_runtime.serializer import Serializer

__all__ = ["JobRules"]


class JobRules:
    """The parts that enqueue, hold, end, cancel and bury jobs.

    Args:
        report: takes an event of a job.
        ask: asks the workers for jobs that run.
        may_be_needed: whether other jobs may wait for one that has ended.
        large_as_objects: outcomes that are too large for one message go into the object store.
    """

    def __init__(
        self,
        streams: Streams,
        names: Names,
        serializer: Serializer,
        *,
        report: Callable[[JobEventType, Job, dict[str, Any]], None],
        ask: AskWorkers,
        may_be_needed: Callable[[Job], bool] = lambda _: True,
        large_as_objects: bool = False,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        base = (streams, names, serializer)
        self.streams = streams
        self.ask = ask
        self.store = JobStore(streams, names)
        self.outcomes = Outcomes(*base, large_as_objects=large_as_objects)
        self.dependencies = Dependencies(*base, self.store, self.outcomes, report=report, clock=clock)
        self.dead = DeadLetters(*base, self.store, report=report, now_ns=clock.time_ns)
        self.cancelling = Cancelling(
            *base, self.store, self.outcomes, self.dependencies, ask=ask, report=report, now_ns=clock.time_ns
        )
        self.ledger = Ledger(
            *base,
            self.outcomes,
            self.dead,
            self.dependencies,
            may_be_needed=may_be_needed,
            now_ns=clock.time_ns,
        )
