"""Why jobs failed within a window that ends now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from naq_runtime.events.models import JobEvent, StoredEvent
from naq_runtime.finding.failures import FAILURES, FailureGroup, FailureGroups

__all__ = ["PARTS", "WINDOWS_S", "FailureBook", "FailureView"]

WINDOWS_S = (600, 3_600, 6 * 3_600, 86_400, 7 * 86_400)
"""How far back one may look, in seconds."""
PARTS = 48
"""Parts of the window, of each of which failures are counted."""
_MOST_ASKED = 20_000


class FailureView(NamedTuple):
    """A group as it is now."""

    key: str
    function: str
    error_type: str
    message: str
    """Normalised."""
    example: str
    """The latest message, as it is."""
    failures: int
    share: float
    """Of all failures of the window, 0 to 1."""
    jobs: int
    """How many jobs failed so."""
    first_ns: int
    last_ns: int
    queues: tuple[str, ...]
    series: tuple[int, ...]


class FailureBook:
    """Groups of failures, by what was read and by what comes."""

    def __init__(self, window_s: int = WINDOWS_S[1]) -> None:
        self.window_s = window_s
        self.is_read = False
        """Whether the log was asked for what had happened before."""
        self.is_cut = False
        """Whether there were more failures than are read."""
        self.trouble = ""
        """Why it could not be read."""
        self.version = 0
        self._groups = FailureGroups()

    def __repr__(self) -> str:
        return f"<FailureBook {self.window_s} s {self._groups!r}>"

    @property
    def total(self) -> int:
        """Failures of the window."""
        return len(self._groups)

    def since_ns(self, now_ns: int) -> int:
        """Where the window begins."""
        return now_ns - self.window_s * 1_000_000_000

    def take(self, events: Iterable[StoredEvent]) -> None:
        """Take in what the log has of the window."""
        before = self.total
        self.hear(events)
        self.is_read, self.trouble = True, ""
        self.is_cut = self.total - before >= _MOST_ASKED
        self.version += 1

    def fail(self, trouble: str) -> None:
        """The log could not be read."""
        self.trouble = trouble
        self.version += 1

    def hear(self, events: Iterable[StoredEvent]) -> None:
        """Take in what happens."""
        for stored in events:
            event = stored.event
            if type(event) is JobEvent and event.event_type in FAILURES and self._groups.add(stored.sequence, event):
                self.version += 1

    def advance(self, now_ns: int) -> None:
        """Let go what lies before the window."""
        if self._groups.begin_at(self.since_ns(now_ns)):
            self.version += 1

    def views(self, now_ns: int) -> list[FailureView]:
        """All groups."""
        total, since_ns = max(1, self.total), self.since_ns(now_ns)
        return [_view(group, total, since_ns, now_ns) for group in self._groups]

    def job_ids(self, *keys: str) -> tuple[str, ...]:
        """The jobs of some groups, each once; of one group, those that failed last first."""
        groups = (group for group in self._groups if _key(group) in keys)
        return tuple(dict.fromkeys(job_id for group in groups for job_id in group.job_ids))


def _key(group: FailureGroup) -> str:
    return "\0".join(group.reason)


def _view(group: FailureGroup, total: int, since_ns: int, now_ns: int) -> FailureView:
    reason = group.reason
    return FailureView(
        _key(group),
        reason.function,
        reason.error_type,
        reason.message,
        group.example,
        len(group),
        len(group) / total,
        len(group.job_ids),
        group.first_ns,
        group.last_ns,
        tuple(group.queues),
        tuple(group.series(since_ns, now_ns, PARTS)),
    )
