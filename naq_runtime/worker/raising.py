"""What an error of a job comes to: its name, text and traceback, and what is to become of the job."""

from __future__ import annotations

import traceback
from types import TracebackType
from typing import Any, Literal

from msgspec import Struct

from naq_runtime.job import Job
from naq_runtime.retry import Cancel, Retry, RetryPolicy, Snooze, seconds_of

__all__ = ["Origin", "Raised", "Verdict", "described", "judge", "of_the_job", "raised"]

_NAME_LIMIT = 200
_MESSAGE_LIMIT = 2_000
_TRACEBACK_LIMIT = 8_000
_OURS = (
    "naq_runtime.worker.",
    "naq_runtime.arguments",
    "naq_runtime.tasks",
    "naq_runtime.context",
    "concurrent.futures.",
    "asyncio.",
)

Wish = Literal["retry", "snooze", "cancel"]


class Origin(Struct, frozen=True):
    """What an error is made of."""

    module: str
    qualname: str
    args: list[Any]
    state: dict[str, Any] | None
    """Its attributes; ``None`` when they have no JSON form."""


class Raised(Struct, frozen=True):
    """An error, without the error itself, so that it can come from another process."""

    error_type: str
    error: str
    """Its text."""
    traceback: str
    wish: Wish | None = None
    """What the job asked for, when it was no error at all."""
    after: float | None = None
    """Seconds until it wants to run again."""
    is_retried: bool = False
    """Whether the task's policy names it among the errors to retry."""
    origin: Origin | None = None
    """For middleware in another process, when it can be made again there."""


class Verdict(Struct, frozen=True):
    """What is to become of a job whose attempt did not complete."""

    cancelled: bool = False
    again_after: float | None = None
    """Seconds; ``None`` when it has ended."""
    costs_attempt: bool = True


def raised(error: BaseException, policy: RetryPolicy) -> Raised:
    """What can be said of an error."""
    wish, after = _wish_of(error)
    error_type, text = described(error)
    return Raised(
        error_type=error_type,
        error=text,
        traceback="" if wish else clipped(_traceback(error), _TRACEBACK_LIMIT),
        wish=wish,
        after=after,
        is_retried=policy.wants(error),
    )


def described(error: BaseException) -> tuple[str, str]:
    """The name of its type, and its text."""
    return _name(error), clipped(_text(error), _MESSAGE_LIMIT)


def _wish_of(error: BaseException) -> tuple[Wish | None, float | None]:
    match error:
        case Retry():
            return "retry", _after(error, None)
        case Snooze():
            return "snooze", _after(error, Snooze.after)
        case Cancel():
            return "cancel", None
        case _:
            return None, None


def _after(error: Retry | Snooze, otherwise: float | None) -> float | None:
    try:
        return None if error.after is None else seconds_of(error.after)
    except Exception:  # user code: a class derived from ours may make anything of it
        return otherwise


def judge(what: Raised, job: Job, policy: RetryPolicy) -> Verdict:
    """Whether the job has ended, and how, or runs again, and when."""
    if what.wish == "cancel":
        return Verdict(cancelled=True)
    if what.wish == "snooze":
        return Verdict(again_after=Snooze.after if what.after is None else what.after, costs_attempt=False)
    if not policy.has_left(job.attempt) or not (what.is_retried or what.wish == "retry"):
        return Verdict()
    return Verdict(again_after=policy.delay_after(job.attempt) if what.after is None else what.after)


def clipped(text: str, limit: int) -> str:
    """The text, or its two ends with a word on what lies between."""
    text = text.encode("utf-8", "backslashreplace").decode()
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as broken:  # user code: an exception's own __str__ may fail, and in any way
        return f"(its text cannot be had: {_name(broken)})"


def _name(error: BaseException) -> str:
    return type(error).__qualname__.encode("utf-8", "backslashreplace").decode()[:_NAME_LIMIT]


def of_the_job(trace: TracebackType | None) -> TracebackType | None:
    """From the first frame that is not of this package on."""
    while trace is not None and trace.tb_frame.f_globals.get("__name__", "").startswith(_OURS):
        trace = trace.tb_next
    return trace


def _traceback(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(type(error), error, of_the_job(error.__traceback__)))
    except BaseException:  # user code: an exception's own __str__ or __repr__ may fail, and in any way
        return f"{_name(error)}: {_text(error)}\n"
