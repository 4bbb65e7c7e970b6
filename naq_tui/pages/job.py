"""The page of one job: what it is, where its time went, what became of it, its arguments, and what lies around it."""

from __future__ import annotations

import string
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from naq_runtime.job import JobStatus
from naq_runtime.snapshot import JobDetail
from naq_runtime.surroundings import Neighbours
from naq_tui.pages.blocks import Block, Stop
from naq_tui.pages.code import plain_lines
from naq_tui.pages.events import event_list, raw_events
from naq_tui.pages.facts import facts
from naq_tui.pages.family import dependants, dependencies
from naq_tui.pages.history import History
from naq_tui.pages.life import ENDED
from naq_tui.pages.neighbours import neighbours
from naq_tui.pages.phases import Phase, phases
from naq_tui.pages.reasons import Situation
from naq_tui.pages.sections import cancellation, log, progress
from naq_tui.pages.timeline import timeline
from naq_tui.pages.trace import traceback_lines
from naq_tui.pages.values import json_text, shown_value
from naq_tui.pages.waits import explained
from naq_tui.pages.why import why
from naq_tui.text import inert, inert_lines
from naq_tui.widgets.line import EMPTY, Line

__all__ = ["Around", "job_page"]

_SHORT = (4_000, 40)
"""Characters and lines of a value, until more is wanted."""
_LONG = (256 * 1024, 4_000)
_COPIED = 256 * 1024
_BURIED = "it lies among the dead letters until it is requeued or deleted"
_DOTTED = string.ascii_letters + string.digits + "_.<>"
"""Of the module before the name of an error."""


@dataclass(frozen=True, slots=True)
class Around:
    """What is known around the job, and how it is wanted to be shown."""

    situation: Situation = field(default_factory=Situation)
    neighbours: Neighbours | None = None
    wanted: Collection[str] = ()
    """The keys of blocks of which more is wanted."""
    trouble: str = ""
    """Why a part of it could not be read."""
    raw: bool = False
    """Whether events are shown as they are stored."""


_NOTHING = Around()


def job_page(detail: JobDetail, width: int, now_ns: int, around: Around = _NOTHING) -> list[Block]:
    """The sections of the page."""
    history, found = History(detail), phases(detail, now_ns)
    family, outcome = around.situation.family, _outcome(history, width, now_ns, around.wanted)
    lost = {record.worker_id for record in around.situation.lost}
    times = [
        why(explained(history, found, around.situation, now_ns), width),
        Block("timeline", "Timeline", timeline(found, width)),
    ]
    has_failed = outcome is not None and outcome.key == "error"
    some = (
        Block("facts", "", list(facts(history, found, width, now_ns, lost))),
        progress(history, width, now_ns),
        *([outcome, *times] if has_failed and detail.status in ENDED else [*times, outcome]),
        _arguments(detail, width, around.wanted),
        dependencies(history, family, width),
        dependants(history, family, width),
        log(history, width),
        _neighbours(history, found, around.neighbours, width),
        _trouble(around.trouble, width),
        raw_events(detail.events, width) if around.raw else event_list(detail.events, width),
    )
    return [block for block in some if block is not None]


def _neighbours(history: History, found: list[Phase], known: Neighbours | None, width: int) -> Block | None:
    return None if known is None else neighbours(history, found, known, width)


def _trouble(trouble: str, width: int) -> Block | None:
    if not trouble:
        return None
    return Block("trouble", "Around it", plain_lines(f"! this could not be read: {trouble}", width, "warn"))


def _outcome(history: History, width: int, now_ns: int, wanted: Collection[str]) -> Block | None:
    status, result = history.detail.status, history.detail.result
    if status is JobStatus.CANCELLED:
        return cancellation(history, width, now_ns)
    if status is JobStatus.COMPLETED:
        if result is None:
            return Block("result", "Result", plain_lines("not kept any more", width, "dim"))
        return _values("result", "Result", [result.result], width, wanted)
    if status is JobStatus.FAILED or history.error is not None:
        return _error(history, width)
    return None


def _error(history: History, width: int) -> Block:
    """Of the job, or, while that goes on, of its latest attempt."""
    event, is_over = history.error, history.detail.status is JobStatus.FAILED
    kind, text, trace = _failure(history)
    said = ": ".join(part for part in (kind, text) if part) or "unknown"
    lines = plain_lines(said, width, "bad")
    if history.burial is not None:
        why = history.burial.reason
        lines += plain_lines(f"† {inert(why) if why and why != kind else _BURIED}", width, "dim")
    if frames := _before_error(trace, kind, text):
        lines += [EMPTY, *traceback_lines(frames, width)]
    about = "" if is_over or event is None else f"of attempt {event.attempt or 1}"
    return Block("error", "Error", lines, about, text=lambda: "\n".join(inert_lines(trace or said)))


def _before_error(trace: str, kind: str, text: str) -> str:
    """A traceback without the error at its end, which is told above it; all of it, when it ends otherwise."""
    if not kind or not trace:
        return trace
    head, found, last = trace.rstrip().rpartition(f"{kind}: {text}" if text else kind)
    where, _, module = head.rpartition("\n")
    is_told = found and not last and not module.strip("\n").strip(_DOTTED)
    return where if is_told else trace


def _failure(history: History) -> tuple[str, str, str]:
    event, result = history.error, history.detail.result
    if result is not None:
        return result.error_type or "", result.error or "", result.traceback or ""
    if event is not None:
        return event.error_type or "", event.error_message or "", event.traceback or ""
    return "", "", ""


def _arguments(detail: JobDetail, width: int, wanted: Collection[str]) -> Block:
    job = detail.job
    if job is None:
        gone = "neither the queue nor an outcome holds them any more"
        text = (
            gone if detail.status in ENDED or not detail.events else "what the queue holds cannot be read, or is gone"
        )
        return Block("arguments", "Arguments", plain_lines(text, width, "dim"))
    if not job.args and not job.kwargs:
        return Block("arguments", "Arguments", plain_lines("none", width, "dim"))
    given = [value for value in (list(job.args), dict(job.kwargs)) if value]
    return _values("arguments", "Arguments", given, width, wanted)


def _values(key: str, title: str, values: list[Any], width: int, wanted: Collection[str]) -> Block:
    """Values as JSON; of long ones the beginning, until more is wanted."""
    most, most_lines = _LONG if key in wanted else _SHORT
    shown = [shown_value(value, width, most=most, lines=most_lines) for value in values]
    lines = [line for one in shown for line in one.lines]
    stops: dict[int, Stop] = {}
    if any(one.is_cut for one in shown):
        if key in wanted:
            lines.append(Line((("  … no more than 256 KiB is shown: naq job show --format json prints all", "dim"),)))
        else:
            stops[len(lines)] = Stop("more", key)
            lines.append(Line((("  … Enter", "key"), (" shows more", "dim"))))
    return Block(key, title, lines, stops=stops, text=lambda: "\n".join(_copied(values)))


def _copied(values: list[Any]) -> Iterator[str]:
    for value in values:
        yield from inert_lines(json_text(value, 80)[:_COPIED], lines=8_000, width=_COPIED)
