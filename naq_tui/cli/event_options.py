"""Options of the commands that print events."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["TAIL", "FilterOption", "FollowOption", "PastUntilOption", "SinceOption", "TailOption", "UntilOption"]

TAIL = 10
"""The events with which a stream begins unless it is told."""

FilterOption = Annotated[
    str | None, typer.Option("--filter", metavar="TEXT", help="Only what matches, such as 'type:failed duration>2s'.")
]
SinceOption = Annotated[
    str | None, typer.Option(metavar="TIME", help="All since then: 15m ago, 14:02, 2026-11-27T14:02.")
]
UntilOption = Annotated[str | None, typer.Option(metavar="TIME", help="Only until then; nothing is followed.")]
PastUntilOption = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Only until then.")]
FollowOption = Annotated[bool, typer.Option("--follow/--no-follow", help="Go on with what comes.")]
TailOption = Annotated[
    int | None, typer.Option(min=0, help=f"Begin with the last so many; {TAIL} unless times are given.")
]
