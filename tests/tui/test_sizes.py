"""At every size nothing is cut, nothing is too wide, and the borders meet."""

from __future__ import annotations

import re

import pytest
from rich.cells import cell_len

from tests.tui.harness import SIZES, Watched, watching
from tests.tui.recording import TROUBLED_JOB, Recording, shop

CUT_NUMBER = re.compile(r"\d…")


@pytest.fixture(scope="module")
def recording() -> Recording:
    return shop(100)


def assert_tidy(watched: Watched, width: int, height: int) -> None:
    assert len(watched.lines) == height
    for line in watched.lines:
        assert cell_len(line) == width, line
    typed = next((place for place, line in enumerate(watched.lines) if line.startswith(" /")), height - 1)
    for line in watched.lines[2:typed]:
        assert line[0] in "╭│╰", line
        assert line[-1] in "╮│╯", line


@pytest.mark.parametrize("size", SIZES)
async def test_the_overview_is_tidy(size: tuple[int, int], recording: Recording) -> None:
    async with watching(*recording.batches(), size=size) as watched:
        assert_tidy(watched, *size)
        for heading in ("queue", "waiting", "running", "out/s", "failed"):
            assert heading in watched.lines[3]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("tabs", [1, 2, 3])
async def test_no_figure_of_a_table_or_the_strip_is_cut(size: tuple[int, int], tabs: int, recording: Recording) -> None:
    async with watching(*recording.batches(), size=size) as watched:
        await watched.press(*["tab"] * tabs)
        events = next(index for index, line in enumerate(watched.lines) if "Events" in line)
        for line in watched.lines[:events]:
            assert not CUT_NUMBER.search(line), line


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("keys", [("z",), ("tab", "z"), ("shift+tab", "z"), ("tab", "tab", "z"), ("slash",)])
async def test_zoom_and_filter_are_tidy(size: tuple[int, int], keys: tuple[str, ...], recording: Recording) -> None:
    async with watching(*recording.batches(), size=size) as watched:
        await watched.press(*keys)
        assert_tidy(watched, *size)


@pytest.mark.parametrize("size", SIZES)
async def test_a_job_is_tidy(size: tuple[int, int], recording: Recording) -> None:
    async with watching(*recording.batches(), size=size, jobs=recording.jobs) as watched:
        await watched.write(f"/{TROUBLED_JOB[:4]}")
        await watched.press("enter", "enter")
        await watched.settle()
        assert "✗ failed" in watched.text
        assert_tidy(watched, *size)


@pytest.mark.parametrize("size", SIZES)
async def test_the_help_is_tidy(size: tuple[int, int]) -> None:
    async with watching(size=size) as watched:
        await watched.press("question_mark")
        assert "Keys" in watched.text
        assert all(cell_len(line) == size[0] for line in watched.lines)


@pytest.mark.parametrize("size", [(20, 6), (1, 1), (300, 3), (12, 90)])
async def test_absurd_sizes_break_nothing(size: tuple[int, int], recording: Recording) -> None:
    async with watching(*recording.batches(), size=size, jobs=recording.jobs) as watched:
        await watched.press("tab", "tab", "tab", "z", "z", "question_mark", "escape")
        assert len(watched.lines) == size[1]


@pytest.mark.parametrize(
    ("width", "figures"), [(60, ["jobs", "failed", "wait"]), (120, ["events", "jobs", "failed", "wait", "run"])]
)
async def test_the_strip_gives_up_the_least_important_first(
    width: int, figures: list[str], recording: Recording
) -> None:
    async with watching(*recording.batches(), size=(width, 20)) as watched:
        assert re.findall(r"events|jobs|failed|wait|run", watched.lines[1]) == figures
        assert "● live" in watched.lines[0]
