"""The pages that are made of the commands, and what the commands say of themselves."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess

import pytest
from typer import Context

from naq_tui.cli.pages import pages
from naq_tui.cli.reference import BEGIN, END, woven
from naq_tui.cli.tree import PROGRAMS, Command, commands, groups
from tests.support.processes import ROOT

ALL = list(commands())
DOCS = ROOT / "docs"
named = pytest.mark.parametrize("command", ALL, ids=lambda command: command.name)


@pytest.mark.parametrize("name", pages(DOCS))
def test_a_page_is_current(name: str) -> None:
    published = (DOCS / name).read_text(encoding="utf-8")

    assert published == pages(DOCS)[name], "write it anew: make pages"


def test_what_is_written_by_hand_stays() -> None:
    page = f"# By hand\n{BEGIN}\nold\n{END}\n\nand more\n"

    found = woven(page)

    assert found.startswith(f"# By hand\n{BEGIN}\n")
    assert found.endswith(f"{END}\n\nand more\n")
    assert "\nold\n" not in found
    assert woven(found) == found


def test_a_page_without_a_place_for_the_commands_is_refused() -> None:
    with pytest.raises(ValueError, match="the page has to have"):
        woven("# By hand\n")


@named
def test_a_command_says_in_one_sentence_what_it_does(command: Command) -> None:
    assert re.fullmatch(r"[A-Z][^\n]{10,160}\.", command.summary)
    assert command.name in (DOCS / "cli.md").read_text(encoding="utf-8")


@named
def test_a_command_has_an_example_that_it_understands(command: Command) -> None:
    words = shlex.split(command.example)
    called = command.name.split()

    assert words[: len(called)] == called
    command.node.make_context(command.name, words[len(called) :], resilient_parsing=False)


@named
def test_an_option_says_what_it_is_for(command: Command) -> None:
    for one in [*command.arguments, *command.options]:
        assert re.fullmatch(r"\S.*[.)]", one.help or ""), f"{one.opts}: {one.help}"
        assert len(one.help) < 120


def test_the_help_of_naq_has_each_command_once_in_a_line_of_its_group() -> None:
    shown = ROOT_HELP.splitlines()

    for title, names in groups().items():
        at = shown.index(f"{title}:")
        lines = shown[at + 1 : at + 1 + len(names)]
        assert [line.split()[0] for line in lines] == list(names)
        assert all(line.endswith(".") and len(line) <= 80 for line in lines)


def _root_help() -> str:
    from typer.main import get_command

    from naq_tui.cli.main import app

    root = get_command(app)
    return root.get_help(Context(root, info_name="naq"))


ROOT_HELP = _root_help()


def test_the_manual_tells_only_of_options_that_there_are() -> None:
    there = {name for command in ALL for one in command.node.params for name in (*one.opts, *one.secondary_opts)}
    there |= {"--help", "--version", "--install-completion", "--show-completion"}
    by_hand = (DOCS / "cli.md").read_text(encoding="utf-8").partition(BEGIN)[0]

    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", by_hand)) - there == set()


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_man_page_has_all_commands_and_reads_without_a_warning(program: str) -> None:
    page = DOCS / "man" / f"{program}.1"
    text = page.read_text(encoding="utf-8")

    assert text.startswith(f".TH {program.upper()} 1 ")
    for command in commands(program):
        assert command.name.replace("-", "\\-") in text
    if groff := shutil.which("groff"):
        read = subprocess.run([groff, "-man", "-Tutf8", "-ww", "-z", page], capture_output=True, text=True, check=True)
        assert read.stderr == ""
