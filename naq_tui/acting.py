"""Whether anything can be changed where the screen looks, and why not."""

from __future__ import annotations

from naq_tui.stage import Stage

__all__ = ["refusal"]


def refusal(stage: Stage, *, in_past: bool = False) -> str | None:
    """Why nothing can be done to what is on show; ``None`` when it can."""
    link = stage.dashboard.link
    if in_past or (link is not None and link.is_past):
        return "what is on show is past: nothing can be done to it"
    if stage.source.actions is None:
        return "naq-top was started with --read-only: nothing can be changed"
    if stage.dashboard.stale:
        return "there is no connection to the server now: nothing can be done"
    return None
