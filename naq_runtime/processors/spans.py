"""The spans of a trace, made of what was logged about a job. Values only: nothing here knows of OpenTelemetry.

A job that was enqueued by a process with tracing has its trace already, with spans of its enqueuing and of its
attempts; then only what no process could measure is added: waits, delays, attempts whose worker was lost, and the
result. Nothing is added to a trace that its maker did not sample. Other jobs get a trace of their own. All ids follow
from the job and its events, so that making the spans again makes the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

from naq_runtime.events.models import Event, JobEvent, JobEventType

__all__ = ["Span", "is_end", "spans_of"]

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")

_BEGINS = {
    JobEventType.ENQUEUED,
    JobEventType.SCHEDULED,
    JobEventType.WAITING_FOR_DEPENDENCIES,
    JobEventType.REQUEUED,
}
_ATTEMPT_ENDS = {
    JobEventType.COMPLETED,
    JobEventType.FAILED,
    JobEventType.TIMED_OUT,
    JobEventType.CANCELLED,
    JobEventType.INTERRUPTED,
}
_MET = {JobEventType.DEPENDENCY_SATISFIED, JobEventType.DEPENDENCY_FAILED}
_SAMPLED = 1
_LATEST_NS = 2**63 - 1
_LONGEST_ERROR = 1_000


class Span(NamedTuple):
    """One of them. Times are nanoseconds since 1970 UTC."""

    name: str
    trace_id: int
    span_id: int
    parent_id: int | None
    start_ns: int
    end_ns: int
    attributes: Mapping[str, str | int | float]
    error: str | None = None
    """What went wrong, if something did."""
    is_consumer: bool = False
    is_producer: bool = False


def is_end(event: Event) -> bool:
    """Whether nothing more happens to the job after this, but that its outcome is stored."""
    if not isinstance(event, JobEvent):
        return False
    if event.event_type in (JobEventType.FAILED, JobEventType.TIMED_OUT):
        return bool(event.final)
    return event.event_type in (JobEventType.COMPLETED, JobEventType.CANCELLED)


def spans_of(history: Sequence[Event]) -> list[Span]:
    """The spans of the last life of a job, of all its events in causal order; none while it has not ended."""
    life = _last_life([event for event in history if isinstance(event, JobEvent)])
    if not any(map(is_end, life)):
        return []
    first = life[0]
    context = next((found for event in life if (found := _context_of(event))), None)
    if context is None:
        return _Trace(_number(16, first.job_id, first.event_id), None, first).whole(life)
    trace_id, span_id, flags = context
    return _Trace(trace_id, span_id, first).inner(life) if flags & _SAMPLED else []


def _context_of(event: JobEvent) -> tuple[int, int, int] | None:
    """Trace, span and flags of whoever enqueued it; 0 is no id."""
    found = _TRACEPARENT.fullmatch(event.trace or "")
    if found is None:
        return None
    trace_id, span_id, flags = (int(part, 16) for part in found.groups())
    return (trace_id, span_id, flags) if trace_id and span_id else None


def _last_life(history: Sequence[JobEvent]) -> list[JobEvent]:
    """From its last enqueuing on: an id may be used again, and a dead letter be put back."""
    begun, has_ended = 0, False
    for place, event in enumerate(history):
        if has_ended and event.event_type in _BEGINS:
            begun, has_ended = place, False
        has_ended = has_ended or is_end(event)
    return list(history[begun:])


class _Trace:
    """What all spans of a job share."""

    def __init__(self, trace_id: int, parent_id: int | None, first: JobEvent) -> None:
        self._trace_id = trace_id
        self._root_id = _number(8, trace_id, "root")
        self._parent_id = self._root_id if parent_id is None else parent_id
        self._shared: dict[str, str | int | float] = {
            "messaging.system": "naq",
            "messaging.destination.name": first.queue_name,
            "messaging.message.id": first.job_id,
        }

    def whole(self, life: Sequence[JobEvent]) -> list[Span]:
        """The job from its beginning to its end, and all its parts."""
        first, end = life[0], _end_of(life)
        function = next((event.function_name for event in life if event.function_name), "unknown")
        root = Span(
            f"job {function}",
            self._trace_id,
            self._root_id,
            None,
            first.moment_ns,
            max(first.moment_ns, end.moment_ns),
            {**self._shared, "naq.function": function, "naq.outcome": str(end.event_type)},
            _error(end),
        )
        enqueued = self._span("enqueue", first, first.moment_ns, first.moment_ns)._replace(is_producer=True)
        return [root, enqueued, *self.inner(life), *self._attempts(life)]

    def inner(self, life: Sequence[JobEvent]) -> list[Span]:
        """Waits, delays, attempts of which nobody could tell the end, and the result."""
        spans: list[Span] = []
        latest_ns = _end_of(life).moment_ns
        for event in life:
            now = event.moment_ns
            match event.event_type:
                case JobEventType.STARTED if event.wait_ms is not None:
                    spans.append(self._span("wait", event, _before(event, event.wait_ms), now))
                case JobEventType.SCHEDULED | JobEventType.RETRY_SCHEDULED if event.run_at_ns:
                    name = "delay" if event.event_type is JobEventType.SCHEDULED else "retry delay"
                    spans.append(self._span(name, event, now, min(event.on_server(event.run_at_ns), latest_ns)))
                case JobEventType.WAITING_FOR_DEPENDENCIES:
                    met = [other.moment_ns for other in life if other.event_type in _MET]
                    spans.append(self._span("dependencies", event, now, max(met, default=latest_ns)))
                case JobEventType.RESULT_STORED:
                    spans.append(self._span("result", event, now, now))
        return [*spans, *self._lost(life)]

    def _attempts(self, life: Sequence[JobEvent]) -> list[Span]:
        """Those of which a worker has told the end."""
        spans = []
        for begun, ended, now in _attempts_of(life):
            if ended is not None and ended.duration_ms is not None:
                spans.append(self._attempt(ended, _before(ended, ended.duration_ms), now, _error(ended)))
            elif ended is not None and begun is not None:
                spans.append(self._attempt(ended, begun.moment_ns, now, _error(ended)))
        return spans

    def _lost(self, life: Sequence[JobEvent]) -> list[Span]:
        """Those after which the next one began, and nobody had told of their end."""
        return [
            self._attempt(begun, begun.moment_ns, now, "its worker was lost")
            for begun, ended, now in _attempts_of(life)
            if begun is not None and ended is None
        ]

    def _attempt(self, event: JobEvent, start_ns: int, end_ns: int, error: str | None) -> Span:
        span = self._span(f"attempt {event.attempt or 1}", event, start_ns, end_ns)
        return span._replace(error=error, is_consumer=True)

    def _span(self, name: str, event: JobEvent, start_ns: int, end_ns: int) -> Span:
        attributes = dict(self._shared)
        if event.attempt is not None:
            attributes["naq.attempt"] = event.attempt
        if event.worker_id is not None:
            attributes["naq.worker"] = event.worker_id
        if event.result_size is not None:
            attributes["naq.result_size"] = event.result_size
        span_id = _number(8, self._trace_id, name, event.event_id)
        return Span(name, self._trace_id, span_id, self._parent_id, start_ns, max(start_ns, end_ns), attributes)


def _attempts_of(life: Sequence[JobEvent]) -> Iterator[tuple[JobEvent | None, JobEvent | None, int]]:
    """How each attempt began and ended, as far as that was told, and when it was over at the latest."""
    begun: JobEvent | None = None
    for event in life:
        if event.event_type is JobEventType.STARTED:
            if begun is not None:
                yield begun, None, event.moment_ns
            begun = event
        elif event.event_type in _ATTEMPT_ENDS:
            yield begun, event, event.moment_ns
            begun = None


def _end_of(life: Sequence[JobEvent]) -> JobEvent:
    return next(event for event in reversed(life) if is_end(event))


def _before(event: JobEvent, milliseconds: float) -> int:
    """So long before an event; what cannot be is taken for none."""
    span_ns = int(milliseconds * 1e6) if 0 <= milliseconds < _LATEST_NS / 1e6 else 0
    return max(0, event.moment_ns - span_ns)


def _error(event: JobEvent) -> str | None:
    """What went wrong; a job that was cancelled did nothing wrong."""
    if event.event_type not in (JobEventType.FAILED, JobEventType.TIMED_OUT):
        return None
    said = ": ".join(part for part in (event.error_type, event.error_message) if part) or str(event.event_type)
    return said[:_LONGEST_ERROR]


def _number(size: int, *parts: object) -> int:
    """An id of so many bytes that follows from the parts; never 0, which is none."""
    digest = sha256("\0".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:size]) or 1
