"""What the log of a command says of others' texts."""

from __future__ import annotations

import io
import logging

import pytest

from naq_runtime.context import JobContext, running_as
from naq_runtime.job import Job
from naq_tui.cli.logs import InertFormatter
from tests.support.logs import recorded

EVIL = "no \x1b]0;pwn\x07 customer\n12:00:00 W forged"


@pytest.fixture
def written() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def log(written: io.StringIO) -> logging.Logger:
    handler = logging.StreamHandler(written)
    handler.setFormatter(InertFormatter("%(levelname).1s %(message)s"))
    logger = logging.Logger("tested")
    logger.addHandler(handler)
    return logger


def test_a_message_is_one_line_without_anything_that_a_terminal_obeys(
    log: logging.Logger, written: io.StringIO
) -> None:
    log.warning("processor failed: %s", EVIL)

    assert written.getvalue().count("\n") == 1
    assert written.getvalue().startswith("W processor failed: no ")
    assert not {"\x1b", "\x07"} & set(written.getvalue())


def test_a_traceback_keeps_its_lines_and_is_inert(log: logging.Logger, written: io.StringIO) -> None:
    try:
        raise LookupError(EVIL)
    except LookupError as error:
        log.warning("failed", exc_info=error)

    assert written.getvalue().count("\n") > 3
    assert "LookupError: no " in written.getvalue()
    assert "\n12:00:00" not in written.getvalue()
    assert not {"\x1b", "\x07"} & set(written.getvalue())


def test_an_endless_message_is_cut(log: logging.Logger, written: io.StringIO) -> None:
    log.warning("x" * 1_000_000)

    assert len(written.getvalue()) < 3_000


def test_what_a_job_writes_begins_with_its_id_and_all_else_does_not(log: logging.Logger, written: io.StringIO) -> None:
    with recorded(None, usual=logging.INFO, handler=log.handlers[0]):
        token = running_as.set(JobContext(Job("a.b", job_id="j-1"), "w1", lambda *_: None))
        logging.getLogger("tests.job").warning("written by it")
        running_as.reset(token)
        logging.getLogger("tests.job").warning("written by us")

    first, second = written.getvalue().splitlines()
    assert first == "W [j-1] written by it"
    assert second == "W written by us"
