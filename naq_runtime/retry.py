"""Whether a job that failed runs again, and when. Pure: chance and exceptions come in by argument.

A job may also say so itself, by raising `Retry`, `Snooze` or `Cancel`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any, Literal

from msgspec import Struct

__all__ = ["NO_RETRIES", "Backoff", "Cancel", "Delay", "Retry", "RetryPolicy", "Snooze", "seconds_of"]

Backoff = Literal["fixed", "linear", "exponential"]
Delay = float | Sequence[float]
"""Seconds; a sequence gives the delay of each retry, and its last one that of all further ones."""

_LONGEST_S = 10 * 365 * 86_400


class Retry(Exception):
    """Raised by a job: run me again, as after an error. It uses up an attempt.

    Args:
        after: seconds, or a `timedelta`; as the task's policy says when left out.
        reason: for the events.
    """

    after: float | None = None
    """Seconds; also for a class derived from this one that does not say."""

    def __init__(self, after: float | timedelta | None = None, reason: str = "asked for by the job") -> None:
        super().__init__(reason)
        self.after = None if after is None else seconds_of(after)
        self.reason = reason


class Snooze(Exception):
    """Raised by a job: not now, come back later. It costs no attempt, and may be done any number of times.

    Args:
        for_: seconds, or a `timedelta`.
        reason: for the events.
    """

    after: float = 1.0
    """Seconds; also for a class derived from this one that does not say."""

    def __init__(self, for_: float | timedelta, reason: str = "snoozed") -> None:
        super().__init__(reason)
        self.after = seconds_of(for_)
        self.reason = reason


class Cancel(Exception):
    """Raised by a job: I am not needed any more. The job ends as cancelled, whatever retries it had."""

    def __init__(self, reason: str = "cancelled by the job") -> None:
        super().__init__(reason)
        self.reason = reason


class RetryPolicy(Struct, frozen=True):
    """How often a job is tried again, after which errors and after how long.

    Raises:
        ValueError: a number is out of range.
        TypeError: ``retry_on`` or ``ignore_on`` has something in it that is no class of errors.
    """

    retries: int = 0
    """Further tries after the first; 0 for none."""
    delay: float | tuple[float, ...] = 1.0
    backoff: Backoff = "exponential"
    """How a single ``delay`` grows: not at all, by itself each time, or by doubling."""
    jitter: float = 0.1
    """The share of the delay that chance may add: 0 to 1."""
    cap: float = 3600.0
    """The longest delay, in seconds."""
    retry_on: tuple[type[BaseException], ...] = (Exception,)
    ignore_on: tuple[type[BaseException], ...] = ()
    """Errors after which the job fails for good, even when ``retry_on`` names them."""

    def __post_init__(self) -> None:
        delays = self.delay if isinstance(self.delay, tuple) else (self.delay,)
        if not 0 <= self.retries <= 1_000_000:
            raise ValueError(f"retries must be 0 to 1,000,000, got {self.retries}")
        if not delays or any(not 0 <= delay <= _LONGEST_S for delay in delays):
            raise ValueError(f"a retry delay must be 0 to {_LONGEST_S:,} seconds, got {self.delay}")
        if self.backoff not in ("fixed", "linear", "exponential"):
            raise ValueError(f"backoff must be fixed, linear or exponential, got {self.backoff!r}")
        if not 0 <= self.jitter <= 1:
            raise ValueError(f"jitter must be 0 to 1, got {self.jitter}")
        if not 0 < self.cap <= _LONGEST_S:
            raise ValueError(f"the longest delay must be above 0 and at most {_LONGEST_S:,} seconds, got {self.cap}")
        _check_errors("retry_on", self.retry_on)
        _check_errors("ignore_on", self.ignore_on)

    @classmethod
    def of(
        cls,
        retries: int,
        delay: Delay | None = None,
        *,
        backoff: Backoff | None = None,
        jitter: float = 0.1,
        cap: float = 3600.0,
        retry_on: Sequence[type[BaseException]] = (Exception,),
        ignore_on: Sequence[type[BaseException]] = (),
    ) -> RetryPolicy:
        """A policy as a task is given it: a delay of one's own stays as it is unless ``backoff`` says otherwise."""
        grown = backoff or ("exponential" if delay is None else "fixed")
        several = 1.0 if delay is None else tuple(delay) if isinstance(delay, Sequence) else delay
        on, never = _several("retry_on", retry_on), _several("ignore_on", ignore_on)
        return cls(retries, several, grown, jitter, cap, on, never)

    def override(self, retries: int | None, delay: Delay | None) -> RetryPolicy:
        """The policy of a job that brings numbers of its own."""
        if retries is None and delay is None:
            return self
        count = self.retries if retries is None else retries
        if delay is None:
            return RetryPolicy(count, self.delay, self.backoff, self.jitter, self.cap, self.retry_on, self.ignore_on)
        return RetryPolicy.of(
            count, delay, jitter=self.jitter, cap=self.cap, retry_on=self.retry_on, ignore_on=self.ignore_on
        )

    def wants(self, error: BaseException) -> bool:
        """Whether it is an error after which to try again."""
        return isinstance(error, self.retry_on) and not isinstance(error, self.ignore_on)

    def has_left(self, attempt: int) -> bool:
        """Whether there is a retry left after this attempt, counted from 1."""
        return attempt <= self.retries

    def delay_after(self, attempt: int, chance: Callable[[], float] = random.random) -> float:
        """Seconds between the end of this attempt and the next one; ``chance`` gives 0 to 1."""
        if isinstance(self.delay, tuple):
            base = self.delay[min(attempt, len(self.delay)) - 1]
        elif self.backoff == "fixed":
            base = self.delay
        elif self.backoff == "linear":
            base = self.delay * attempt
        else:
            base = self.delay * 2.0 ** min(attempt - 1, 64)
        base = min(base, self.cap)
        return min(base * (1 + self.jitter * chance()), self.cap)


def _several(name: str, kinds: Any) -> tuple[type[BaseException], ...]:
    if isinstance(kinds, type | str) or not isinstance(kinds, Iterable):
        raise TypeError(f"{name} takes several classes of errors, such as [OSError], got {kinds!r}")
    return tuple(kinds)


def _check_errors(name: str, kinds: tuple[object, ...]) -> None:
    for kind in kinds:
        if not isinstance(kind, type) or not issubclass(kind, BaseException):
            raise TypeError(f"{name} takes classes of errors, such as [OSError], and {kind!r} is none")


NO_RETRIES = RetryPolicy()


def seconds_of(span: float | timedelta) -> float:
    """A span in seconds.

    Raises:
        ValueError: it is negative, or longer than ten years.
    """
    seconds = span.total_seconds() if isinstance(span, timedelta) else float(span)
    if not 0 <= seconds <= _LONGEST_S:
        raise ValueError(f"a delay must be 0 to {_LONGEST_S:,} seconds, got {span}")
    return seconds
