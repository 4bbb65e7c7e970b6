"""Traces across processes and of the log, with the exporter in memory."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from naq_runtime import EventService, Job, JobEvent, NAQConfig, Queue, ServiceManager
from naq_runtime.errors import ConfigError, DuplicateJob
from naq_runtime.events.storage import NATSJobEventStorage
from naq_runtime.processing.processor import DurableProcessor
from naq_runtime.processors.traces import TracesOfEvents
from tests.conftest import MakeConfig
from tests.support import traced_tasks as tasks
from tests.support.history import all_events
from tests.support.processes import program
from tests.support.receiver import Reply, receiving
from tests.support.waiting import eventually
from tests.support.workers import running_worker

MODULES = ("tests.support.traced_tasks",)
_EXPORTER = InMemorySpanExporter()


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    """Where the spans of this process go; OpenTelemetry lets a program set its provider once."""
    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(_EXPORTER))
        trace.set_tracer_provider(provider)
    _EXPORTER.clear()
    yield _EXPORTER
    _EXPORTER.clear()


def ids(span: ReadableSpan) -> tuple[int, int, int | None]:
    assert span.context is not None
    return span.context.trace_id, span.context.span_id, span.parent and span.parent.span_id


def named(exporter: InMemorySpanExporter, name: str) -> ReadableSpan:
    (span,) = (span for span in exporter.get_finished_spans() if span.name == name)
    return span


@pytest.mark.parametrize("task", [tasks.on_the_loop, tasks.in_a_thread])
async def test_a_span_of_the_function_is_below_its_attempt_and_that_below_the_callers(
    make_config: MakeConfig, exporter: InMemorySpanExporter, task: object
) -> None:
    config = make_config(tracing__enabled=True)
    async with Queue("default", config=config) as queue, running_worker(config, "default", modules=MODULES):
        with trace.get_tracer("test").start_as_current_span("request"):
            handle = await queue.enqueue(task)  # type: ignore[arg-type]
        assert await handle.result(timeout=30) == 42
        await eventually(lambda: len(exporter.get_finished_spans()) == 4)

    request, enqueue, attempt, inner = (
        ids(named(exporter, name)) for name in ("request", "enqueue default", "attempt 1", "inner")
    )
    assert len({request[0], enqueue[0], attempt[0], inner[0]}) == 1
    assert (enqueue[2], attempt[2], inner[2]) == (request[1], enqueue[1], attempt[1])
    attributes = named(exporter, "attempt 1").attributes or {}
    assert attributes["messaging.message.id"] == handle.job_id
    assert attributes["naq.function"] == f"tests.support.traced_tasks.{task.__name__}"  # type: ignore[attr-defined]


async def test_a_span_of_another_process_is_below_its_attempt_too(
    make_config: MakeConfig, exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(tracing__enabled=True)
    with receiving() as collector:
        collector.judge = lambda request: Reply(200)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        async with Queue("default", config=config) as queue, running_worker(config, "default", modules=MODULES):
            handle = await queue.enqueue(tasks.in_a_process)
            assert await handle.result(timeout=20) == 42
            (request,) = collector.requests  # by now: the process may be killed at any moment

    exported = ExportTraceServiceRequest.FromString(request.body)
    (inner,) = (span for one in exported.resource_spans for scope in one.scope_spans for span in scope.spans)
    trace_id, span_id, _ = ids(named(exporter, "attempt 1"))
    assert (inner.name, inner.trace_id.hex(), inner.parent_span_id.hex()) == (
        "inner",
        f"{trace_id:032x}",
        f"{span_id:016x}",
    )


async def test_all_attempts_of_a_job_are_below_its_enqueuing_and_say_what_went_wrong(
    make_config: MakeConfig, exporter: InMemorySpanExporter
) -> None:
    config = make_config(tracing__enabled=True)
    async with Queue("default", config=config) as queue, running_worker(config, "default", modules=MODULES):
        handle = await queue.enqueue_job(Job(tasks.fail_at_first, retries=1, retry_delay=0.1))
        assert await handle.result(timeout=30) == 2
        await eventually(lambda: len(exporter.get_finished_spans()) == 3)

    enqueue, first, second = (named(exporter, name) for name in ("enqueue default", "attempt 1", "attempt 2"))
    assert {ids(first)[2], ids(second)[2]} == {ids(enqueue)[1]}
    assert (first.status.is_ok, second.status.is_ok) == (False, True)
    assert first.events[0].name == "exception"


async def test_a_job_that_is_refused_ends_its_span(make_config: MakeConfig, exporter: InMemorySpanExporter) -> None:
    async with Queue("default", config=make_config(tracing__enabled=True)) as queue:
        await queue.enqueue_job(Job(tasks.on_the_loop, job_id="one"))
        with pytest.raises(DuplicateJob):
            await queue.enqueue_job(Job(tasks.on_the_loop, job_id="one"))

    assert len(exporter.get_finished_spans()) == 2


async def test_jobs_of_others_run_where_there_is_tracing_and_traced_ones_where_there_is_none(
    make_config: MakeConfig, exporter: InMemorySpanExporter
) -> None:
    plain = make_config()
    traced = make_config(namespace=plain.namespace, tracing__enabled=True)
    async with Queue("a", config=plain) as without, Queue("b", config=traced) as with_:
        async with running_worker(traced, "a", modules=MODULES), running_worker(plain, "b", modules=MODULES):
            handles = [await queue.enqueue(tasks.on_the_loop) for queue in (without, with_)]
            assert [await handle.result(timeout=30) for handle in handles] == [42, 42]

    alone = named(exporter, "attempt 1")
    assert alone.parent is None
    events = [stored.event for stored in await all_events(plain, event_type="enqueued")]
    enqueued = [event for event in events if isinstance(event, JobEvent)]
    assert {event.queue_name: event.trace is not None for event in enqueued} == {"a": False, "b": True}


class Reluctant(InMemorySpanExporter):
    """Fails at first."""

    calls = 0

    def export(self, spans: object) -> SpanExportResult:
        """The first time, in vain."""
        self.calls += 1
        return SpanExportResult.FAILURE if self.calls == 1 else super().export(spans)  # type: ignore[arg-type]


@pytest.mark.parametrize("is_traced", [False, True])
async def test_the_log_makes_one_trace_of_a_job(
    make_config: MakeConfig, exporter: InMemorySpanExporter, is_traced: bool
) -> None:
    config = make_config(tracing__enabled=is_traced)
    of_log = Reluctant()
    async with ServiceManager(config, role="processor") as services:
        await services.get_service(EventService)
        log = NATSJobEventStorage(services.connection, config, services.topology)
        traces = TracesOfEvents([of_log], Resource({}), log.histories)
        processor = DurableProcessor(services, "traces", traces, batch=500)
        async with (
            processor,
            Queue("default", config=config) as queue,
            running_worker(config, "default", modules=MODULES),
        ):
            before_ns = time.time_ns()
            handle = await queue.enqueue_job(Job(tasks.fail_at_first, retries=1, retry_delay=0.1))
            await handle.result(timeout=30)
            await eventually(lambda: "result" in {span.name for span in of_log.get_finished_spans()})
            await eventually(lambda: processor.statistics().held == 0)

    spans = of_log.get_finished_spans()
    names = sorted(span.name for span in spans)
    inner = ["result", "retry delay", "wait", "wait"]
    whole = ["attempt 1", "attempt 2", "enqueue", "job tests.support.traced_tasks.fail_at_first"]
    assert names == sorted(inner if is_traced else inner + whole)
    assert len({ids(span)[0] for span in spans}) == 1
    assert all(before_ns - 10**9 < (span.start_time or 0) <= (span.end_time or 0) for span in spans)
    if is_traced:
        assert {ids(span)[::2] for span in spans} == {ids(named(exporter, "enqueue default"))[:2]}


def test_an_exporter_that_is_not_there_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    from naq_runtime.tracing.exporters import exporters

    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    assert exporters() == []
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console,otlp")
    assert [type(one).__name__ for one in exporters()] == ["ConsoleSpanExporter", "OTLPSpanExporter"]
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin")
    with pytest.raises(ConfigError, match="OTEL_TRACES_EXPORTER: there is no exporter zipkin: use one"):
        exporters()


async def test_without_tracing_nothing_of_it_is_imported(config: NAQConfig) -> None:
    finished = await program("tests.support.untraced", config=config)

    assert (finished.code, finished.out.strip()) == (0, "[]"), finished.err
