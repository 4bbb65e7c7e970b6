"""What is drawn with: by what the terminal says of itself, and by what is asked for."""

from __future__ import annotations

import itertools

import pytest
from textual.color import Color

from naq_runtime.errors import ConfigError
from naq_tui.look import LOOKS, Look, look_for
from naq_tui.theme import THEMES
from naq_tui.widgets.queues import Queues
from tests.tui.builders import batch, job_event, queue, snapshot, worker
from tests.tui.harness import watching

MODERN = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "en_US.UTF-8"}
SIXTEEN = {"TERM": "screen", "LANG": "en_US.UTF-8"}
BUSY = batch(
    job_event("failed", "job-1", error_type="Gone", final=True),
    snapshot=snapshot([queue("a", 3, 1), queue("b", 1, 0, paused=True)], [worker("w-1")]),
)
DISTINCT = next(theme for theme in THEMES if theme.name == LOOKS["distinct"])
EYES = {
    "all colours": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": ((0.152, 1.053, -0.205), (0.115, 0.786, 0.099), (-0.004, -0.048, 1.052)),
    "deuteranopia": ((0.367, 0.861, -0.228), (0.280, 0.673, 0.047), (-0.012, 0.043, 0.969)),
    "tritanopia": ((1.256, -0.077, -0.179), (-0.078, 0.931, 0.148), (0.005, 0.691, 0.304)),
}
"""How linear red, green and blue are seen (Machado, Oliveira and Fernandes, 2009)."""


class TestChoice:
    def test_a_terminal_with_many_colours_gets_ours(self) -> None:
        assert look_for(MODERN) == Look("naq-night")
        assert look_for({"TERM": "xterm-256color"}).theme == "naq-night"

    def test_one_with_sixteen_keeps_its_own(self) -> None:
        assert look_for(SIXTEEN).theme == "naq-ansi"
        assert look_for({"TERM": "linux"}).theme == "naq-ansi"

    def test_no_color_is_no_colour_whatever_is_asked_for(self) -> None:
        assert look_for({**MODERN, "NO_COLOR": "1"}, theme="day") == Look("naq-plain", colours=False)

    def test_an_empty_no_color_says_nothing(self) -> None:
        assert look_for({**MODERN, "NO_COLOR": ""}).colours

    def test_what_is_asked_for_comes_before_what_the_terminal_can(self) -> None:
        assert look_for(SIXTEEN, theme="distinct").theme == "naq-distinct"

    def test_a_theme_that_nobody_knows_is_refused(self) -> None:
        with pytest.raises(ConfigError, match=r"expected one of night, day, .*, got 'noon'"):
            look_for(MODERN, theme="noon")

    @pytest.mark.parametrize(
        ("environ", "only_ascii"),
        [
            ({}, False),
            ({"LANG": "de_DE.UTF-8"}, False),
            ({"LANG": "de_DE.utf8"}, False),
            ({"LANG": "de_DE.ISO-8859-1"}, True),
            ({"LC_ALL": "C", "LANG": "en_US.UTF-8"}, True),
            ({"LC_ALL": "", "LC_CTYPE": "en_US.UTF-8", "LANG": "C"}, False),
            ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, True),
        ],
    )
    def test_the_locale_says_whether_only_ascii_is_understood(self, environ: dict[str, str], only_ascii: bool) -> None:
        assert look_for(environ).ascii is only_ascii
        assert look_for(environ, ascii=True).ascii
        assert not look_for(environ, ascii=False).ascii


class TestColours:
    @pytest.mark.parametrize("eyes", EYES)
    def test_states_are_told_apart_by_all_eyes(self, eyes: str) -> None:
        states = [DISTINCT.success, DISTINCT.warning, DISTINCT.error, DISTINCT.primary]
        seen = [_seen(str(tone), EYES[eyes]) for tone in states]

        assert min(_distance(one, other) for one, other in itertools.combinations(seen, 2)) > 20

    @pytest.mark.parametrize("theme", LOOKS.values())
    async def test_without_colours_none_reaches_the_screen_whatever_the_theme(self, theme: str) -> None:
        async with watching(BUSY, look=Look(theme, colours=False)) as watched:
            await watched.press("tab", "space", "up")
            strips = watched.app.screen._compositor.render_strips()
            styles = [segment.style for strip in strips for segment in strip if segment.style]

            assert {style.color.name for style in styles if style.color} <= {"default"}
            assert {style.bgcolor.name for style in styles if style.bgcolor} <= {"default"}

    async def test_without_colours_cursor_and_marks_are_seen(self) -> None:
        async with watching(BUSY, look=Look("naq-plain", colours=False)) as watched:
            await watched.press("tab", "space", "up")
            segments = [segment for strip in watched.app.screen._compositor.render_strips() for segment in strip]

            assert any(segment.style and segment.style.reverse and "a" in segment.text for segment in segments)
            assert "▪" in watched.text

    async def test_with_sixteen_colours_no_other_reaches_the_screen(self) -> None:
        async with watching(BUSY, look=Look("naq-ansi")) as watched:
            await watched.press("tab")
            strips = watched.app.screen._compositor.render_strips()
            styles = [segment.style for strip in strips for segment in strip if segment.style]
            colours = {colour for style in styles for colour in (style.color, style.bgcolor) if colour}

            assert {colour.type.name for colour in colours} <= {"DEFAULT", "STANDARD"}

    @pytest.mark.parametrize("name", LOOKS.values())
    async def test_every_theme_can_be_chosen_while_it_runs(self, name: str) -> None:
        async with watching(BUSY) as watched:
            watched.app.theme = name
            await watched.settle()

            assert "✗ failed" in watched.text
            assert watched.app.screen.query_one(Queues).rows


def _seen(tone: str, eyes: tuple[tuple[float, ...], ...]) -> tuple[float, float, float]:
    """The colour in CIE L*a*b*, as these eyes see it."""
    red, green, blue = (_linear(part) for part in Color.parse(tone).normalized)
    seen = [min(1.0, max(0.0, a * red + b * green + c * blue)) for a, b, c in eyes]
    weights = ((0.4339, 0.3762, 0.1899), (0.2126, 0.7152, 0.0722), (0.0177, 0.1095, 0.8730))
    x, y, z = (_root(sum(w * part for w, part in zip(row, seen, strict=True))) for row in weights)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def _root(value: float) -> float:
    return float(value ** (1 / 3)) if value > 0.008856 else 7.787 * value + 16 / 116


def _distance(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    return float(sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5)
