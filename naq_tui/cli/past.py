"""Moments that are over, as commands are told them.

An age counts from what the server's clock shows, by which events are stored: so a host whose own clock is wrong asks
for the same events as others. What is said by the wall clock stays as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from naq_tui.cli.format import PastMoment

if TYPE_CHECKING:
    from naq_runtime.services.manager import ServiceManager

__all__ = ["FORMS", "on_server"]

FORMS = "A span ago such as 2h, or a time such as 14:30 or 2026-03-01T14:30Z."


async def on_server(services: ServiceManager, *moments: PastMoment | None) -> list[int | None]:
    """The moments in nanoseconds since 1970 UTC, by the clock of the server; ``None`` stays what it is.

    Raises:
        ServerError: the server cannot be asked now.
    """
    if any(moment is not None and moment.age_ns for moment in moments):
        await services.streams.bounds(services.names.events_stream)  # any such answer says what time it is
    now_ns = services.connection.server_clock.now_ns()
    return [None if moment is None else moment.at_ns(now_ns) for moment in moments]
