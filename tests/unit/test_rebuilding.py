"""Errors of another process, made again."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from naq_runtime.retry import NO_RETRIES, Retry, RetryPolicy, Snooze
from naq_runtime.worker.raising import Raised
from naq_runtime.worker.rebuilding import RaisedElsewhere, RemoteTraceback, as_raised, portable, rebuilt


class Refused(Exception):
    """Takes other arguments than it passes on, and has attributes."""

    def __init__(self, code: int, *, url: str) -> None:
        super().__init__(f"{code} from {url}")
        self.code = code
        self.url = url


class Refusal(Exception):
    """Takes other arguments than it passes on, and keeps what has no JSON form."""

    def __init__(self, code: int, response: object) -> None:
        super().__init__(f"refused with {code}")
        self.response = response


class Moody(Exception):
    """Says something else each time."""

    times = 0

    def __str__(self) -> str:
        Moody.times += 1
        return f"the {Moody.times}th time"


def sent(error: BaseException, policy: RetryPolicy = NO_RETRIES) -> Raised:
    """What arrives of an error that was raised in another process."""
    try:
        raise error
    except BaseException as caught:
        return msgspec.json.decode(msgspec.json.encode(portable(caught, policy)), type=Raised)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no"),
        KeyError("no such key"),
        FileNotFoundError(2, "No such file or directory", "/tmp/x"),
        SystemExit(3),
        Refused(404, url="http://x"),
        Retry(after=20, reason="because"),
        Snooze(3),
    ],
)
def test_it_is_of_its_type_and_says_the_same(error: BaseException) -> None:
    again = rebuilt(sent(error))

    assert type(again) is type(error)
    assert (str(again), again.args, vars(again)) == (str(error), error.args, vars(error))


def test_what_builtin_errors_know_they_still_know() -> None:
    missing, leaving = rebuilt(sent(FileNotFoundError(2, "No such file", "/tmp/x"))), rebuilt(sent(SystemExit(3)))

    assert isinstance(missing, OSError)
    assert (missing.errno, missing.filename) == (2, "/tmp/x")
    assert isinstance(leaving, SystemExit)
    assert leaving.code == 3


@pytest.mark.parametrize(
    "error",
    [
        Refusal(404, object()),
        Moody(),
        type("Nowhere", (Exception,), {})("no"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"),
        ExceptionGroup("several", [ValueError("one")]),
        ValueError(object()),
        ValueError("x" * 1_000_000),
        ValueError("\ud800"),
        asyncio.CancelledError("mine"),
        GeneratorExit("mine"),
        StopIteration("over"),
    ],
)
def test_what_cannot_be_made_again_is_told_by_its_name_and_text(error: BaseException) -> None:
    what = sent(error)
    again = rebuilt(what)

    assert isinstance(again, RaisedElsewhere)
    assert (type(again).__name__, str(again)) == (type(error).__name__, what.error)


def test_no_module_is_imported_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    what = sent(Refused(404, url="http://x"))
    monkeypatch.delitem(__import__("sys").modules, __name__)

    assert isinstance(rebuilt(what), RaisedElsewhere)


@pytest.mark.parametrize("error", [OSError("later"), Refusal(404, object()), Retry(after=20), StopIteration("over")])
def test_passed_on_it_comes_to_what_the_process_said(error: Exception) -> None:
    what = sent(error, RetryPolicy(1, retry_on=(OSError,)))
    with pytest.raises((OSError, RaisedElsewhere, Retry)) as caught:
        raise rebuilt(what) from RemoteTraceback(what)

    assert as_raised(caught.value) == what
    assert "in sent" in what.traceback or what.wish == "retry"


def test_another_error_in_its_place_is_that_of_middleware_and_tells_of_it() -> None:
    what = sent(ValueError("no"))
    with pytest.raises(RuntimeError) as caught:
        wrapped(what)

    assert as_raised(caught.value) is None


def wrapped(what: Raised) -> Any:
    """Do as middleware does."""
    try:
        raise rebuilt(what) from RemoteTraceback(what)
    except ValueError as error:
        raise RuntimeError("wrapped") from error
