"""Looking for the last events that match, the newest first, by as little reading as what was found lets expect."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from naq_runtime.events.found import SequenceRange, matching
from naq_runtime.events.models import StoredEvent
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.direct import StoredMessage, all_of, messages_from

if TYPE_CHECKING:
    from naq_runtime.events.filters import EventFilter

__all__ = ["Search"]

_FIRST = 1_000
"""Events that are looked at before anything is known."""
_WINDOW = 8_000
"""Events that are read in one go, where all are; the search may end behind each of these."""
_PAGE = 10_000
"""Messages of one answer."""
_SPARE = 100
"""Messages more than are expected in an answer: another question costs as much as 3,000 of them."""

# What it costs, server and reader together, in events that are read without a subject (9 µs of CPU each).

_QUESTION = 3_500
"""A question by a subject that names none of a million jobs."""
_MATCH = 1.2
"""A message that it finds."""
_PASSED = 0.06
"""One that it passes over."""

_FEW = 3_000
"""So many under the subjects, by what is to be expected, are worth the question whether they fit into one answer."""
_SAMPLE = 1_000
"""Messages under the subjects that are read to see how many of them match."""
_MOST = 5_000
"""Messages under the subjects that are read before the expectation is looked at again."""
_KNOWN = 5
"""Messages from which on their share among all can be relied on."""
_REACH, _BOLD_REACH = 16, 100
"""How many times as far as until now the next window goes back at most, where it is not known, and where it is."""


class Search:
    """One search for the last events of a range that match.

    Args:
        subjects: under which all of them are stored; none, where that may be anywhere.
    """

    def __init__(
        self,
        connection: Connection,
        stream: str,
        wanted: EventFilter,
        subjects: Sequence[str],
        *,
        limit: int,
        within: SequenceRange,
    ) -> None:
        self._connection = connection
        self._stream = stream
        self._wanted = wanted
        self._subjects = subjects
        self._limit = limit
        self._within = within
        self._next = within.last
        """Up to where it is still to be looked."""
        self._seen = 0
        """Messages under the subjects among those that were looked at."""
        self._found: list[StoredEvent] = []
        self._apart: list[StoredMessage] | None = None
        """All that there is under those of the subjects that are seldom; ``None`` before anybody has asked."""
        self._is_stored_there = re.compile("|".join(map(_pattern, subjects))).fullmatch

    async def run(self) -> list[StoredEvent]:
        """The last events that match, oldest first."""
        await self._read_all_back_to(self._limit if self._wanted.is_empty else _FIRST)
        if self._goes_on and self._subjects and self._expected_there <= _FEW:
            messages = await all_of(self._connection, self._stream, self._subjects, up_to=self._within.last)
            if messages is not None:
                messages = [message for message in messages if message.sequence >= self._within.first]
                return matching(self._wanted, messages)[-self._limit :]
        size = _FIRST
        while self._goes_on:
            if self._is_better_by_subject:
                await self._read_subjects_back_to(self._window)
            else:
                size = min(2 * size, _WINDOW)
                await self._read_all_back_to(min(size, math.ceil(self._missing)))
        return self._found[-self._limit :]

    # What is to be expected

    @property
    def _goes_on(self) -> bool:
        return len(self._found) < self._limit and self._next >= self._within.first

    @property
    def _looked(self) -> int:
        return self._within.last - self._next

    @property
    def _rest(self) -> int:
        return self._next - self._within.first + 1

    @property
    def _share(self) -> float:
        """Of those under the subjects among all."""
        return max(1, self._seen) / self._looked

    @property
    def _expected_there(self) -> float:
        """Under the subjects, in the whole range."""
        return self._seen / self._looked * (self._looked + self._rest)

    @property
    def _missing(self) -> float:
        """Events that have still to be looked at, if it goes on as until now, and a little luck is missing."""
        found = max(1, len(self._found))
        return min(self._rest, (self._limit - len(self._found)) * self._looked / found * (1 + 1 / math.sqrt(found)))

    @property
    def _is_better_by_subject(self) -> bool:
        questions = _QUESTION * sum(map(_is_broad, self._subjects))
        return bool(self._subjects) and questions + self._missing * (_PASSED + _MATCH * self._share) < self._missing

    @property
    def _window(self) -> int:
        """Events that are looked at by the next question by subject."""
        size = self._missing if self._found else _SAMPLE / self._share
        reach = self._looked * (_BOLD_REACH if self._seen >= _KNOWN else _REACH)
        return math.ceil(min(size, _MOST / self._share, reach))

    # Reading

    async def _read_all_back_to(self, size: int) -> None:
        """Look at all events of the next window."""
        lower = self._lower(size)
        messages = await self._between(lower, None)
        self._seen += sum(1 for message in messages if self._is_stored_there(message.subject))
        self._note(lower, messages)

    async def _read_subjects_back_to(self, size: int) -> None:
        """Look at those of the next window that are stored under the subjects."""
        if self._apart is None:
            self._apart = await self._set_apart()
        lower = self._lower(size)
        parts = await asyncio.gather(*(self._between(lower, subject) for subject in self._subjects))
        parts.append([message for message in self._apart if lower <= message.sequence <= self._next])
        messages = sorted((message for part in parts for message in part), key=lambda message: message.sequence)
        self._seen += len(messages)
        self._note(lower, messages)

    async def _set_apart(self) -> list[StoredMessage]:
        """Ask once for what is not of jobs: to find nothing in a window takes the server as long as to find much."""
        seldom = [subject for subject in self._subjects if not _is_broad(subject)]
        if not seldom or len(seldom) == len(self._subjects):
            return []
        messages = await all_of(self._connection, self._stream, seldom, up_to=self._within.last)
        if messages is None:
            return []
        self._subjects = [subject for subject in self._subjects if _is_broad(subject)]
        return messages

    def _lower(self, size: int) -> int:
        return max(self._within.first, self._next - size + 1)

    def _note(self, lower: int, messages: Sequence[StoredMessage]) -> None:
        self._found = matching(self._wanted, messages) + self._found
        self._next = lower - 1

    async def _between(self, lower: int, subject: str | None) -> list[StoredMessage]:
        size = _PAGE if subject is None else min(_PAGE, self._room_for(self._next - lower + 1))
        pages = messages_from(self._connection, self._stream, lower, until=self._next, subject=subject, page_size=size)
        return [message async for page in pages for message in page]

    def _room_for(self, window: int) -> int:
        """Messages of one answer by subject, which the server fills with those behind the window, too."""
        return _SPARE + math.ceil(2 * self._share * window)


def _is_broad(subject: str) -> bool:
    """Whether it may be that of most events: those of jobs are the many."""
    _, _, category, entity, *_ = subject.split(".")
    return category in ("job", "*") and entity == "*"


def _pattern(subject: str) -> str:
    """A subject with wildcards as a regular expression."""
    return re.escape(subject).replace(r"\*", "[^.]+").replace(">", ".+")
