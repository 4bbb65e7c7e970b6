"""Keys that somebody has chosen: read strictly, and shown wherever keys are named."""

from __future__ import annotations

import pytest

from naq_runtime.errors import ConfigError
from naq_tui.commands import COMMANDS
from naq_tui.keys import Keys, label_of
from naq_tui.preferences import Preferences
from naq_tui.settings import TopSettings
from tests.tui.builders import batch, job_event, queue, snapshot
from tests.tui.harness import watching

BUSY = batch(job_event("completed", "job-1", duration_ms=3.0), snapshot=snapshot([queue("default", 3, 1)]))


class TestReading:
    def test_without_a_choice_all_is_as_at_first(self) -> None:
        assert Keys().all_of(COMMANDS) == list(COMMANDS)

    def test_a_label_reads_like_those_of_ours(self) -> None:
        named = [command for command in COMMANDS if " " in command.label or len(command.keys) == 1]

        assert {label_of(command.keys) for command in named} == {command.label for command in named}

    @pytest.mark.parametrize(
        ("written", "key", "label"),
        [("B", "B", "B"), ("/", "slash", "/"), ("ctrl+x", "ctrl+x", "Ctrl-X"), ("f5", "f5", "F5"), ("+", "plus", "+")],
    )
    def test_keys_may_be_written_as_they_are_read(self, written: str, key: str, label: str) -> None:
        keys = Keys({"pause": written} if written not in "/+" else {"pause": written, **_room_for(written)})

        assert keys.keymap["pause"] == key
        assert next(one for one in keys.all_of(COMMANDS) if one.title == "Pause").label == label

    def test_what_always_leaves_cannot_be_taken_away(self) -> None:
        always = [one for one in Keys({"quit": "Q"}).all_of(COMMANDS) if "ctrl+c" in one.keys]

        assert len(always) == 1

    @pytest.mark.parametrize(
        ("chosen", "said"),
        [
            ({"pase": "x"}, r"top\.keys\.pase: expected a command such as pause"),
            ({"pause": "hyper+x"}, r"top\.keys\.pause: expected a key such as .*, got 'hyper\+x'"),
            ({"pause": ""}, r"top\.keys\.pause: expected a key such as .*, got ''"),
            ({"pause": "q"}, r"top\.keys\.pause: q is the key of quit in the same place"),
            ({"follow": "z"}, r"top\.keys\.follow: z is the key of zoom"),
            ({"pause": "x", "help": "x"}, r"x is the key of help"),
            ({"pause": "ctrl+c"}, r"Ctrl-C is the key of Quit"),
        ],
    )
    def test_a_mistake_names_the_key_and_what_was_expected(self, chosen: dict[str, str], said: str) -> None:
        with pytest.raises(ConfigError, match=said):
            Keys(chosen)

    def test_a_key_that_was_given_away_is_free(self) -> None:
        assert Keys({"quit": "Q", "pause": "q"}).keymap == {"quit": "Q", "pause": "q"}

    def test_one_key_may_do_different_things_in_different_places(self) -> None:
        assert Keys({"open-job": "y", "open-schedule": "y"}).keymap["open-job"] == "y"


class TestShowing:
    async def test_the_new_key_works_and_the_old_one_does_not(self) -> None:
        async with watching(BUSY, preferences=_chosen(pause="B", zoom="f5")) as watched:
            await watched.press("p")
            before = watched.app.frozen
            await watched.press("B")
            assert (before, watched.app.frozen) == (False, True)
            await watched.press("f5")
            assert watched.app.screen.has_class("-zoomed")

    async def test_footer_and_help_name_it(self) -> None:
        async with watching(BUSY, size=(200, 40), preferences=_chosen(pause="B", schedules="f6")) as watched:
            assert "B pause" in watched.lines[-1]
            assert "F6 Schedules" in watched.lines[-1]
            await watched.press("question_mark")
            line = next(line for line in watched.lines if "Freeze what is shown" in line)
            assert line.strip("│ ").split()[0] == "B"

    async def test_a_click_in_the_footer_presses_it(self) -> None:
        async with watching(BUSY, preferences=_chosen(pause="B")) as watched:
            await watched.pilot.click(offset=(watched.lines[-1].index("pause"), 39))
            await watched.pilot.pause()
            assert watched.app.frozen


def _chosen(**keys: str) -> Preferences:
    return Preferences(TopSettings(keys=keys))


def _room_for(key: str) -> dict[str, str]:
    """Other keys for those that have this one."""
    holders = {command.name for command in COMMANDS if command.label == key}
    return {name: f"f{number}" for number, name in enumerate(sorted(holders), 5)}
