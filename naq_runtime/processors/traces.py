"""Traces of jobs, made of the log: no process that enqueues or runs jobs needs to know of it (extra ``otel``)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from itertools import product

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from naq_runtime.errors import ServerError, Unavailable
from naq_runtime.events.models import JobEvent, JobEventType, StoredEvent
from naq_runtime.processors.spans import Span, is_end, spans_of
from naq_runtime.threads import in_own_thread
from naq_runtime.version import VERSION

__all__ = ["TracesOfEvents"]

log = logging.getLogger(__name__)

_AT_A_TIME = 512
"""Spans that go out together, as OpenTelemetry's own processors have it: receivers refuse what is too large."""

Histories = Callable[[Sequence[str]], Awaitable[dict[str, list[StoredEvent]]]]


class TracesOfEvents:
    """Exports the spans of each job that has ended.

    The whole history of a job is read when it ends, so that nothing needs to be kept meanwhile: any process of the
    processor can go on with any job.

    Args:
        histories: all events of some jobs, by id.
    """

    def __init__(self, exporters: Sequence[SpanExporter], resource: Resource, histories: Histories) -> None:
        self._exporters = exporters
        self._resource = resource
        self._histories = histories
        self._scope = InstrumentationScope("naq_runtime", VERSION)
        self.refused = 0
        """Spans that a receiver would never have taken, and that are left out."""

    def __repr__(self) -> str:
        return f"<TracesOfEvents {', '.join(type(one).__name__ for one in self._exporters)}>"

    def __str__(self) -> str:
        return f"exports traces with {', '.join(type(one).__name__ for one in self._exporters) or 'nothing'}"

    async def __call__(self, events: Sequence[StoredEvent]) -> None:
        """Process a batch.

        Raises:
            Unavailable: the spans could not be exported.
        """
        ended, stored_only = set(), set()
        for stored in events:
            if isinstance(stored.event, JobEvent):
                if is_end(stored.event):
                    ended.add(stored.event.job_id)
                elif stored.event.event_type is JobEventType.RESULT_STORED:
                    stored_only.add(stored.event.job_id)
        if not ended and not stored_only:
            return
        try:
            histories = await self._histories(sorted(ended | stored_only))
        except ServerError as error:
            raise Unavailable(f"the histories of jobs cannot be read now: {error}") from error
        spans: list[Span] = []
        for job_id, history in histories.items():
            found = spans_of([stored.event for stored in history])
            # What came before has been told at the end of the job.
            spans += found if job_id in ended else [span for span in found if span.name == "result"]
        if spans:
            await in_own_thread(self._export, [self._readable(span) for span in spans])

    async def close(self) -> None:
        """Give back what it holds."""
        for exporter in self._exporters:
            await in_own_thread(exporter.shutdown)

    def _export(self, spans: Sequence[ReadableSpan]) -> None:
        for exporter, start in product(self._exporters, range(0, len(spans), _AT_A_TIME)):
            refused = _refused_of(exporter, spans[start : start + _AT_A_TIME])
            if refused:
                self.refused += len(refused)
                first, name = refused[0], type(exporter).__name__
                log.warning(
                    "%s refuses %d of %d spans for good, %r of trace %032x among them; they are left out, %d so far",
                    name, len(refused), len(spans), first.name, first.context.trace_id if first.context else 0,
                    self.refused, extra={"action": "spans_refused"},
                )  # fmt: skip

    def _readable(self, span: Span) -> ReadableSpan:
        context = _context(span.trace_id, span.span_id)
        kind = SpanKind.CONSUMER if span.is_consumer else SpanKind.PRODUCER if span.is_producer else SpanKind.INTERNAL
        return ReadableSpan(
            span.name,
            context=context,
            parent=None if span.parent_id is None else _context(span.trace_id, span.parent_id, is_remote=True),
            resource=self._resource,
            attributes=span.attributes,
            kind=kind,
            status=Status(StatusCode.UNSET) if span.error is None else Status(StatusCode.ERROR, span.error),
            start_time=span.start_ns,
            end_time=span.end_ns,
            instrumentation_scope=self._scope,
        )


def _refused_of(exporter: SpanExporter, spans: Sequence[ReadableSpan]) -> list[ReadableSpan]:
    """Export spans; those that the receiver will never take.

    An exporter has tried again whatever may pass by itself (no connection, 429, 502, 503, 504), and does not say why it
    gave up. So it exports nothing, which the protocol has every receiver accept: where that does not go out either,
    there is nobody, or nobody who lets us in. Else it is about these spans, and they go out in halves, down to the ones
    that are refused.

    Raises:
        Unavailable: nothing can be exported now.
    """
    if _goes_out(exporter, spans):
        return []
    if not _goes_out(exporter, ()):
        raise Unavailable(f"{type(exporter).__name__} could not export {len(spans)} spans; its log says why")
    if len(spans) == 1:
        return list(spans)
    half = len(spans) // 2
    return _refused_of(exporter, spans[:half]) + _refused_of(exporter, spans[half:])


def _goes_out(exporter: SpanExporter, spans: Sequence[ReadableSpan]) -> bool:
    try:
        return exporter.export(spans) is SpanExportResult.SUCCESS
    except Exception as error:  # of anybody's make: some raise what others answer
        name = type(exporter).__name__
        raise Unavailable(f"{name} could not export: {type(error).__name__}: {error}") from error


def _context(trace_id: int, span_id: int, *, is_remote: bool = False) -> SpanContext:
    return SpanContext(trace_id, span_id, is_remote, TraceFlags(TraceFlags.SAMPLED))
