"""The spans of a trace, made of what was logged about a job. Values only: nothing here knows of OpenTelemetry.

A job that was enqueued by a process with tracing has its trace already, with spans of its enqueuing and of its
attempts; then only what no process could measure is added: waits, delays before retries, and the result. Other jobs
get a trace of their own. All ids follow from the job and its events, so that making the spans again makes the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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
_ATTEMPT_ENDS = {JobEventType.COMPLETED, JobEventType.FAILED, JobEventType.TIMED_OUT, JobEventType.CANCELLED}


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
    trace = next((found for event in life if (found := _TRACEPARENT.fullmatch(event.trace or ""))), None)
    if trace is not None:
        return _Trace(int(trace[1], 16), int(trace[2], 16), first).inner(life)
    own = _Trace(_number(16, first.job_id, first.event_id), None, first)
    return own.whole(life)


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
        first, end = life[0], next(event for event in reversed(life) if is_end(event))
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
        """Waits, delays before retries, and the result."""
        spans: list[Span] = []
        for event in life:
            now = event.moment_ns
            if event.event_type is JobEventType.STARTED and event.wait_ms is not None:
                spans.append(self._span("wait", event, now - int(event.wait_ms * 1e6), now))
            elif event.event_type is JobEventType.RETRY_SCHEDULED and event.run_at_ns:
                spans.append(self._span("retry delay", event, now, event.run_at_ns))
            elif event.event_type is JobEventType.RESULT_STORED:
                spans.append(self._span("result", event, now, now))
        return spans

    def _attempts(self, life: Sequence[JobEvent]) -> list[Span]:
        spans = []
        for event in life:
            if event.event_type in _ATTEMPT_ENDS and event.duration_ms:
                begun = event.moment_ns - int(event.duration_ms * 1e6)
                span = self._span(f"attempt {event.attempt or 1}", event, begun, event.moment_ns)
                spans.append(span._replace(error=_error(event), is_consumer=True))
        return spans

    def _span(self, name: str, event: JobEvent, start_ns: int, end_ns: int) -> Span:
        attributes = dict(self._shared)
        if event.attempt is not None:
            attributes["naq.attempt"] = event.attempt
        if event.worker_id is not None:
            attributes["naq.worker"] = event.worker_id
        if event.result_size is not None:
            attributes["naq.result_size"] = event.result_size
        span_id = _number(8, self._trace_id, name, event.event_id)
        start_ns = max(0, start_ns)
        return Span(name, self._trace_id, span_id, self._parent_id, start_ns, max(start_ns, end_ns), attributes)


def _error(event: JobEvent) -> str | None:
    """What went wrong; a job that was cancelled did nothing wrong."""
    if event.event_type not in (JobEventType.FAILED, JobEventType.TIMED_OUT):
        return None
    return ": ".join(part for part in (event.error_type, event.error_message) if part) or str(event.event_type)


def _number(size: int, *parts: object) -> int:
    """An id of so many bytes that follows from the parts; never 0, which is none."""
    digest = sha256("\0".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:size]) or 1
