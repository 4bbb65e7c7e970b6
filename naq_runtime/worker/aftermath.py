"""What follows when the outcomes of jobs are stored: they are held no more, counted, and reported."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence

from naq_runtime.job import Execution, JobStatus
from naq_runtime.services.events import EventService
from naq_runtime.worker.custody import Custody
from naq_runtime.worker.record import Counts
from naq_runtime.worker.reporting import report_settled
from naq_runtime.worker.settlement import Unsettled

__all__ = ["Aftermath"]

log = logging.getLogger(__name__)

_REMEMBERED = 5_000
"""Jobs without outcomes that are remembered, for those who want to cancel them and come too late."""
_LOGGED = 200
"""Characters of an error that go into the log of the process; the event has more."""


class Aftermath:
    """Sees to jobs that are settled."""

    def __init__(self, events: EventService, custody: Custody, counts: Counts) -> None:
        self._events = events
        self._custody = custody
        self._counts = counts
        self._unkept: dict[str, list[int]] = {}

    def unkept(self, job_ids: Collection[str]) -> list[int]:
        """The sequences of those of the jobs that have ended here lately, and keep no outcome."""
        return [sequence for job_id in job_ids for sequence in self._unkept.get(job_id, ())]

    def settled(self, batch: Sequence[Unsettled]) -> None:
        """These are written down and acknowledged."""
        for one in batch:
            execution = one.execution
            self._custody.release(one.holding)
            if execution.result.status is JobStatus.COMPLETED:
                self._counts.completed += 1
            elif execution.is_failure:
                self._counts.failed += execution.again is None
                _log_failure(execution)
            report_settled(self._events, execution, by=one.holding.cancelled_by)
            if execution.again is None and execution.job.result_ttl == 0:
                self._remember(execution.job.job_id, one.finished.sequence)

    def _remember(self, job_id: str, sequence: int) -> None:
        self._unkept.setdefault(job_id, []).append(sequence)
        if len(self._unkept) > _REMEMBERED:
            del self._unkept[next(iter(self._unkept))]

    def superseded(self, one: Unsettled) -> None:
        """Nothing of what it did here counts: another worker has ended the job, while this one could not be heard."""
        self._custody.release(one.holding)
        log.warning(
            "job %s was ended elsewhere while this worker was not heard",
            one.execution.job.job_id,
            extra={"action": "job_superseded"},
        )


def _log_failure(execution: Execution) -> None:
    job, result, again = execution.job, execution.result, execution.again
    log.warning(
        "job %s (%s) failed: %s: %s%s",
        job.job_id,
        job.function,
        result.error_type,
        "".join(letter if letter.isprintable() else " " for letter in (result.error or "")[:_LOGGED]),
        "" if again is None else f"; attempt {again.attempt} follows",
        extra={"action": "job_failed"},
    )
