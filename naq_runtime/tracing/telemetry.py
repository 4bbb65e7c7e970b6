"""`Tracing` by OpenTelemetry (extra ``otel``)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

from opentelemetry import context, propagate, trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind

from naq_runtime.context import JobContext
from naq_runtime.job import Job
from naq_runtime.threads import in_own_thread
from naq_runtime.tracing.exporters import exporters, resource_of
from naq_runtime.tracing.flushing import Flusher, flusher_of
from naq_runtime.version import VERSION

__all__ = ["Telemetry"]

_LAST_S = 5.0


class Telemetry:
    """Spans of enqueuing and of attempts.

    Args:
        provider: where spans go.
    """

    def __init__(self, provider: trace.TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("naq_runtime", VERSION)
        self.middleware = self._around_attempt

    @classmethod
    def of(cls, role: str) -> Self:
        """By the provider of the program; where there is none, one is made and set.

        Raises:
            ConfigError: an exporter that the environment names is not there.
        """
        current = trace.get_tracer_provider()
        if isinstance(current, trace.ProxyTracerProvider):
            made = TracerProvider(resource=resource_of(role))
            for exporter in exporters():
                made.add_span_processor(BatchSpanProcessor(exporter))
            trace.set_tracer_provider(made)
            current = made
        return cls(current)

    @contextmanager
    def enqueuing(self, jobs: Sequence[Job]) -> Iterator[list[Job]]:
        """A span of each job, below the current one; they end with the block, and with its error."""
        spans = [
            self._tracer.start_span(f"enqueue {job.queue_name}", kind=SpanKind.PRODUCER, attributes=_attributes(job))
            for job in jobs
        ]
        try:
            yield [_carrying(job, trace.set_span_in_context(span)) for job, span in zip(jobs, spans, strict=True)]
        except Exception as error:
            for span in spans:
                span.record_exception(error)
                span.set_status(trace.Status(trace.StatusCode.ERROR, f"{type(error).__name__}: {error}"))
            raise
        finally:
            for span in spans:
                span.end()

    @contextmanager
    def resumed(self, carrier: Mapping[str, str]) -> Iterator[None]:
        """Go on with the trace of another process, which may kill this one as soon as the block has ended."""
        token = context.attach(propagate.extract(dict(carrier), context=Context()))
        try:
            yield
        finally:
            context.detach(token)
            flusher_of(self._provider).flush()

    async def close(self) -> None:
        """Export what there is, within a few seconds; the provider stays, for others of this program."""
        await in_own_thread(Flusher(self._provider, patience_s=_LAST_S).flush)

    async def _around_attempt(self, job: JobContext, call: Callable[[], Awaitable[Any]]) -> Any:
        attributes: dict[str, str | int] = {
            "messaging.system": "naq",
            "messaging.destination.name": job.queue_name,
            "messaging.message.id": job.job_id,
            "messaging.operation.type": "process",
            "naq.function": job.function_name,
            "naq.attempt": job.attempt,
            "naq.worker": job.worker_id,
        }
        with self._tracer.start_as_current_span(
            f"attempt {job.attempt}",
            context=propagate.extract(dict(job.headers), context=Context()),
            kind=SpanKind.CONSUMER,
            attributes=attributes,
        ):
            carrier: dict[str, str] = {}
            propagate.inject(carrier)
            job.trace = carrier
            return await call()


def _attributes(job: Job) -> dict[str, str]:
    return {
        "messaging.system": "naq",
        "messaging.destination.name": job.queue_name or "default",
        "messaging.message.id": job.job_id,
        "messaging.operation.type": "send",
        "naq.function": str(job.function),
    }


def _carrying(job: Job, below: Context) -> Job:
    headers = dict(job.headers or {})
    propagate.inject(headers, below)
    return job.evolve(headers=headers)
