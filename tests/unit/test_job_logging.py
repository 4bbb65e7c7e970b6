"""What jobs write by `logging` is recorded, and nothing else is heard for that."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from naq_runtime.context import JobContext, running_as
from naq_runtime.job import Job
from naq_runtime.job_logging import change_log_level
from tests.support.logs import recorded

quiet, loud = logging.getLogger("tests.quiet"), logging.getLogger("tests.loud")


class Heard(logging.Handler):
    """What a handler that was there before gets."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line."""
        self.lines.append(record.getMessage())


@pytest.fixture
def own_level() -> Iterator[None]:
    """One logger wants to be heard in full."""
    loud.setLevel(logging.DEBUG)
    yield
    loud.setLevel(logging.NOTSET)


def speak(logger: logging.Logger) -> None:
    """A line of each level."""
    logger.debug("%s debug", logger.name)
    logger.info("%s info", logger.name)
    logger.warning("%s warning", logger.name)


def told_by(level: int | None) -> list[str]:
    """The lines in the events of a job that wants this level."""
    told: list[str] = []

    def emit(_: object, fields: dict[str, Any]) -> None:
        told.append(fields["text"])

    token = running_as.set(JobContext(Job("a.b"), "w1", emit, log_level=level))
    speak(quiet)
    running_as.reset(token)
    return told


@pytest.mark.usefixtures("own_level")
def test_other_handlers_hear_what_they_heard_before() -> None:
    before, after = Heard(), Heard()
    with recorded(None, usual=logging.INFO, handler=before):
        speak(quiet)
        speak(loud)
    with recorded(logging.DEBUG, usual=logging.INFO, handler=after):
        speak(quiet)
        speak(loud)

    assert after.lines == before.lines
    assert len(after.lines) == 5


def test_a_job_gets_its_own_lines_from_its_level_on() -> None:
    with recorded(logging.DEBUG, usual=logging.WARNING):
        assert told_by(logging.DEBUG) == [f"tests.quiet: tests.quiet {level}" for level in ("debug", "info", "warning")]
        assert told_by(logging.INFO) == [f"tests.quiet: tests.quiet {level}" for level in ("info", "warning")]
        assert told_by(None) == []


def test_the_level_of_the_root_logger_stays_when_no_task_wants_less() -> None:
    with recorded(logging.WARNING, usual=logging.INFO):
        assert logging.getLogger().level == logging.INFO


@pytest.mark.parametrize("new", [logging.DEBUG, logging.INFO, logging.WARNING])
@pytest.mark.parametrize("lowest", [None, logging.DEBUG, logging.INFO, logging.ERROR])
def test_a_level_that_is_changed_counts_for_handlers_and_not_for_jobs(lowest: int | None, new: int) -> None:
    heard = Heard()
    with recorded(lowest, usual=logging.INFO, handler=heard):
        change_log_level(new)
        speak(quiet)
        told = [] if lowest is None else told_by(lowest)

    wanted = [level for level in ("debug", "info", "warning") if logging.getLevelNamesMapping()[level.upper()] >= new]
    assert heard.lines[: len(wanted)] == [f"tests.quiet {level}" for level in wanted]
    assert len(heard.lines) == len(wanted) * (1 if lowest is None else 2)
    levels = {logging.DEBUG: 3, logging.INFO: 2, logging.ERROR: 0, None: 0}
    assert len(told) == levels[lowest]
