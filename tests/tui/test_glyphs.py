"""On a terminal that knows only ASCII: nothing else reaches it, and every mark of ours has a twin."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

import naq_tui
from naq_tui.glyphs import ascii_text, has_twin
from naq_tui.look import Look
from naq_tui.text import inert
from tests.tui.builders import batch, job_event, leader, queue, schedule, snapshot, worker
from tests.tui.harness import watching

FOLDER = Path(naq_tui.__file__).parent
MARKS_OF_OTHERS = {"text.py", "output.py", "writing.py"}
"""They name characters in order to keep them from being drawn."""
BUSY = batch(
    job_event("completed", "job-1", duration_ms=3.0),
    job_event("failed", "ü☎日本", error_type="Ω", error_message="naïve …", final=True),
    snapshot=snapshot([queue("schön", 3, 1)], [worker("w-日本")]),
)


def marks() -> dict[str, str]:
    """Characters in our texts, each with a module that has it."""
    found: dict[str, str] = {}
    for path in FOLDER.rglob("*.py"):
        if path.name not in MARKS_OF_OTHERS:
            texts = (node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant))
            found |= {mark: path.name for text in texts if isinstance(text, str) for mark in text}
    return found


def test_every_mark_that_we_draw_has_a_twin() -> None:
    assert {mark: module for mark, module in marks().items() if not has_twin(mark)} == {}


def test_no_mark_of_ours_is_of_two_cells_in_some_terminal() -> None:
    wide_somewhere = "⏩⏪⏫⏬⏭⏮⏯⏱⏲⏸⏹⏺⌚⌛⏳☎☔♿⚓⚠⚡⛔✂✅✈✉✊❌❓❗"
    ours = {mark: module for mark, module in marks().items() if module != "glyphs.py"}

    assert {mark: module for mark, module in ours.items() if cell_len(mark) == 2 or mark in wide_somewhere} == {}


@given(st.text())
def test_a_text_takes_as_many_cells_as_before(text: str) -> None:
    safe = inert(text)

    assert ascii_text(safe).isascii()
    assert cell_len(ascii_text(safe)) == cell_len(safe)


def test_marks_that_stand_in_the_same_place_stay_apart() -> None:
    for marks in ("+▸✓✗↯◷⋯⊕⊖⊗↻⊘†", "●○◌!✗", "▁▂▃▄▅▆▇", "━─", "┃│", "▾▴", "⚑⚐◔"):
        assert len(set(ascii_text(marks))) == len(marks), marks


def test_letters_lose_only_their_accents() -> None:
    assert ascii_text("Müller naïve") == "Muller naive"


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40)])
@pytest.mark.parametrize(
    "keys",
    [
        *[(), ("tab",), ("z",), ("slash", "x"), ("1",), ("2",), ("2", "d"), ("3",), ("3", "F"), ("4",), ("5",)],
        *[
            ("5", "enter"),
            ("6",),
            ("6", "enter"),
            ("7",),
            ("8",),
            ("a",),
            ("enter",),
            ("o",),
            ("t",),
            ("question_mark",),
        ],
    ],
    ids=" ".join,
)
async def test_no_other_character_reaches_the_screen(keys: tuple[str, ...], size: tuple[int, int]) -> None:
    schedules = [schedule("nächtlich", in_s=5)]
    async with watching(BUSY, size=size, schedules=schedules, leader=leader(), look=Look(ascii=True)) as watched:
        await watched.press(*keys)
        await watched.settle()
        await watched.settle()

        assert [line for line in watched.lines if not line.isascii()] == []
        assert {len(line) for line in watched.lines} == {size[0]}


async def test_neither_does_one_of_the_palette_or_of_a_word_in_the_corner() -> None:
    async with watching(BUSY, size=(200, 60), look=Look(ascii=True)) as watched:
        watched.app.notify("⚑ done", title="日本")
        await watched.press("ctrl+p")
        await watched.settle()

        assert "Schedules" in watched.text
        assert watched.text.replace("\n", "").isascii()
