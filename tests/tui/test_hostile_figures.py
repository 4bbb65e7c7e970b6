"""Names and reasons of anybody in the statistics and on the page of the server: they stay text."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from naq_runtime.errors import NaqError
from naq_runtime.jetstream import Peer, Stream, Usage
from naq_runtime.statistics.rollup import OTHERS
from naq_tui.widgets.statistics import StatisticsTable
from tests.tui.builders import NOW_NS, batch, job_event, snapshot
from tests.tui.figures import consumer, detail, stream
from tests.tui.harness import watching
from tests.tui.test_hostile import HOSTILE, assert_harmless

HUGE = 2**63 - 1


@pytest.mark.parametrize("text", HOSTILE)
async def test_names_of_queues_functions_and_workers(text: str) -> None:
    names: dict[str, Any] = {"queue_name": text, "function_name": text, "worker_id": text}
    events = [job_event("completed", f"j{n}", duration_ms=5.0, **names) for n in range(3)]
    async with watching(batch(*events, snapshot=snapshot()), size=(200, 60)) as watched:
        for key in ("7", "tab", "tab"):
            await watched.press(key)
            await watched.settle()
            await watched.settle()
            assert_harmless(watched.lines, 200)
            assert len(watched.app.screen.query_one(StatisticsTable).rows) == 1


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
@pytest.mark.parametrize("text", HOSTILE)
async def test_whatever_a_server_calls_itself(text: str, size: tuple[int, int]) -> None:
    evil = stream(text, text, subjects=(text, text), leader=text, is_clustered=True, retention=text, storage=text,
                  peers=(Peer(name=text), Peer(name=text, offline=True), Peer(name=text, current=False)))  # fmt: skip
    told = msgspec.structs.replace(
        detail(NOW_NS),
        streams=(evil,),
        missing=(text,),
        server=msgspec.structs.replace(detail(NOW_NS).server, name=text, version=text, cluster=text),
    )
    async with watching(batch(snapshot=snapshot()), size=size) as watched:
        watched.source.questions.server_detail = told
        watched.source.questions.consumers_of = {
            text: [consumer(text, purpose=text, leader=text, subjects=(text,), pending=1)]
        }
        for key in ("8", "tab"):
            await watched.press(key)
            for _ in range(3):
                await watched.settle()
            assert_harmless(watched.lines, size[0])


@pytest.mark.parametrize("key", ["7", "8"])
@pytest.mark.parametrize("text", HOSTILE)
async def test_as_the_reason_why_there_is_no_answer(text: str, key: str) -> None:
    async with watching(batch(snapshot=snapshot())) as watched:
        watched.source.questions.trends = watched.source.questions.server_detail = NaqError(text)
        await watched.press(key)
        await watched.settle()
        await watched.settle()
        assert_harmless(watched.lines, 120)


async def test_a_stream_with_figures_beyond_all_sense() -> None:
    huge = Stream(
        name="NAQ_JOBS", purpose="", messages=HUGE, bytes=HUGE, max_bytes=1, max_messages=HUGE, max_age_s=1e300,
        first_sequence=HUGE, last_sequence=HUGE, first_ns=-HUGE, last_ns=HUGE, deleted=HUGE, consumers=HUGE,
    )  # fmt: skip
    told = detail(NOW_NS)
    assert told.account is not None
    account = msgspec.structs.replace(told.account, usages=(Usage("storage", HUGE, 1),), api_errors=HUGE)
    async with watching(batch(snapshot=snapshot()), size=(200, 60)) as watched:
        questions = watched.source.questions
        questions.server_detail = msgspec.structs.replace(told, streams=(huge,), account=account)
        questions.consumers_of = {"NAQ_JOBS": [consumer("c", pending=HUGE, lag=HUGE, unacknowledged=HUGE)]}
        await watched.press("8")
        for _ in range(3):
            await watched.settle()
        assert_harmless(watched.lines, 200)
        assert ">999T" in watched.text


async def test_a_queue_with_the_name_of_all_others_is_one_row() -> None:
    events = [job_event("completed", queue_name=OTHERS, duration_ms=1e300), job_event("started", wait_ms=-5.0)]
    async with watching(batch(*events, snapshot=snapshot())) as watched:
        await watched.press("7")
        await watched.settle()
        await watched.settle()
        assert_harmless(watched.lines, 120)
        assert "(others)" in watched.text
