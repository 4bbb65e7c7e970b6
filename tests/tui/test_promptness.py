"""What a start and a key do not wait for."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from textual._compositor import Compositor
from textual.css.stylesheet import Stylesheet

from naq_tui.source import Batch
from naq_tui.sources.recorded import RecordedSource
from naq_tui.stage import Stage
from tests.tui import builders
from tests.tui.harness import watching


def counted(monkeypatch: pytest.MonkeyPatch, kind: type, name: str) -> Counter[str]:
    """Count how often a method of Textual is called from now on."""
    calls: Counter[str] = Counter()
    method: Callable[..., Any] = getattr(kind, name)

    def call(self: object, *arguments: Any, **named: Any) -> Any:
        calls[name] += 1
        return method(self, *arguments, **named)

    monkeypatch.setattr(kind, name, call)
    return calls


async def test_the_styles_are_read_once_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = counted(monkeypatch, Stylesheet, "reparse")

    async with watching():
        assert calls["reparse"] == 0


async def test_the_styles_are_read_again_for_another_theme() -> None:
    async with watching() as watched:
        before = watched.app.screen.styles.background

        watched.app.theme = "naq-day"
        await watched.settle()

        assert watched.app.screen.styles.background != before


async def test_a_start_has_the_colours_of_its_theme() -> None:
    async with watching() as watched:
        background = watched.app.screen.styles.background

        assert background.hex.lower() == watched.app.current_theme.background


async def test_going_to_another_pane_does_not_draw_the_whole_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    async with watching() as watched:
        await watched.settle()
        calls = counted(monkeypatch, Compositor, "render_full_update")

        await watched.press("tab")
        await watched.settle()

        assert calls["render_full_update"] == 0


async def test_after_each_piece_of_many_events_keys_get_as_much_time_as_it_took() -> None:
    source = RecordedSource([builders.batch(*(builders.job_event(job_id=f"job-{number}") for number in range(2_000)))])
    source.end()
    stage, now = Stage(source, builders.clock()), asyncio.get_running_loop().time
    began, ended, turns = [], [], Counter[int]()

    def slow(_: Batch) -> None:
        began.append(now())
        time.sleep(0.02)
        ended.append(now())

    async def others() -> None:
        while True:
            turns[len(ended)] += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(others())
    await stage.read(slow)
    other.cancel()

    assert len(ended) > 3
    assert all(turns[pieces] for pieces in range(1, len(ended)))
    assert all(begin - end >= 0.02 for end, begin in zip(ended, began[1:], strict=False))


async def test_what_comes_faster_than_anybody_reads_is_painted_half_as_often() -> None:
    def some(count: int) -> Batch:
        return builders.batch(*(builders.job_event(job_id=f"job-{number}") for number in range(count)))

    async with watching() as watched:
        await watched.feed(some(1_500))
        in_a_flood = watched.app.pace_s
        await watched.feed(some(20))
        afterwards = watched.app.pace_s

    assert (in_a_flood, afterwards) == (2 * watched.app.paint_s, watched.app.paint_s)
