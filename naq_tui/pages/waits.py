"""Why a job waits, or waited long: what was planned, and what held it back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from naq_runtime.events.messages import duration_text
from naq_runtime.events.models import JobEventType
from naq_runtime.surroundings import Family
from naq_tui.pages.held import Held
from naq_tui.pages.history import Dependency, History
from naq_tui.pages.phases import Phase
from naq_tui.pages.reasons import Reason, Situation
from naq_tui.text import age_text, inert, moment_text

__all__ = ["LONG_MS", "Explanation", "explained", "wait_to_explain"]

LONG_MS = 1000.0
"""A wait that is over and was shorter needs no explanation."""

_MOST_JOBS = 5


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why it waits, or waited for a time that is over."""

    wait: Phase
    reasons: tuple[Reason, ...]
    """The weightiest first; at least one."""


def wait_to_explain(found: Sequence[Phase]) -> Phase | None:
    """The wait that lasts, or else the longest, if it was long."""
    waits = [phase for phase in found if phase.kind == "waiting"]
    lasting = next((phase for phase in waits if phase.open), None)
    longest = max(waits, key=lambda phase: phase.milliseconds, default=None)
    if lasting is not None or longest is None or longest.milliseconds < LONG_MS:
        return lasting
    return longest


def explained(history: History, found: Sequence[Phase], around: Situation, now_ns: int) -> Explanation | None:
    """Why the job waits now, or why its longest wait was long; ``None`` when there is nothing to explain."""
    wait = wait_to_explain(found)
    if wait is None:
        return None
    reasons = list(_planned(history, wait, around, now_ns))
    idle_ns = (now_ns if wait.open else wait.end_ns) - wait.planned_until_ns
    if idle_ns > 0 and wait.wait != "jobs" and not (wait.open and wait.due_ns > now_ns):
        held = Held(history, found, wait, around, now_ns)
        if wait.open:
            reasons += held.now()
        elif idle_ns >= LONG_MS * 1e6:
            reasons += held.then()
    return Explanation(wait, tuple(reasons)) if reasons else None


# What was planned


def _planned(history: History, wait: Phase, around: Situation, now_ns: int) -> Iterator[Reason]:
    if wait.wait == "jobs":
        yield from _for_jobs(history, wait, around.family, now_ns)
    elif wait.due_ns and wait.planned_until_ns > wait.start_ns and (not wait.open or wait.due_ns > now_ns):
        yield _put_off(history, wait, now_ns)


def _put_off(history: History, wait: Phase, now_ns: int) -> Reason:
    """It waits, or waited, for a time."""
    when = moment_text(wait.due_ns, now_ns, milliseconds=True)
    if wait.open:
        verb, span = "is", f"in {age_text((wait.due_ns - now_ns) / 1e9)}"
    else:
        verb, span = "was", f"for {duration_text((wait.due_ns - wait.start_ns) / 1e6)}"
    if wait.wait == "retry":
        return Reason("retry", f"its next attempt {verb} put off until {when}", f"{span}; {_failure(history, wait)}")
    return Reason("time", f"it {verb} put off until {when}", span)


def _failure(history: History, wait: Phase) -> str:
    errors = [one for kind in (JobEventType.FAILED, JobEventType.TIMED_OUT) for one in history.all(kind)]
    before = [one for one in errors if (one.attempt or 1) == wait.attempt - 1]
    kind = f" with {inert(before[-1].error_type, 60)}" if before and before[-1].error_type else ""
    return f"attempt {wait.attempt - 1} failed{kind}"


def _for_jobs(history: History, wait: Phase, family: Family | None, now_ns: int) -> Iterator[Reason]:
    needed = history.dependencies()
    left = [one for one in needed if one.met is None]
    if wait.open:
        for one in left[:_MOST_JOBS]:
            yield Reason("jobs", f"job {inert(one.job_id, 64)} {_must(one)}", _standing(one, family))
        if len(left) > _MOST_JOBS:
            yield Reason("jobs", f"{len(left) - _MOST_JOBS:,} more jobs have not ended")
        if not left:
            yield Reason("jobs", "all jobs that it waited for have ended", "it is about to be let go")
        return
    ended = max((one for one in needed if one.ended_at_ns), key=lambda one: one.ended_at_ns, default=None)
    if ended is None:
        yield Reason("jobs", "it waited for other jobs")
    else:
        when = moment_text(ended.ended_at_ns, now_ns, milliseconds=True)
        last = "the last of them, " if len(needed) > 1 else ""
        text = "it waited for another job" if len(needed) == 1 else f"it waited for {len(needed):,} other jobs"
        yield Reason("jobs", text, f"{last}{inert(ended.job_id, 64)}, {inert(ended.ended, 20) or 'ended'} at {when}")


def _must(one: Dependency) -> str:
    return {"failure": "must fail first", "always": "must end first"}.get(one.wanted, "must complete first")


def _standing(one: Dependency, family: Family | None) -> str:
    member = family.members.get(one.job_id) if family is not None else None
    if family is None:
        return ""
    return f"it is {member.status.value}" if member is not None and member.status else "nothing is known of it"
