"""Errors of jobs in processes, as the middleware of their worker sees them.

The process sends what an error is made of, as far as that has a JSON form. The worker makes it again where it knows the
type and comes to the same text; where it does not, a `RaisedElsewhere` of the type's name takes its place. Either has
the traceback of the process as its cause.
"""

from __future__ import annotations

import asyncio
import sys
from operator import attrgetter
from typing import Any

import msgspec

from naq_runtime.retry import RetryPolicy
from naq_runtime.worker.raising import Origin, Raised, described, raised

__all__ = ["RaisedElsewhere", "RemoteTraceback", "as_raised", "portable", "rebuilt"]

_ORIGIN_LIMIT = 64 * 1024
"""Bytes; an error that is made of more is not made again."""
_NOT_TO_BE_RAISED = (asyncio.CancelledError, GeneratorExit, StopIteration)
"""What means something else in a coroutine."""


class RaisedElsewhere(Exception):
    """The job raised something in another process; that of middleware has a type of the same name."""

    def __init__(self, what: Raised) -> None:
        super().__init__(what.error)
        self.what = what


class RemoteTraceback(Exception):
    """The cause of an error that was made again: where it comes from."""

    def __init__(self, what: Raised) -> None:
        super().__init__(f'\n"""\n{what.traceback}"""')
        self.what = what


def portable(error: BaseException, policy: RetryPolicy) -> Raised:
    """What can be said of an error, and what it is made of."""
    return msgspec.structs.replace(raised(error, policy), origin=_origin_of(error))


def rebuilt(what: Raised) -> BaseException:
    """The error, or what takes its place; to be raised from a `RemoteTraceback`."""
    error = None if what.origin is None else _made(what.origin, what)
    if error is None:
        error = type(what.error_type.replace("\0", ""), (RaisedElsewhere,), {})(what)
    return error


def as_raised(error: BaseException) -> Raised | None:
    """What came from the process, when this is made of it; ``None`` for an error of this process."""
    if isinstance(error, RaisedElsewhere):
        return error.what
    cause = error.__cause__
    if isinstance(cause, RemoteTraceback) and described(error) == (cause.what.error_type, cause.what.error):
        return cause.what
    return None


def _origin_of(error: BaseException) -> Origin | None:
    kind = type(error)
    try:
        reduced: Any = error.__reduce__()
        made_by, args, *rest = reduced
        state = _plain(dict(rest[0] or {})) if rest else {}
        args = _plain(list(args))
        if made_by is not kind or args is None:
            return None
        return Origin(kind.__module__, kind.__qualname__, args, state)
    except BaseException:  # user code: an error may say of itself what it likes
        return None


def _plain(value: Any) -> Any:
    """What comes back from JSON as it was; ``None`` for anything else."""
    data = msgspec.json.encode(value)
    return value if len(data) <= _ORIGIN_LIMIT and msgspec.json.decode(data) == value else None


def _made(origin: Origin, what: Raised) -> BaseException | None:
    kind = _known(origin)
    if kind is None:
        return None
    for make in (_called, _bare):
        try:
            error = make(kind, origin)
            if error is not None and type(error) is kind and described(error) == (what.error_type, what.error):
                return error
        except BaseException:  # user code: it may need to be told more
            continue
    return None


def _known(origin: Origin) -> type[BaseException] | None:
    """The type, when its module is there already: nothing is imported for that."""
    try:
        kind = attrgetter(origin.qualname)(sys.modules[origin.module])
    except (KeyError, AttributeError):
        return None
    if isinstance(kind, type) and issubclass(kind, BaseException) and not issubclass(kind, _NOT_TO_BE_RAISED):
        return kind
    return None


def _called(kind: type[BaseException], origin: Origin) -> BaseException | None:
    error = kind(*origin.args)
    error.__dict__.update(origin.state or {})
    return error


def _bare(kind: type[BaseException], origin: Origin) -> BaseException | None:
    """Without its ``__init__``, which may take other arguments, when all that this has left behind is at hand."""
    if origin.state is None:
        return None
    error = kind.__new__(kind, *origin.args)
    error.__dict__.update(origin.state)
    return error
