"""What others say, made fit for a log: a receiver of webhooks and a program may say anything."""

from __future__ import annotations

__all__ = ["one_line"]


def one_line(text: str, limit: int) -> str:
    """The text in one line, without what a terminal would obey."""
    shown = (one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in " ".join(text.split()))
    return "".join(shown)[:limit]
