"""What a check says."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

__all__ = ["Check", "State", "Unknown", "bad", "named", "ok", "skipped", "warn"]


class State(StrEnum):
    """How it stands."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"
    SKIPPED = "skipped"
    """It could not be looked at."""


class Check(Struct, frozen=True, kw_only=True):
    """One thing that was looked at."""

    name: str
    state: State
    found: str
    """In one line; for one that was skipped, why."""
    meaning: str = ""
    """What comes of it; empty when nothing is wrong."""
    remedy: str = ""
    """How to mend it."""
    details: tuple[str, ...] = ()
    """What it is about, a line for each."""


class Unknown(NamedTuple):
    """In place of what could not be asked for."""

    why: str


def ok(name: str, found: str, details: Iterable[str] = ()) -> Check:
    """Nothing is wrong."""
    return Check(name=name, state=State.OK, found=found, details=tuple(details))


def warn(name: str, found: str, *, meaning: str, remedy: str, details: Iterable[str] = ()) -> Check:
    """Somebody should look at it."""
    return Check(name=name, state=State.WARN, found=found, meaning=meaning, remedy=remedy, details=tuple(details))


def bad(name: str, found: str, *, meaning: str, remedy: str, details: Iterable[str] = ()) -> Check:
    """Something does not work, or will not before long."""
    return Check(name=name, state=State.BAD, found=found, meaning=meaning, remedy=remedy, details=tuple(details))


def skipped(name: str, why: str) -> Check:
    """It could not be looked at."""
    return Check(name=name, state=State.SKIPPED, found=why)


def named(count: int, one: str, many: str = "") -> str:
    """A number with what it counts: ``1 queue``, ``3 queues``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
