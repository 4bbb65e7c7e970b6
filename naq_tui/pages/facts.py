"""The head of a job's page: what it is, how it stands, and how long it took so far."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from naq_runtime.events.messages import duration_text
from naq_runtime.events.models import JobEventType
from naq_runtime.job import JobStatus
from naq_tui.model.seconds import SECOND_NS
from naq_tui.model.standing import STANDINGS
from naq_tui.pages.history import History
from naq_tui.pages.phases import Phase, Spent, ran, unready_ms, waited
from naq_tui.text import age_text, fit, inert, moment_text
from naq_tui.widgets.columns import fitted
from naq_tui.widgets.feed_line import TONES
from naq_tui.widgets.flow import width_of
from naq_tui.widgets.line import Line, Span, Tone

__all__ = ["Fact", "fact_lines", "facts", "standing_span"]

_LABEL = 11
_WIDE = 84

Fact = tuple[str, list[Span]]
"""A label, and what is known."""


def facts(history: History, found: list[Phase], width: int, now_ns: int, lost: Collection[str] = ()) -> Iterator[Line]:
    """What is known of a job.

    Args:
        lost: workers that went without a word.
    """
    yield from fact_lines([*_identity(history), *_course(history, found, now_ns, lost)], width)


def standing_span(status: JobStatus) -> Span:
    """Where a job stands, on a page of its own: quiet states are to be read there, too."""
    text, mood = STANDINGS[status]
    return text, "text" if mood == "quiet" else TONES[mood]


def fact_lines(known: list[Fact], width: int) -> Iterator[Line]:
    """What is known, in two columns where there is room."""
    if width < _WIDE:
        yield from (_side_by_side([fact], width) for fact in known)
        return
    half = -(-len(known) // 2)
    for index in range(half):
        yield _side_by_side(known[index::half], width)


def _side_by_side(pair: list[Fact], width: int) -> Line:
    room = (width - 2) // (2 if width >= _WIDE else 1)
    spans: list[Span] = [("  ", "text")]
    for label, value in pair:
        shown = fitted(value, room - _LABEL - 2)
        blank = " " * (room - _LABEL - width_of(shown))
        spans += [(fit(label, _LABEL), "dim"), *shown, (blank, "text")]
    return Line(tuple(spans[:-1]))


def _identity(history: History) -> list[Fact]:
    detail = history.detail
    return [
        ("status", [standing_span(detail.status), *_remarks(history)]),
        ("function", [(inert(history.function_name or "-"), "strong")]),
        ("queue", [(inert(history.queue_name or "-", 64), "name")]),
        ("job id", [(inert(detail.job_id, 64), "text")]),
    ]


def _remarks(history: History) -> Iterator[Span]:
    """What the status alone does not say."""
    detail, error = history.detail, history.error
    if detail.status is JobStatus.WAITING:
        yield " for other jobs", "text"
    elif detail.status is JobStatus.FAILED:
        if error is not None and error.event_type is JobEventType.TIMED_OUT:
            yield "  timed out", "bad"
        if history.burial is not None:
            yield "  † dead letter", "warn"
    elif detail.status is JobStatus.SCHEDULED and history.is_retried:
        yield "  for another attempt", "warn"
    elif detail.status is JobStatus.RUNNING and detail.is_ending:
        yield "  ⊘ told to end", "warn"
    elif detail.status is JobStatus.RUNNING:
        started = history.last(JobEventType.STARTED)
        if started is not None and (started.attempt or 1) > 1:
            yield f"  attempt {started.attempt}", "warn"


def _course(history: History, found: list[Phase], now_ns: int, lost: Collection[str]) -> Iterator[Fact]:
    if found:
        yield "enqueued", _moment(found[0].start_ns, now_ns)
    if history.due_ns and (history.detail.status is JobStatus.SCHEDULED or history.all(JobEventType.SCHEDULED)):
        yield "retry at" if history.is_retried else "scheduled", _due(history, now_ns)
    if any(phase.kind == "waiting" for phase in found):
        yield "waited", list(_waited(found))
    runs = [phase for phase in found if phase.kind == "running"]
    if runs:
        yield "ran", [*_spent(ran(found), f"in {len(runs)} runs", "warn")]
        is_lost = runs[-1].outcome == "lost" or runs[-1].worker in lost
        is_with_it = is_lost and history.detail.status is JobStatus.RUNNING
        remark = "  ✗ lost, another one will get the job" if is_with_it else ""
        yield "worker", [(inert(runs[-1].worker or "-", 64), "text"), (remark, "bad")]


def _moment(at_ns: int, now_ns: int) -> list[Span]:
    shown = moment_text(at_ns, now_ns, milliseconds=True)
    return [(shown, "text"), (f"  {age_text((now_ns - at_ns) / SECOND_NS)} ago", "dim")]


def _due(history: History, now_ns: int) -> list[Span]:
    due = history.due_ns
    left = (due - now_ns) / SECOND_NS
    if left <= 0:
        return [(moment_text(due, now_ns, milliseconds=True), "text"), (f"  {age_text(-left)} ago", "dim")]
    waits = history.detail.status is JobStatus.SCHEDULED
    return [(moment_text(due, now_ns), "text"), (f"  in {age_text(left)}", "accent" if waits else "dim")]


def _waited(found: list[Phase]) -> Iterator[Span]:
    """For a worker; what was planned, or was for other jobs to end, comes beside it."""
    spent, unready = waited(found), unready_ms(found)
    yield from _spent(spent, "in all", "dim")
    if unready > 0:
        yield f"{', ' if spent.times > 1 else '  besides '}{duration_text(unready)} not runnable", "dim"


def _spent(spent: Spent, times: str, tone: Tone) -> Iterator[Span]:
    """The last attempt, as in all lists; beside it what there was in all, where that is something else."""
    yield "-" if spent.last_ms is None else duration_text(spent.last_ms), "text"
    if spent.times > 1:
        yield f"  {duration_text(spent.all_ms)} {times}", tone
