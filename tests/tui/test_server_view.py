"""The server: streams, consumers, limits and the cluster on the screen."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from naq_runtime.errors import ServerUnreachable
from naq_runtime.jetstream import ServerDetail
from naq_tui.source import Batch, ConnectionState, Link
from naq_tui.text import bytes_text
from naq_tui.widgets.streams import ConsumerTable, StreamTable
from tests.support.waiting import eventually
from tests.tui.builders import NOW_NS, batch, job_event, snapshot
from tests.tui.figures import consumers, detail
from tests.tui.harness import Watched, watching

BUSY = batch(job_event("completed", "job-1", duration_ms=3.0), snapshot=snapshot())


@asynccontextmanager
async def at_the_server(
    told: ServerDetail | None = None, *keys: str, size: tuple[int, int] = (120, 40)
) -> AsyncIterator[Watched]:
    async with watching(BUSY, size=size) as watched:
        questions = watched.source.questions
        questions.server_detail = told or detail(NOW_NS)
        questions.consumers_of = {"NAQ_JOBS": consumers()}
        for key in ("8", *keys):
            await watched.press(key)
            for _ in range(3):
                await watched.settle()
        yield watched


def streams(watched: Watched) -> list[str]:
    return [row.name for row in watched.app.screen.query_one(StreamTable).rows]


class TestStreams:
    async def test_what_is_in_trouble_or_near_a_limit_is_on_top_and_marked(self) -> None:
        async with at_the_server() as watched:
            assert streams(watched)[:4] == ["KV_NAQ_WORKERS", "NAQ_EVENTS", "NAQ_STATS", "NAQ_RESULTS"]
            assert "! 2 near a limit" in watched.text
            assert "96 % ✗" in watched.line_with("│ NAQ_EVENTS ")
            assert "88 % !" in watched.line_with("│ NAQ_STATS ")
            assert "✗ KV_NAQ_WORKERS" in watched.text
            assert "2/3" in watched.line_with("│ ✗ KV_NAQ_WORKERS ")

    async def test_a_row_says_what_is_in_it(self) -> None:
        async with at_the_server(size=(200, 60)) as watched:
            line = watched.line_with("│ NAQ_EVENTS ")
            for said in ("the log of all events", "4.1M", "962 MB", "26 h", "0 s", "3/3", "nats-1"):
                assert said in line

    async def test_the_facts_are_of_the_stream_with_the_cursor(self) -> None:
        async with at_the_server(None, "j") as watched:
            assert "Stream NAQ_EVENTS" in watched.text
            assert "962 MB of 1.0 GB  ✗ 96 %" in watched.text
            assert "and 7 d 0 h at most" in watched.text
            assert "the oldest goes first" in watched.text
            assert "51,234,000 to 55,338,232" in watched.text
            assert "● nats-2  follows" in watched.text

    async def test_a_follower_that_is_behind_is_named(self) -> None:
        async with at_the_server() as watched:
            assert "✗ nats-3 is behind by 1,204" in watched.text
            assert "✗ nats-3  behind by 1,204" in watched.text

    async def test_without_a_cluster_nobody_leads(self) -> None:
        async with at_the_server(detail(NOW_NS, clustered=False), size=(200, 60)) as watched:
            assert streams(watched)[0] == "NAQ_EVENTS"
            assert "follower" not in watched.text


class TestConsumers:
    async def test_those_of_the_stream_with_the_cursor_are_shown_the_most_behind_first(self) -> None:
        async with at_the_server(None, "G", size=(200, 60)) as watched:
            table = watched.app.screen.query_one(ConsumerTable)
            assert [row.name for row in table.rows][:2] == ["queue-mail", "queue-imports"]
            mail = watched.line_with("│ queue-mail ")
            for said in ("workers of queue mail", "● active", "702", "990/1,000", "4", "nats-1"):
                assert said in mail
            assert "! no reader" in watched.line_with("queue-imports ")
            assert "‖ paused" in watched.line_with("queue-newsletter ")

    async def test_a_stream_without_any_says_so(self) -> None:
        async with at_the_server() as watched:
            assert "nobody reads this stream by a consumer" in watched.text

    async def test_tab_and_enter_go_there_and_escape_comes_back(self) -> None:
        async with at_the_server(None, "G", "tab", "j") as watched:
            view: Any = watched.app.screen
            assert view.row_text() == "queue-imports"
            assert [record["name"] for record in view.records()][:2] == ["queue-mail", "queue-imports"]
            await watched.press("escape", "enter")
            assert watched.app.screen.query_one(ConsumerTable).has_focus
            await watched.press("escape", "escape")
            assert watched.app.screen.id == "overview"

    async def test_why_they_cannot_be_listed_is_said(self) -> None:
        async with at_the_server() as watched:
            watched.source.questions.consumers_of["NAQ_JOBS"] = ServerUnreachable("the role needs more")
            await watched.press("G")
            await watched.settle()
            await watched.settle()
            assert "the role needs more" in watched.text
            assert "NAQ_EVENTS" in watched.text


class TestTheAccount:
    async def test_it_says_which_server_and_how_much_is_used(self) -> None:
        async with at_the_server(size=(200, 60)) as watched:
            assert "nats-1  nats-server 2.14.1   cluster shop   round trip 0.3 ms" in watched.lines[2]
            assert "storage 812 MB of 10.0 GB ━━━━━━ 8.1 %" in watched.lines[3]
            assert "set aside 8.6 GB of 10.0 GB ━━━━━━ 86 % !" in watched.lines[3]
            assert "API errors 3 of 48.2k calls" in watched.lines[3]

    async def test_where_there_is_little_room_the_limit_that_is_near_stays(self) -> None:
        async with at_the_server(size=(60, 20)) as watched:
            assert "86 % !" in watched.lines[3]
            assert "storage" not in watched.lines[3]

    @pytest.mark.parametrize(
        ("count", "text"),
        [(0, "0 B"), (812, "812 B"), (999, "999 B"), (1_000, "1.0 kB"), (99_960, "100 kB"), (999_600, "1.0 MB"),
         (10**15, "1.0 PB"), (10**20, "100000 PB")],
    )  # fmt: skip
    def test_bytes_are_short(self, count: int, text: str) -> None:
        assert bytes_text(count) == text


class TestAskingAgain:
    async def test_it_is_asked_every_two_seconds_and_not_while_hidden(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async with at_the_server() as watched:
            asked, answer = [], watched.source.questions.server

            async def counted() -> ServerDetail:
                asked.append(True)
                return await answer()

            monkeypatch.setattr(watched.source.questions, "server", counted)
            for _ in range(4):
                await watched.pass_time(1)
            assert len(asked) == 2
            await watched.press("1")
            for _ in range(10):
                await watched.pass_time(1)
            assert len(asked) == 2

    async def test_of_a_recording_it_says_that_there_is_no_server(self) -> None:
        async with watching(BUSY) as watched:
            await watched.press("8")
            await watched.settle()
            await watched.settle()
            assert "there is no server behind a recording" in watched.text

    async def test_when_the_link_is_lost_what_was_told_stays_with_its_age(self) -> None:
        async with at_the_server() as watched:
            await watched.pass_time(1)
            await watched.feed(Batch(Link(ConnectionState.RECONNECTING, NOW_NS, "connection refused")))
            await watched.pass_time(30)
            assert "NAQ_EVENTS" in watched.text
            assert watched.app.screen.query_one(StreamTable).styles.text_opacity < 1


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 60), (20, 6), (12, 90)])
async def test_at_every_size_nothing_is_too_wide(size: tuple[int, int]) -> None:
    async with at_the_server(None, "G", size=size) as watched:
        assert len(watched.lines) == size[1]
        assert {cell_len(line) for line in watched.lines} == {size[0]}


class TestTakingAway:
    async def test_c_copies_the_name_of_the_row_in_the_table_with_the_keys(self) -> None:
        async with at_the_server(None, "G", "c") as watched:
            assert watched.app.clipboard == "NAQ_JOBS"
            await watched.press("tab", "c")
            assert watched.app.clipboard == watched.app.screen.query_one(ConsumerTable).cursor_key

    async def test_capital_c_copies_the_command_that_shows_the_stream(self) -> None:
        async with at_the_server(None, "G", "C") as watched:
            assert watched.app.clipboard == "naq stream show NAQ_JOBS"

    async def test_w_writes_the_rows_of_the_table_with_the_keys(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        async with at_the_server(None, "G", "tab") as watched:
            named = [row.name for row in watched.app.screen.query_one(ConsumerTable).rows]
            await watched.press("w", "enter")
            await eventually(lambda: any(tmp_path.iterdir()))
            await watched.settle()
            (written,) = tmp_path.iterdir()
            await eventually(lambda: len(written.read_text().splitlines()) == len(named))

        assert [json.loads(line)["name"] for line in written.read_text().splitlines()] == named
