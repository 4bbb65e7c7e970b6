"""The jobs that were found: where each stands, how long it waited and ran, and what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.content import Content
from textual.message import Message

from naq_runtime.events.messages import duration_text
from naq_runtime.finding.found import FoundJob
from naq_runtime.job import JobStatus
from naq_tui.commands import Scope
from naq_tui.model.jobs import JobList
from naq_tui.model.standing import STANDINGS
from naq_tui.text import clip, count_text, inert, moment_text, short_age_text
from naq_tui.widgets.columns import Column, dotted
from naq_tui.widgets.feed_line import TONES
from naq_tui.widgets.line import Line, Span
from naq_tui.widgets.table import Table

__all__ = ["Jobs"]

_NONE: list[Span] = [("-", "faint")]
_LOOKING = (Line(((" looking for jobs …", "dim"),)),)
_HUES = {"good": "success", "bad": "error", "warn": "warning"}
_NAME = 32
"""Cells for the name of a function, where there is room."""
_NEAR_END = 100
"""So many rows before the last one, more are looked for."""


def _state(job: FoundJob, width: int) -> list[Span]:
    text, mood = STANDINGS[job.state[-1]]
    return [(text, "dim" if mood == "quiet" else TONES[mood])]


def _id(job: FoundJob, width: int) -> list[Span]:
    return [(inert(job.job_id, 64), "name")]


def _function(job: FoundJob, width: int) -> list[Span]:
    return [(dotted(job.function_name, width, _NAME), "text")] if job.function_name else _NONE


def _queue(job: FoundJob, width: int) -> list[Span]:
    return [(inert(job.queue_name, 64), "name")]


def _attempt(job: FoundJob, width: int) -> list[Span]:
    return [(count_text(job.attempt), "warn" if job.attempt > 1 else "dim")]


def _worker(job: FoundJob, width: int) -> list[Span]:
    return [(inert(job.worker_id, 64), "dim")] if job.worker_id else _NONE


def _what(job: FoundJob, width: int) -> list[Span]:
    """Why it failed, or else what it was called with."""
    if job.why:
        return [(inert(job.why), "bad" if job.status is JobStatus.FAILED else "warn")]
    return [(_by_the_end(inert(job.arguments), width), "dim")]


def _by_the_end(arguments: str, width: int) -> str:
    """A path that comes first and does not fit is told by its last name: the folders are often those of all others."""
    end = arguments.find('"', 1)
    if len(arguments) <= width or not arguments.startswith('"/') or end < 0:
        return arguments
    return f'"…/{arguments[1:end].rpartition("/")[2]}{arguments[end:]}'


def _standings(jobs: Iterable[FoundJob]) -> list[tuple[str, str]]:
    """How many stand where: of jobs that failed, what has become of them since."""
    counts = Counter(job.state[-1] for job in jobs)
    named = [(*mark, count_text(counts[state])) for state, mark in STANDINGS.items() if counts[state]]
    return [(f"{text[0]} {count}{text[1:]}", _HUES.get(mood, "foreground")) for text, mood, count in named]


def _number(value: float | None) -> float:
    return -1.0 if value is None else value


class Jobs(Table[FoundJob]):
    """One row a job; the one to which something happened last comes first."""

    NAME: ClassVar[str] = "Jobs"
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.JOB_ACTS, Scope.SORT, Scope.MARK, Scope.MOVE)
    TOP_STAYS: ClassVar[bool] = True

    @dataclass
    class MoreWanted(Message):
        """The cursor is near the last row, and there is more to be found."""

        everything: bool = False
        """Whether all of it is wanted."""

    class NotAllWanted(Message):
        """Not all that match are marked any more."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        self._now_ns = 0
        self._list: JobList | None = None
        self._is_narrowed = False
        self.trouble = ""
        """Why nothing newer can be found."""
        self._marks_all = False
        last = Column("ago", 6, self._last, lambda j: -j.moment_ns, rank=4, descending=False)
        super().__init__(
            (
                Column("state", 11, _state, lambda j: j.state, "left", 1, descending=False),
                Column("job", 9, _id, lambda j: j.job_id, "left", 0, most=20, descending=False),
                Column("function", 12, _function, lambda j: j.function_name, "left", 2, most=_NAME, descending=False),
                Column("queue", 7, _queue, lambda j: j.queue_name, "left", 7, most=16, descending=False),
                last,
                Column("age", 6, self._age, lambda j: -j.enqueued_at_ns, rank=8),
                Column("wait", 8, self._wait, lambda j: _number(j.wait_ms), rank=6),
                Column("run", 8, self._run, lambda j: _number(j.duration_ms), rank=5),
                Column("try", 4, _attempt, lambda j: j.attempt, rank=9),
                Column("worker", 14, _worker, lambda j: j.worker_id or "", "left", 10, most=18, descending=False),
                Column("error, or arguments", 18, _what, lambda j: j.why, "left", 3, most=160),
            ),
            sorted_by=last,
            id=id,
            classes=classes,
        )

    def key(self, row: FoundJob) -> str:
        """The job's id."""
        return row.job_id

    @property
    def job(self) -> FoundJob | None:
        """The one with the cursor."""
        return self.rows[self.viewport.cursor] if self.rows else None

    @property
    def marks_all(self) -> bool:
        """Whether all that match were marked, and none of them unmarked since."""
        return self._marks_all

    @property
    def on_top(self) -> bool:
        """Whether the cursor is on the first row, and nothing marked: others may come in its place."""
        return self.viewport.cursor == 0 and not self._marked

    def repaint(self) -> None:
        """See `LineWidget.repaint`; the border tells of marks and order, too."""
        super().repaint()
        self.set_border(self.title(), self.subtitle())

    def show(self, jobs: JobList, now_ns: int, hint: Sequence[Line] = ()) -> None:
        """Show what was found; of the list that is shown already, what has changed."""
        self._now_ns = now_ns
        self._hint = hint or _LOOKING
        changed = jobs.drain()
        if jobs is not self._list or self._is_narrowed:
            self._list, self._is_narrowed = jobs, False
            self._marks_all = False
            self._marked &= jobs.jobs.keys()
            self.set_rows(jobs.jobs.values(), self._hint)
        elif changed:
            self.change_rows(changed)
        else:
            self.repaint()
        self._ask_for_more()

    def narrow(self, jobs: JobList) -> None:
        """Keep only rows that match what is looked for from now on, until something is found."""
        self._list, self._is_narrowed, self._marks_all = jobs, True, False
        rows = [row for row in self.rows if jobs.query.matches(row)]
        kept = {row.job_id for row in rows}
        if self.cursor_key not in kept:
            self.viewport.go(0)
        self._marked &= kept
        self.set_rows(rows, _LOOKING)

    def tick(self, now_ns: int) -> None:
        """Let the times of the rows on the screen go on."""
        self._now_ns = now_ns
        self.repaint()

    def moved(self) -> None:
        """The cursor is on another row."""
        super().moved()
        self._ask_for_more()

    def action_mark(self) -> None:
        """See `Table.action_mark`."""
        self._want_no_more()
        super().action_mark()

    def action_unmark(self) -> None:
        """See `Table.action_unmark`."""
        self._want_no_more()
        super().action_unmark()

    def unmark(self, keys: Iterable[str]) -> None:
        """See `Table.unmark`: those that are found later are not marked, either."""
        self._want_no_more()
        super().unmark(keys)

    def action_mark_all(self) -> None:
        """Mark every job that matches; those that are not found yet are looked for, and marked then."""
        self._marks_all = True
        super().action_mark_all()
        if self._list is not None and not self._list.is_over:
            self.post_message(self.MoreWanted(everything=True))

    def mark_found(self) -> None:
        """Mark those that were found since all were to be marked."""
        if len(self._marked) < len(self.rows):
            super().action_mark_all()

    def marks_text(self) -> str:
        """See `Table.marks_text`; with a word where not all that match were found by now."""
        if not self._marked:
            return ""
        of_more = self._marks_all and self._list is not None and not self._list.has_all
        return f"▪ {count_text(len(self._marked))} marked{' of more' if of_more else ''}"

    def title(self) -> Content:
        """How many were found, and how far back was looked."""
        if self._list is None:
            return Content(self.NAME)
        found = count_text(len(self._list.jobs))
        if not self._list.is_over and self._list.back_to_ns:
            found += f" back to {moment_text(self._list.back_to_ns, self._now_ns)} …"
        parts: list[str | tuple[str, str]] = [(found, "$foreground 60%")]
        if self._list.name:
            parts += [(f"  {text}", f"${tone}") for text, tone in _standings(self._list.jobs.values())]
        if self._list.new:
            parts.append((f" ▲ {count_text(self._list.new)} new", "$success"))
        return Content.assemble(self.NAME, " ", *parts)

    def subtitle(self) -> Content:
        """What is looked for, and what the order is of while there is more."""
        if self._list is None:
            return Content("")
        parts: list[tuple[str, str]] = []
        if self.trouble:
            parts += [("! not looked for again: ", "$warning"), (clip(inert(self.trouble, 200), 48), ""), (" ", "")]
        if self._list.name:
            parts += [("✗ ", "bold $error"), (clip(inert(self._list.name, 200), 48), ""), (" ", "")]
        if self._list.query.text:
            parts += [("/ ", "bold $accent"), (clip(inert(self._list.query.text, 80), 40), ""), (" ", "")]
        if not self._list.is_over and (self._sorted_by.title != "ago" or self._descending):
            parts.append(("sorted: what was found so far", "$foreground 60%"))
        return Content.assemble(*parts) if parts else Content("")

    def _want_no_more(self) -> None:
        if self._marks_all:
            self._marks_all = False
            self.post_message(self.NotAllWanted())

    def _ask_for_more(self) -> None:
        if self._list is None or self._list.is_over:
            return
        if self.viewport.cursor >= len(self.rows) - max(_NEAR_END, self.viewport.height):
            self.post_message(self.MoreWanted())

    def _last(self, job: FoundJob, width: int) -> list[Span]:
        return self._since(job.moment_ns)

    def _age(self, job: FoundJob, width: int) -> list[Span]:
        return self._since(job.enqueued_at_ns)

    def _since(self, at_ns: int) -> list[Span]:
        return [(short_age_text(self._s_since(at_ns)), "dim")] if at_ns else _NONE

    def _wait(self, job: FoundJob, width: int) -> list[Span]:
        """Until it is due, as long as it waits for that; how long it has waited, or waited before it ran."""
        left_ns = job.run_at_ns - self._now_ns
        if job.status is JobStatus.SCHEDULED and left_ns > 0:
            return [(f"in {short_age_text(left_ns / 1e9)}", "text")]
        if job.status in (JobStatus.QUEUED, JobStatus.WAITING) and job.enqueued_at_ns:
            return [(short_age_text(self._s_since(max(job.run_at_ns, job.enqueued_at_ns))), "begin")]
        return _NONE if job.wait_ms is None else [(duration_text(job.wait_ms), "text")]

    def _run(self, job: FoundJob, width: int) -> list[Span]:
        if job.status is JobStatus.RUNNING and job.started_at_ns:
            return [(short_age_text(self._s_since(job.started_at_ns)), "begin")]
        return _NONE if job.duration_ms is None else [(duration_text(job.duration_ms), "text")]

    def _s_since(self, at_ns: int) -> float:
        return (self._now_ns - at_ns) / 1e9
