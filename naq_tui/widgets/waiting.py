"""What stands in a table as long as there is no connection yet."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from naq_tui.source import ConnectionState, Link
from naq_tui.text import inert
from naq_tui.widgets.line import Line

__all__ = ["CONNECTING", "waiting_lines"]

CONNECTING = (Line(((" connecting …", "dim"),)),)
_REASON_WIDTH = 54
"""Cells for why there is no connection; they fit into the narrowest terminal."""


def waiting_lines(link: Link | None) -> Sequence[Line]:
    """That it connects, and to what; or why it cannot, and when it is tried again."""
    if link is None or (link.state is ConnectionState.CONNECTING and not link.detail):
        return CONNECTING
    if link.state is ConnectionState.CONNECTING:
        return [Line(((f" connecting to {inert(link.detail, 200)} …", "dim"),))]
    lines = [Line(((f" {line}", "text"),)) for line in textwrap.wrap(inert(link.detail), _REASON_WIDTH)]
    if link.state is ConnectionState.RECONNECTING:
        lines.append(Line(((" it is tried again every second", "dim"),)))
    return lines
