"""The page of the keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from naq_tui.commands import ACTS, Command, Scope, commands_of
from naq_tui.keys import Keys
from naq_tui.text import fit, wrap
from naq_tui.widgets.line import EMPTY, Line, Span

__all__ = ["help_page"]

_KEYS = 16
_TITLE = 18
_NOTES: tuple[tuple[str, str], ...] = (
    ("● ○ ◌", "a worker is busy, idle, stopping; ! late is behind with its beat, ✗ lost let its lease end"),
    ("! nobody", "a queue with jobs, and without a worker"),
    ("longest", "for how long a worker has had its oldest job; ≥ when that ran already when it was seen first"),
    ("sched retrying", "jobs that wait for their time, and those of them that have been tried before"),
    ("depend dead", "jobs that wait for other jobs, and dead letters"),
    ("oldest", "for how long the first job has waited that no worker has"),
    ("! stuck", "threads of a worker that run on although their jobs were given up"),
    ("‖ paused", "a queue whose jobs no worker takes until it is resumed"),
    ("+ ▸ ✓ ✗ ↯", "a job is enqueued, starts, completes, fails, is interrupted"),
    ("◷ ⋯ ⊕ ⊖", "it waits for its time, or for other jobs; one of those ended as it must, or did not"),
    ("⊗ ↻ ⊘ † ↺", "it times out, is retried, is cancelled, goes to the dead letters, is requeued from there"),
    ("◔ · » ! ‼", "it reports progress, or writes to its log: debug, info, warning, error"),
    ("⊞ ◶ ◌", "a schedule is made, is due and makes a job, misses its tick"),
    ("✎ ‖ ▸ ⊘ ■ ‼", "it is modified, paused, resumed, cancelled, has finished, cannot be kept"),
    ("★ ☆", "a scheduler leads from now on; it has left or lost the lead"),
    ("⚑ ⚐", "an alert fires, and is over; ◔ it is pending: what its rule says has to hold for longer"),
    ("! late", "a schedule was due and has made no job yet; ⋯ held until the job before has ended"),
    ("lag", "of a schedule: how late its last tick was"),
    ("◂◂ at ×10", "a moment of the past, where a second takes a tenth of one; ‖ ×0 it stands still"),
    ("", "what it shows was rebuilt from events: - is what no event tells, such as the depth of a queue"),
    ("", "nothing can be changed there; when it has caught up with the present, that is shown again"),
    ("· × ✗", "on the time line: no attempt failed then, some did, many did"),
    ("running 1/2", "with the jobs that may run at a time"),
    ("in/s out/s", "means of the latest 10 whole seconds"),
    ("p50 p95 fail %", "of the latest minute"),
    ("errors", "in the statistics: attempts that failed or took too long, also those that were followed by another"),
    ("failed", "of a queue: for good, in the latest minute; of a worker: since it started"),
)


def help_page(width: int, keys: Keys | None = None, *, here: Sequence[Scope] = (), acting: bool = True) -> list[Line]:
    """The commands by place, with the keys that were chosen for them, then what the marks mean.

    Args:
        here: the places whose commands come first, as they work where one is.
        acting: whether anything can be changed.
    """
    elsewhere = [scope for scope in Scope if scope not in here]
    notes = [line for key, text in _NOTES for line in _note(key, text, width)]
    return [
        *_groups(here, width, keys or Keys(), acting=acting),
        *([EMPTY, Line((("  Elsewhere", "dim"),))] if here else []),
        *_groups(elsewhere, width, keys or Keys(), acting=acting),
        EMPTY,
        _heading("What it shows"),
        *notes,
    ]


def _groups(scopes: Iterable[Scope], width: int, keys: Keys, *, acting: bool) -> Iterator[Line]:
    for scope in scopes:
        if acting or scope not in (*ACTS, Scope.CONFIRM):
            yield from _group(scope, width, keys)


def _group(scope: Scope, width: int, keys: Keys) -> list[Line]:
    commands = keys.all_of(commands_of([scope]))
    return [EMPTY, _heading(scope.value), *(line for command in commands for line in _command(command, width))]


def _heading(text: str) -> Line:
    return Line(((f"  {text}", "accent"),))


def _command(command: Command, width: int) -> list[Line]:
    lead: list[Span] = [("  " + fit(command.label, _KEYS), "key")]
    if width >= 72:
        lead.append((fit(command.title, _TITLE), "text"))
    return _wrapped(lead, command.help, width)


def _note(key: str, text: str, width: int) -> list[Line]:
    return _wrapped([("  " + fit(key, _KEYS), "name")], text, width)


def _wrapped(lead: list[Span], text: str, width: int) -> list[Line]:
    used = sum(len(piece) for piece, _ in lead)
    first, *rest = _words(text, width - used - 1)
    return [Line((*lead, (first, "dim"))), *(Line(((" " * used, "text"), (piece, "dim"))) for piece in rest)]


def _words(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}".lstrip()
        if len(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return [piece for line in lines for piece in wrap(line, width)]
