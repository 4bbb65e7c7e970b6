"""``naq doctor``."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from naq_tui.cli.context import EXIT_CONDITION, EXIT_SERVER
from naq_tui.cli.format import Format

if TYPE_CHECKING:
    from collections.abc import Callable

    from naq_runtime.config import ReadSettings

__all__ = ["doctor"]


class Role(StrEnum):
    """Whose permissions must be there."""

    MONITOR = "monitor"
    PRODUCER = "producer"
    WORKER = "worker"
    SCHEDULER = "scheduler"
    PROCESSOR = "processor"
    OPERATOR = "operator"


async def doctor(
    *,
    role: Annotated[Role, typer.Option("--role", help="Whose permissions these credentials must have.")] = Role.MONITOR,
    format: Annotated[Format, typer.Option("--format", "-f", help="How to print.")] = Format.TABLE,
    read: Callable[[], ReadSettings],
) -> None:
    """Check server, streams, workers, schedules and clocks; say what is wrong, what it means, and how to mend it.

    Nothing is changed, and no stream is made. Exit code 0 when nothing is bad, 5 when something is, 3 when the server
    cannot be reached or used.

    Example: naq doctor --role worker
    """
    import os

    from naq_runtime.doctor.check import State
    from naq_runtime.doctor.examination import can_be_used, examine, usable_settings
    from naq_tui.cli.doctor_page import print_checks

    found = read()
    config, mistakes = usable_settings(found)
    checks = await examine(config, mistakes, role=role.value, environ=os.environ)
    print_checks(checks, format)
    if not can_be_used(checks):
        raise typer.Exit(EXIT_SERVER)
    if any(check.state is State.BAD for check in checks):
        raise typer.Exit(EXIT_CONDITION)
