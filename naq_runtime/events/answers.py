"""Answers to questions to the log."""

from __future__ import annotations

from typing import NamedTuple

from naq_runtime.events.models import StoredEvent

__all__ = ["EarlierEvents", "EventPage", "RecentEvents"]


class RecentEvents(NamedTuple):
    """The last events that match, and where to go on."""

    events: list[StoredEvent]
    """Oldest first."""
    last: int
    """The sequence up to which was looked."""


class EventPage(NamedTuple):
    """Some of the events that match, in their order in the log."""

    events: list[StoredEvent]
    after: int
    """The sequence up to which was looked: whoever asks for what is after it goes on here."""
    more: bool
    """Whether there may be more."""


class EarlierEvents(NamedTuple):
    """The last events before a place in the log that match, and where to go on."""

    events: list[StoredEvent]
    """Oldest first."""
    before: int
    """The sequence down to which was looked: whoever asks for what is before it goes on here."""
    more: bool
    """Whether there may be more."""
