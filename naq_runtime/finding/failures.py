"""Why jobs fail: failures of the same function with the same error, as one group.

Messages of errors name ids, numbers and addresses, so that the same error seldom says the same twice. `normalised` puts
a sign in the place of what changes.
"""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import NamedTuple

from naq_runtime.events.models import JobEvent, JobEventType

__all__ = ["FAILURES", "FailureGroup", "FailureGroups", "Reason", "normalised"]

FAILURES = (JobEventType.FAILED, JobEventType.TIMED_OUT)
"""The events that tell of an attempt that failed; what becomes of the job then is told by others."""
_LONGEST = 300
_VARIABLE = re.compile(
    r"""
      (?P<code>   \A\d{3}(?:[ -]\d\.\d{1,3}\.\d{1,3})?\b
                | (?i:\b(?:errno|error|code|status|exit|http(?:/\d(?:\.\d)?)?)[ =:]{1,2}-?\d{1,5}\b) )
    | (?P<quoted> "[^"]*" | (?<!\w)'[^']*'(?!\w) | `[^`]*` )
    | (?P<url>    \b[a-z][a-z0-9+.-]{1,15}://[^\s,;)>\]]+ )
    | (?P<place>  \( [^()\s,]{1,200}, [ ] line [ ] \d+ \) )                     # of a mistake in a text that was read
    | (?P<path>   (?<![\w/.]) /(?:[\w.+@-]{1,100}/){1,30} [\w.+@-]{1,100} )
    | (?P<mail>   \b[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)* )
    | (?P<id>     \b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b     # UUID
                | \b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?\b                          # address
                | \b0[xX][0-9a-fA-F]+\b
                | \b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{8,}\b             # hexadecimal
                | \b(?=[A-Za-z_-]*\d)[A-Za-z0-9_-]{16,}\b )                      # ids of jobs, of rows, of requests
    | (?P<number> (?<!\w)[-+]?\d+(?:[.,:]\d+)*(?:[eE][-+]?\d+)? )
    """,
    re.VERBOSE | re.ASCII,
)
_SIGNS = {
    "quoted": "<text>",
    "url": "<url>",
    "place": "(<place>)",
    "path": "<path>",
    "mail": "<address>",
    "id": "<id>",
    "number": "<n>",
}
_SPACES = re.compile(r"\s+")


def normalised(message: str) -> str:
    """A message without what changes from one to the next: ``no row <n> in <text>``.

    Quoted texts, addresses, ids, hexadecimal and other numbers are exchanged; codes of errors stay. Of a long message
    the beginning counts.
    """
    line = _SPACES.sub(" ", message[: 2 * _LONGEST]).strip()
    return _VARIABLE.sub(_sign, line)[:_LONGEST]


def _sign(found: re.Match[str]) -> str:
    return _SIGNS.get(found.lastgroup or "", found[0])


class Reason(NamedTuple):
    """What failures of a group have in common."""

    function: str
    error_type: str
    message: str
    """Normalised."""

    @classmethod
    def of(cls, event: JobEvent) -> Reason:
        """The reason that an event gives."""
        kind = event.error_type or ("Timeout" if event.event_type is JobEventType.TIMED_OUT else "Error")
        return cls(event.function_name or "", kind, normalised(event.error_message or event.reason or ""))


class Failure(NamedTuple):
    """An attempt that failed."""

    at_ns: int
    """By the clock of the server."""
    job_id: str
    queue: str


class FailureGroup:
    """The failures of one reason within the window, oldest first."""

    __slots__ = ("example", "failures", "reason")

    def __init__(self, reason: Reason) -> None:
        self.reason = reason
        self.example = ""
        """The message of the latest of them, as it is."""
        self.failures: list[Failure] = []

    def __len__(self) -> int:
        return len(self.failures)

    def __repr__(self) -> str:
        return f"<FailureGroup {self.reason} {len(self)}>"

    @property
    def first_ns(self) -> int:
        """When the first of them happened."""
        return self.failures[0].at_ns

    @property
    def last_ns(self) -> int:
        """When the last of them happened."""
        return self.failures[-1].at_ns

    @property
    def queues(self) -> list[str]:
        """The queues whose jobs failed so, by name."""
        return sorted({failure.queue for failure in self.failures})

    @property
    def job_ids(self) -> tuple[str, ...]:
        """The jobs, those that failed last first, each once."""
        return tuple(dict.fromkeys(failure.job_id for failure in reversed(self.failures)))

    def series(self, since_ns: int, until_ns: int, parts: int) -> list[int]:
        """How many happened in each of so many equal parts of a span."""
        counts = [0] * parts
        width = max(1, (until_ns - since_ns) // parts)
        for failure in self.failures:
            counts[max(0, min(parts - 1, (failure.at_ns - since_ns) // width))] += 1
        return counts


class FailureGroups:
    """All failures of a window by their reasons. Each event counts once, in whatever order they come.

    Args:
        most: failures that are kept; the oldest are forgotten first.
    """

    def __init__(self, most: int = 100_000) -> None:
        self._most = most
        self._groups: dict[Reason, FailureGroup] = {}
        self._seen: dict[int, None] = {}
        self._since_ns = 0
        self.forgotten = 0
        """Failures of the window for which there was no room."""

    def __len__(self) -> int:
        return sum(map(len, self._groups.values()))

    def __iter__(self) -> Iterator[FailureGroup]:
        return iter(self._groups.values())

    def get(self, reason: Reason) -> FailureGroup | None:
        """The group of a reason."""
        return self._groups.get(reason)

    def add(self, sequence: int, event: JobEvent) -> bool:
        """Take in an event of the log; whether that changes anything.

        Args:
            sequence: of the event in the log, by which it is known again.
        """
        at_ns = event.moment_ns
        if event.event_type not in FAILURES or at_ns < self._since_ns or sequence in self._seen:
            return False
        self._seen[sequence] = None
        reason = Reason.of(event)
        group = self._groups.get(reason)
        if group is None:
            group = self._groups[reason] = FailureGroup(reason)
        if not group.failures or at_ns >= group.last_ns:
            group.example = event.error_message or event.reason or ""
        insort(group.failures, Failure(at_ns, event.job_id, event.queue_name))
        if len(self._seen) > self._most:
            self._make_room()
        return True

    def begin_at(self, since_ns: int) -> bool:
        """Forget what happened before; whether there was anything."""
        self._since_ns = since_ns
        changed = False
        for reason, group in list(self._groups.items()):
            gone = bisect_left(group.failures, since_ns, key=lambda failure: failure.at_ns)
            if gone:
                changed = True
                del group.failures[:gone]
            if not group.failures:
                del self._groups[reason]
        return changed

    def _make_room(self) -> None:
        """Forget the older half: that is seldom, and no failure counts by itself among so many."""
        times = sorted(failure.at_ns for group in self for failure in group.failures)
        before = len(self)
        self.begin_at(times[len(times) // 2])
        self.forgotten += before - len(self)
        self._seen = dict.fromkeys(list(self._seen)[-self._most // 2 :])
