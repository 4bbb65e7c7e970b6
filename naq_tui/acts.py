"""What can be done from the monitor. Each act is bound to names and ids, and never to where a cursor is."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol

import msgspec

__all__ = ["JOB_ACTS", "Act", "ActKind", "Actions", "job_text"]


class ActKind(StrEnum):
    """What is done to each target; the value is the verb."""

    RETRY = "retry"
    """A job that has failed, or lies among the dead letters."""
    CANCEL = "cancel"
    """A job that has not ended, or a schedule, for good."""
    DELETE = "delete"
    """A job from the dead letters, for good."""
    PAUSE = "pause"
    """A queue, or with ``noun`` a schedule."""
    RESUME = "resume"
    PURGE = "purge"
    """A queue: every job that waits in it."""
    TRIGGER = "trigger"
    """A schedule, now."""
    STOP = "stop"
    """A worker, in an orderly way."""
    ACKNOWLEDGE = "acknowledge"
    """An alert."""


class Act(msgspec.Struct, frozen=True):
    """Something that somebody wants to be done, once they have said yes to it."""

    kind: ActKind
    noun: str
    """What the targets are, in the singular: ``job``, ``queue``, ``schedule``, ``worker`` or ``alert``."""
    targets: tuple[str, ...]
    """Their ids or names."""
    of: str = ""
    """How they were chosen, when it was by more than marks: the filter that they match."""
    about: Mapping[str, str] = msgspec.field(default_factory=dict)
    """What is known of some targets, a few words each."""
    more: bool = False
    """Whether there are, or may be, more that were meant: they were not found by now, and nothing is done to them."""


JOB_ACTS = (ActKind.RETRY, ActKind.CANCEL, ActKind.DELETE)
"""What can be done to a job."""


def job_text(function_name: str | None, queue_name: str) -> str:
    """What is known of a job, as an act names it: ``shop.mail.send in mail``."""
    return f"{function_name} in {queue_name}" if function_name else f"in {queue_name}"


class Actions(Protocol):
    """Does what was asked for, one target at a time."""

    async def perform(self, kind: ActKind, noun: str, target: str) -> str | None:
        """Do one thing; it is done when this returns.

        Returns:
            What came of it, where there is more to say than that it is done.

        Raises:
            NaqError: it cannot be done, and why.
        """
        ...
