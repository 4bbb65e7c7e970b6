"""What the log of a command says of others' texts."""

from __future__ import annotations

import io
import logging

import pytest

from naq_tui.cli.logs import InertFormatter

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
