"""Why a job waits, as ``naq job show`` tells it; the reasons are those of naq-top."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from naq_runtime.errors import NaqError
from naq_runtime.events.messages import duration_text
from naq_runtime.job import JobStatus
from naq_runtime.snapshot import JobDetail
from naq_runtime.surroundings import Family, Member
from naq_runtime.worker.roll import LOST
from naq_tui.cli import documents
from naq_tui.cli.output import Line, heading
from naq_tui.pages.held import of_queue
from naq_tui.pages.history import History
from naq_tui.pages.phases import Phase, phases
from naq_tui.pages.reasons import GLYPHS, Reason, Situation
from naq_tui.pages.waits import Explanation, explained, wait_to_explain
from naq_tui.text import inert

if TYPE_CHECKING:
    from naq_runtime.monitor import Monitor

__all__ = ["explain", "reason_lines", "reasons_json"]


async def explain(
    monitor: Monitor, detail: JobDetail, standings: Mapping[str, JobStatus | None], now_ns: int
) -> Explanation | None:
    """Why it waits, or waited long; of its queue and the workers, only what is of use is asked for.

    Args:
        standings: where the jobs stand that it waits for.
    """
    history, found = History(detail), phases(detail, now_ns)
    wait = wait_to_explain(found)
    if wait is None:
        return None
    family = Family(members={job_id: Member(status) for job_id, status in standings.items()})
    try:
        around = await _situation(monitor, history.queue_name, wait)
    except NaqError as error:  # the rest of what is known of the job can be told all the same
        unread = Reason("unknown", "its queue and the workers cannot be read now", inert(str(error), 200))
        return Explanation(wait, (unread,))
    return explained(history, found, replace(around, family=family), now_ns)


async def _situation(monitor: Monitor, queue: str, wait: Phase) -> Situation:
    if not queue:
        return Situation()
    story = await monitor.surroundings.queue_story(queue, wait.start_ns, None if wait.open else wait.end_ns)
    if not wait.open:
        return Situation(story=story)
    workers = await monitor.workers()
    others = () if of_queue(workers, queue) else await monitor.worker_status(include_inactive=True)
    lost = [status.record for status in others if status.state == LOST]
    return Situation(await monitor.queue(queue), workers, lost, story)


def reason_lines(explanation: Explanation | None) -> Iterator[Line]:
    """The reasons, each with how it is known."""
    if explanation is None:
        return
    wait = explanation.wait
    yield from heading("Waits" if wait.open else "Waited", f"{duration_text(wait.milliseconds)}, because")
    for reason in explanation.reasons:
        evidence = f"  {reason.evidence}" if reason.evidence else ""
        yield [(f"  {GLYPHS[reason.cause]} ", "yellow"), (reason.text, ""), (evidence, "dim")]


def reasons_json(explanation: Explanation | None) -> list[documents.WhyItWaits]:
    """The same for scripts."""
    reasons = explanation.reasons if explanation is not None else ()
    return [
        documents.WhyItWaits(cause=reason.cause, text=reason.text, evidence=reason.evidence or None)
        for reason in reasons
    ]
