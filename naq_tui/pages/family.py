"""The jobs around a job as two trees: those that it depends on, and those that depend on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from rich.cells import cell_len

from naq_runtime.job import JobStatus
from naq_runtime.surroundings import Family, Member
from naq_tui.pages.blocks import Block, Stop
from naq_tui.pages.facts import standing_span
from naq_tui.pages.history import Dependency, History
from naq_tui.pages.life import ENDED
from naq_tui.text import clock_text, count_text, fit, inert
from naq_tui.widgets.columns import fitted
from naq_tui.widgets.line import Line, Span, Tone

__all__ = ["dependants", "dependencies"]

_MOST_FIRST = 40
"""Jobs next to this one that are shown."""
_MOST_BESIDE = 12
"""And below any other."""
_MOST_ROWS = 120
_WIDEST_ID, _NARROW_ID = 38, 24
_ROOMY = 84
_STATUS = 9
_WANTED = {"success": "must succeed", "failure": "must fail", "always": "may end in any way"}
_ELSEWHERE: Span = ("  ↕ shown elsewhere", "faint")


def dependencies(history: History, family: Family | None, width: int) -> Block | None:
    """The jobs that it depends on with how each ended, and those that these depend on."""
    found = history.dependencies()
    if not found:
        return None
    ended = sum(one.met is not None for one in found)
    tree = _Tree(family.needs if family is not None else {}, family, history.detail.job_id)
    is_over = history.detail.status in ENDED
    tree.grow({one.job_id: _said_of(one, is_over, tree.member(one.job_id)) for one in found})
    about = f"{count_text(ended)} of {count_text(len(found))} ended"
    return tree.block("needs", "Depends on", about, width)


def dependants(history: History, family: Family | None, width: int) -> Block | None:
    """The jobs that wait for it, or did, and those that wait for these."""
    job_id = history.detail.job_id
    found = family.needed_by.get(job_id, ()) if family is not None else ()
    if family is None or not found:
        return None
    tree = _Tree(family.needed_by, family, job_id)
    tree.grow({one: _standing(tree.member(one)) for one in found})
    return tree.block("needed", "Needed by", count_text(len(found)), width)


class _Row(NamedTuple):
    """A job of a tree, or how many more there are."""

    indent: str
    job_id: str
    """Empty for those that are not shown."""
    said: Sequence[Span]
    """The glyph first."""


class _Tree:
    """Draws jobs below each other, each of them once with all that is below it.

    Args:
        below: the ids that stand below each other one.
        root: the job of the page, which stands nowhere in it.
    """

    def __init__(self, below: Mapping[str, tuple[str, ...]], family: Family | None, root: str) -> None:
        self._rows: list[_Row] = []
        self._below, self._family = below, family
        self._shown = {root}

    def member(self, job_id: str) -> Member | None:
        """What is known of a job, if it was looked at."""
        return self._family.members.get(job_id) if self._family is not None else None

    def grow(self, first: Mapping[str, list[Span]]) -> None:
        """Put all jobs into it.

        Args:
            first: the jobs next to the root, each with its glyph and what else there is to say of it.
        """
        shown = list(first)[:_MOST_FIRST]
        self._shown.update(shown)
        for job_id in shown:
            self._rows.append(_Row("", job_id, first[job_id]))
            self._grow_below(job_id, "  ")
        self._more(len(first) - len(shown), "")

    def block(self, key: str, title: str, about: str, width: int) -> Block:
        """All of it."""
        rows = [row for row in self._rows if row.job_id]
        widest = max(cell_len(row.indent + inert(row.job_id, 64)) for row in rows)
        room = min(_WIDEST_ID if width >= _ROOMY else _NARROW_ID, widest)
        stops = {place: Stop("job", row.job_id) for place, row in enumerate(self._rows) if row.job_id}
        return Block(key, title, [_row_line(row, room, width) for row in self._rows], about, stops)

    def _grow_below(self, job_id: str, indent: str) -> None:
        found = self._below.get(job_id, ())
        shown = found[:_MOST_BESIDE] if len(self._rows) < _MOST_ROWS else ()
        for place, one in enumerate(shown):
            is_last = place == len(found) - 1
            was_shown = one in self._shown
            self._shown.add(one)
            said = [*_standing(self.member(one)), *([_ELSEWHERE] if was_shown else [])]
            self._rows.append(_Row(indent + ("└ " if is_last else "├ "), one, said))
            if not was_shown:
                self._grow_below(one, indent + ("  " if is_last else "│ "))
        self._more(len(found) - len(shown), indent)

    def _more(self, count: int, indent: str) -> None:
        if count > 0:
            self._rows.append(_Row(indent, "", [(f"… {count_text(count)} more", "dim")]))


def _row_line(row: _Row, room: int, width: int) -> Line:
    lead: list[Span] = [("  ", "text"), (row.indent, "faint")]
    if not row.job_id:
        return Line((*lead, *row.said))
    (glyph, tone), *rest = row.said
    name = fit(inert(row.job_id, 64), max(4, room - cell_len(row.indent)))
    return Line(tuple(fitted([*lead, (f"{glyph} ", tone), (name, "name"), *rest], width - 1)))


def _said_of(one: Dependency, is_over: bool, member: Member | None) -> list[Span]:
    """The glyph of a job that is waited for, and how it ended, or stands."""
    about = list(_about(one))
    if one.met is None and (member is None or member.status is None):
        return [("⋯", "dim"), ("  no end of it was heard" if is_over else "  has not ended yet", "dim"), *about]
    if one.met is None:
        return [*_standing(member), *about]
    glyph, ended = ("⊕", "ended as it must") if one.met else ("⊖", "ended otherwise")
    tone: Tone = "good" if one.met else "bad"
    return [(glyph, tone), (f"  {inert(one.ended, 40) or ended:<{_STATUS}}", tone), *_function(member), *about]


def _about(one: Dependency) -> Iterator[Span]:
    """When it ended, and how it was to."""
    if one.ended_at_ns:
        yield f"  {clock_text(one.ended_at_ns, milliseconds=True)}", "dim"
    if one.wanted in _WANTED and not (one.met and one.wanted == "success"):
        yield f"  {_WANTED[one.wanted]}", "dim"


def _standing(member: Member | None) -> list[Span]:
    if member is None or member.status is None:
        return [("?", "faint"), ("  not looked at" if member is None else "  nothing is known of it", "faint")]
    status = JobStatus(member.status)
    mark, tone = standing_span(status)
    return [(mark[0], tone), (f"  {fit(status.value, _STATUS)}", tone), *_function(member)]


def _function(member: Member | None) -> Iterator[Span]:
    if member is not None and member.function_name:
        yield f"  {inert(member.function_name, 120)}", "dim"
