"""Filters of events: their text, their meaning, and what may come next while one is typed."""

from __future__ import annotations

from naq_runtime.errors import FilterError
from naq_runtime.events.filters.completion import Completion, complete
from naq_runtime.events.filters.filter import EventFilter, Filters, finding

__all__ = ["Completion", "EventFilter", "FilterError", "Filters", "complete", "finding"]
