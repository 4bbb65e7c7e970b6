"""The page of one job: what it is, where its time went, what became of it, and what it was given."""

from __future__ import annotations

from collections.abc import Iterator

from naq_runtime.job import JobStatus
from naq_runtime.snapshot import JobDetail
from naq_tui.pages.code import json_lines, plain_lines, traceback_lines
from naq_tui.pages.facts import facts
from naq_tui.pages.history import History
from naq_tui.pages.phases import phases
from naq_tui.pages.sections import cancellation, dependencies, event_list, log, progress, section
from naq_tui.pages.timeline import timeline
from naq_tui.text import inert
from naq_tui.widgets.line import EMPTY, Line

__all__ = ["job_page"]


def job_page(detail: JobDetail, width: int, now_ns: int) -> list[Line]:
    """The lines of the page."""
    history, found = History(detail), phases(detail, now_ns)
    return [
        EMPTY,
        *facts(history, found, width, now_ns),
        *progress(history, width, now_ns),
        *section("Timeline", width),
        *timeline(found, width),
        *dependencies(history, width),
        *_outcome(history, width, now_ns),
        *log(history, width),
        *_arguments(detail, width),
        *event_list(history, width),
    ]


def _outcome(history: History, width: int, now_ns: int) -> Iterator[Line]:
    status, result = history.detail.status, history.detail.result
    if status is JobStatus.CANCELLED:
        yield from cancellation(history, width, now_ns)
    elif status is JobStatus.COMPLETED:
        yield from section("Result", width)
        if result is None:
            yield from plain_lines("not kept any more", width, "dim")
        else:
            yield from json_lines(result.result, width)
    elif status is JobStatus.FAILED or history.error is not None:
        yield from _error(history, width)


def _error(history: History, width: int) -> Iterator[Line]:
    """Of the job, or, while that goes on, of its latest attempt."""
    event, is_over = history.error, history.detail.status is JobStatus.FAILED
    yield from section("Error", width, "" if is_over or event is None else f"of attempt {event.attempt or 1}")
    kind, text, trace = _failure(history)
    yield from plain_lines(": ".join(part for part in (kind, text) if part) or "unknown", width, "bad")
    if history.burial is not None:
        why = inert(history.burial.reason or "it lies among the dead letters until it is requeued or deleted")
        yield from plain_lines(f"† {why}", width, "dim")
    if trace:
        yield EMPTY
        yield from traceback_lines(trace, width)


def _failure(history: History) -> tuple[str, str, str]:
    event, result = history.error, history.detail.result
    if result is not None:
        return result.error_type or "", result.error or "", result.traceback or ""
    if event is not None:
        return event.error_type or "", event.error_message or "", event.traceback or ""
    return "", "", ""


def _arguments(detail: JobDetail, width: int) -> Iterator[Line]:
    yield from section("Arguments", width)
    job = detail.job
    if job is None:
        yield from plain_lines("neither the queue nor an outcome holds them any more", width, "dim")
    elif not job.args and not job.kwargs:
        yield from plain_lines("none", width, "dim")
    else:
        if job.args:
            yield from json_lines(list(job.args), width)
        if job.kwargs:
            yield from json_lines(dict(job.kwargs), width)
