"""Exporting the traces that are made of the log, when that cannot be done."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from naq_runtime.errors import ServerUnreachable, Unavailable
from naq_runtime.events.models import JobEvent, JobEventType, StoredEvent
from naq_runtime.processors.traces import TracesOfEvents
from tests.support.receiver import Reply, Request, receiving

HISTORY = [
    StoredEvent(
        place,
        JobEvent(
            event_type=JobEventType(kind), job_id="j1", queue_name="mail", timestamp_ns=place, event_id=f"e-{place}"
        ),
    )
    for place, kind in enumerate(["enqueued", *["interrupted", "started"] * 700, "completed"], start=1)
]


async def histories(job_ids: Sequence[str]) -> dict[str, list[StoredEvent]]:
    return {"j1": HISTORY}


class Receiver(SpanExporter):
    """Keeps the sizes of what it gets."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.sizes.append(len(spans))
        return SpanExportResult.SUCCESS


class Broken(SpanExporter):
    """Raises, where others answer that they failed."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        raise ConnectionError("nobody there")


async def test_large_traces_go_out_in_parts() -> None:
    receiver = Receiver()

    await TracesOfEvents([receiver], Resource({}), histories)(HISTORY[-1:])

    assert receiver.sizes[0] == 512
    assert max(receiver.sizes) == 512
    assert sum(receiver.sizes) > 700


async def test_an_exporter_that_raises_speaks_against_no_event() -> None:
    with pytest.raises(Unavailable, match="Broken could not export: ConnectionError: nobody there"):
        await TracesOfEvents([Broken()], Resource({}), histories)(HISTORY[-1:])


async def test_a_log_that_cannot_be_read_speaks_against_no_event() -> None:
    async def unreachable(job_ids: Sequence[str]) -> dict[str, list[StoredEvent]]:
        raise ServerUnreachable("the server does not answer")

    with pytest.raises(Unavailable, match="cannot be read now: the server does not answer"):
        await TracesOfEvents([Receiver()], Resource({}), unreachable)(HISTORY[-1:])


async def test_what_a_receiver_refuses_for_good_is_left_out_and_the_rest_goes_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def judge(request: Request) -> Reply:
        return Reply(400 if b"job unknown" in request.body or len(request.body) > 20_000 else 200)

    with receiving() as collector:
        collector.judge = judge
        exporter = OTLPSpanExporter(endpoint=f"{collector.url}/v1/traces")
        traces = TracesOfEvents([exporter], Resource({}), histories)
        for _ in range(2):
            await traces(HISTORY[-1:])
        taken = [request for request in collector.requests if judge(request).status == 200]

    assert "OTLPSpanExporter refuses 1 of" in caplog.text
    assert "'job unknown' of trace" in caplog.text
    assert "they are left out, 2 so far" in caplog.text
    assert traces.refused == 2
    assert sum(request.body.count(b"attempt ") for request in taken) == 2 * 700


async def test_a_receiver_that_is_away_for_a_while_gets_all_of_it_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.5")
    with receiving() as collector:
        collector.judge = lambda request: Reply(503)
        exporter = OTLPSpanExporter(endpoint=f"{collector.url}/v1/traces")
        traces = TracesOfEvents([exporter], Resource({}), histories)
        with pytest.raises(Unavailable):
            await traces(HISTORY[-1:])
        collector.judge = lambda request: Reply(200)
        collector.requests.clear()
        await traces(HISTORY[-1:])
        taken = b"".join(request.body for request in collector.requests)

    assert taken.count(b"attempt ") == 700
    assert traces.refused == 0


async def test_a_receiver_that_takes_nothing_now_speaks_against_no_event() -> None:
    with receiving() as collector:
        collector.judge = lambda request: Reply(400)
        exporter = OTLPSpanExporter(endpoint=f"{collector.url}/v1/traces")
        with pytest.raises(Unavailable, match="OTLPSpanExporter could not export 512 spans"):
            await TracesOfEvents([exporter], Resource({}), histories)(HISTORY[-1:])
