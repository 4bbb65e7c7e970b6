"""Which jobs are wanted, in the words of the filters of events."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from operator import attrgetter

from naq_runtime.events.filters.fields import Field, Kind, Vocabulary
from naq_runtime.events.filters.grammar import parse
from naq_runtime.events.filters.matching import Predicate, compiled
from naq_runtime.events.filters.nodes import EVERYTHING, All, Compared, Matched, Node, Text, Wanted
from naq_runtime.events.filters.values import Ago, At, Daytime
from naq_runtime.finding.found import DEAD
from naq_runtime.job import JobStatus

__all__ = ["STATES", "JobQuery", "of_jobs"]

STATES = (*(status.value for status in JobStatus), DEAD)
"""What ``state:`` can be; a dead letter is ``failed``, too."""
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class _JobField(Field):
    """A field of `FoundJob`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "get", attrgetter(self.attributes[0]))


@cache
def of_jobs() -> Vocabulary:
    """What can be asked about jobs."""
    job = frozenset(("job",))
    fields = (
        _JobField("state", Kind.NAME, ("state",), job, known=STATES, closed=True),
        _JobField("queue", Kind.NAME, ("queue_name",), job),
        _JobField("function", Kind.FUNCTION, ("function_name",), job),
        _JobField("error", Kind.TEXT, ("error_type", "error_message"), job),
        _JobField("args", Kind.TEXT, ("arguments",), job),
        _JobField("job", Kind.NAME, ("job_id",), job),
        _JobField("worker", Kind.NAME, ("worker_id",), job),
        _JobField("attempt", Kind.NUMBER, ("attempt",), job),
        _JobField("wait", Kind.SPAN, ("wait_ms",), job),
        _JobField("duration", Kind.SPAN, ("duration_ms",), job),
        _JobField("time", Kind.TIME, ("moment_ns",), job),
        _JobField("enqueued", Kind.TIME, ("enqueued_at_ns",), job),
        _JobField("run_at", Kind.TIME, ("run_at_ns",), job),
        _JobField("error_type", Kind.TEXT, ("error_type",), job),
    )
    by_name = {field.name: field for field in fields}
    others = {name: by_name[short] for name, short in _OTHERS.items()}
    return Vocabulary(by_name, others)


_OTHERS = {
    "id": "job",
    "job_id": "job",
    "status": "state",
    "queue_name": "queue",
    "function_name": "function",
    "worker_id": "worker",
    "arguments": "args",
    "since": "time",
    "run": "duration",
}


class JobQuery:
    """Which jobs are wanted, and what that says of where they can be. It does not change.

    Args:
        text: a filter (docs/filters.md) with the fields of jobs: ``state:failed queue:email args:ada error:Timeout
            time>-1h duration>2s``; a word is looked for in all of them.
        ids: only these jobs, when there are any.
        now_ns: what ages such as ``-1h`` are counted from; now, unless given.

    Raises:
        FilterError: the text is no filter.
    """

    __slots__ = ("_may_be", "_node", "given", "matches", "since_ns", "text")

    def __init__(self, text: str = "", *, ids: tuple[str, ...] = (), now_ns: int | None = None) -> None:
        now_ns = time.time_ns() if now_ns is None else now_ns
        self.text = text
        self.given = ids
        """See ``ids`` of the arguments."""
        self._node = parse(text, of_jobs())
        self.matches: Predicate = compiled(self._node, now_ns, attrgetter("line"))
        """Whether a `FoundJob` is wanted."""
        told = [one for one in self._conditions() if isinstance(one, Matched) and one.asked.name == "job"]
        self._may_be = compiled(All(tuple(told)), now_ns)
        self.since_ns = max((bound.at_ns(now_ns) for bound in self._bounds()), default=0)
        """Nothing has happened before to any job that is wanted; 0 when that does not matter."""

    def __repr__(self) -> str:
        return f"JobQuery({self.text!r}{f', ids={len(self.given)}' if self.given else ''})"

    @property
    def is_empty(self) -> bool:
        """Whether every job is wanted."""
        return self._node == EVERYTHING and not self.given

    @property
    def ids(self) -> tuple[str, ...] | None:
        """The only jobs that can be wanted; ``None`` when it can be any."""
        named = self.demanded("job")
        if not self.given:
            return None if named is None else tuple(sorted(named))
        return self.given if named is None else tuple(one for one in self.given if one in named)

    @property
    def words(self) -> tuple[str, ...]:
        """Those of its words that may be the id of a job."""
        return tuple(one.text for one in self._conditions() if isinstance(one, Text) and _ID.fullmatch(one.text))

    def may_be(self, job_id: str) -> bool:
        """Whether a job of this id can be wanted."""
        return self._may_be(_Named(job_id))

    def demanded(self, field: str) -> frozenset[str] | None:
        """The values of a field of which a job must have one; ``None`` when any will do, or it cannot be told."""
        found: frozenset[str] | None = None
        for one in self._conditions():
            if not isinstance(one, Matched) or one.asked.name != field:
                continue
            literals = [value.text for value in one.values if isinstance(value, Wanted) and not value.wild]
            if len(literals) == len(one.values):
                found = frozenset(literals) if found is None else found & frozenset(literals)
        return found

    def _conditions(self) -> tuple[Node, ...]:
        """What must hold altogether."""
        return self._node.nodes if isinstance(self._node, All) else (self._node,)

    def _bounds(self) -> Iterator[Ago | At | Daytime]:
        for one in self._conditions():
            if isinstance(one, Compared) and one.asked.name == "time" and one.sign[0] == ">":
                assert not isinstance(one.value, float), "a time is compared with a moment"
                yield one.value


@dataclass(frozen=True, slots=True)
class _Named:
    """Of a job whose id alone is known."""

    job_id: str
