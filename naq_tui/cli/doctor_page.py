"""How the checks of ``naq doctor`` are printed."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Sequence

from naq_runtime.doctor.check import Check, State
from naq_tui.cli import documents
from naq_tui.cli.format import Format
from naq_tui.cli.output import Line, Span, print_json, print_lines, print_raw, room_of
from naq_tui.text import inert

__all__ = ["print_checks"]

_MARKS: dict[State, Span] = {
    State.OK: ("✓", "green"),
    State.WARN: ("!", "bold yellow"),
    State.BAD: ("✗", "bold red"),
    State.SKIPPED: ("-", "dim"),
}
_NAME = 14
_INDENT = 2 + _NAME
_LABEL = 7
_LONGEST = 1_000
_MOST_DETAILS = 20


def print_checks(checks: Sequence[Check], form: Format) -> None:
    """Print checks in their order: for people with what they mean and how to mend it, and a line that sums them up."""
    match form:
        case Format.JSON:
            print_json([_document(check) for check in checks])
        case Format.RAW:
            for check in checks:
                print_raw(check.state, check.name, check.found)
        case Format.TABLE:
            room = min(room_of(sys.stdout), _LONGEST)
            print_lines(line for check in checks for line in _lines(check, room))
            print_lines([[], _sum(checks)])


def _document(check: Check) -> documents.Check:
    return documents.Check(
        check=check.name,
        state=check.state.value,
        found=check.found,
        meaning=check.meaning or None,
        remedy=check.remedy or None,
        details=list(check.details),
    )


def _lines(check: Check, room: int) -> Iterator[Line]:
    mark, style = _MARKS[check.state]
    plain = "dim" if check.state is State.SKIPPED else ""
    first, *rest = _wrapped(check.found, room - _INDENT)
    yield [(f"{mark} ", style), (check.name.ljust(_NAME), style if check.meaning else plain), (first, plain)]
    yield from ([(" " * _INDENT, ""), (line, plain)] for line in rest)
    for detail in _some(check.details):
        yield from ([(" " * _INDENT, ""), (line, style)] for line in _wrapped(f"· {detail}", room - _INDENT))
    for label, text in (("means", check.meaning), ("mend", check.remedy)):
        for number, line in enumerate(_wrapped(text, room - _INDENT - _LABEL) if text else ()):
            yield [(" " * _INDENT, ""), (("" if number else label).ljust(_LABEL), "dim"), (line, "")]


def _some(details: Sequence[str]) -> Sequence[str]:
    """As many as somebody reads; JSON has all."""
    if len(details) <= _MOST_DETAILS:
        return details
    return (*details[:_MOST_DETAILS], f"and {len(details) - _MOST_DETAILS:,} more; --format json has all")


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(inert(text, _LONGEST), max(20, width), break_on_hyphens=False) or [""]


def _sum(checks: Sequence[Check]) -> Line:
    counts = [
        (state, sum(check.state is state for check in checks)) for state in (State.BAD, State.WARN, State.SKIPPED)
    ]
    said = [(f"{count} {state.value}", _MARKS[state][1]) for state, count in counts if count]
    if not said:
        return [("all is well", "green")]
    return [part for number, one in enumerate(said) for part in ([(", ", ""), one] if number else [one])]
