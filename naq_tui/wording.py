"""What acts are called, and what they come to, in one sentence each."""

from __future__ import annotations

from typing import NamedTuple

from naq_tui.acts import Act, ActKind
from naq_tui.text import clip, inert

__all__ = ["Wording", "named", "wording_of"]

_SHOWN = 60
"""Cells of a name in a line of text."""


class Wording(NamedTuple):
    """How one kind of act is spoken of."""

    ask: str
    """With ``{}`` for what it is done to: ``Cancel {}``."""
    done: str
    """``{} cancelled``."""
    what: str
    """What will happen, to one as to many."""
    yes: str
    """The word on the button."""
    final: bool = False
    """Whether it cannot be undone."""


_WORDINGS: dict[tuple[str, ActKind], Wording] = {
    ("job", ActKind.RETRY): Wording(
        "Retry {}",
        "{} put back",
        "A job that is retried goes back into its queue, and runs again from its first attempt.",
        "retry",
    ),
    ("job", ActKind.CANCEL): Wording(
        "Cancel {}",
        "{} cancelled",
        "A job that is cancelled ends wherever it stands. A plain function that runs in a thread is only told so.",
        "cancel",
        final=True,
    ),
    ("job", ActKind.DELETE): Wording(
        "Delete {} from the dead letters",
        "{} deleted",
        "A dead letter that is deleted is gone, with the arguments of its job, which cannot be retried any more.",
        "delete",
        final=True,
    ),
    ("queue", ActKind.PAUSE): Wording(
        "Pause {}",
        "{} paused",
        "No more jobs of a paused queue begin until it is resumed. Those that run go on.",
        "pause",
    ),
    ("queue", ActKind.RESUME): Wording("Resume {}", "{} resumed", "The jobs of a resumed queue begin again.", "resume"),
    ("queue", ActKind.PURGE): Wording(
        "Purge {}",
        "{} purged",
        "Every job that waits there for a worker is cancelled. Those that run stay, and so do those that wait for "
        "their time or for other jobs.",
        "purge",
        final=True,
    ),
    ("schedule", ActKind.PAUSE): Wording(
        "Pause {}", "{} paused", "No more jobs come of a paused schedule until it is resumed.", "pause"
    ),
    ("schedule", ActKind.RESUME): Wording(
        "Resume {}",
        "{} resumed",
        "A schedule that is resumed goes on with its next tick. What was due meanwhile is passed over.",
        "resume",
    ),
    ("schedule", ActKind.TRIGGER): Wording(
        "Trigger {}", "{} triggered", "A job comes at once, besides those that are due.", "trigger"
    ),
    ("schedule", ActKind.CANCEL): Wording(
        "Cancel {}",
        "{} cancelled",
        "No more jobs come of a cancelled schedule, ever. Those that have come stay.",
        "cancel",
        final=True,
    ),
    ("worker", ActKind.STOP): Wording(
        "Stop {}",
        "{} asked to stop",
        "A worker that is stopped takes no more jobs, lets those that run come to their end, and leaves. Asked again, "
        "it hands them back at once.",
        "stop",
    ),
    ("alert", ActKind.ACKNOWLEDGE): Wording(
        "Acknowledge {}",
        "{} acknowledged",
        "Others see that you care for it, until it is over. The alert goes on, and its webhook is called all the same.",
        "acknowledge",
    ),
}


def wording_of(act: Act) -> Wording:
    """How an act is spoken of."""
    return _WORDINGS[act.noun, act.kind]


def named(act: Act, count: int | None = None) -> str:
    """What it is done to, or so many of them: ``job 3k9x…`` for a single one, ``1,204 jobs`` for more; inert."""
    if len(act.targets) == 1:
        return f"{act.noun} {clip(inert(act.targets[0], 200), _SHOWN)}"
    count = len(act.targets) if count is None else count
    return f"1 {act.noun}" if count == 1 else f"{count:,} {act.noun}s"
