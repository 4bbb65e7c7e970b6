"""The views that a key leads to."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from naq_tui.screens.view import View
from naq_tui.widgets.status import Badge

__all__ = ["make_view"]

_PLACES = {
    "overview": "Overview",
    "events": "Events",
    "jobs": "Jobs",
    "queues": "Queues",
    "workers": "Workers",
    "schedules": "Schedules",
    "statistics": "Statistics",
    "server": "Server",
    "alerts": "Alerts",
}
"""The classes of the views, by the names of their modules."""


def make_view(name: str, badge: Badge) -> View:
    """A view by its name; its module is loaded when it is wanted for the first time."""
    view: Callable[[Badge], View] = getattr(import_module(f"naq_tui.screens.{name}"), _PLACES[name])
    return view(badge)
