"""The page about settings of naq-top names all that there is, and its example can be read."""

from __future__ import annotations

import re
from pathlib import Path

from naq_runtime.config import read_section
from naq_runtime.config_layers import file_layer
from naq_tui.keys import Keys
from naq_tui.look import LOOKS
from naq_tui.settings import TopSettings

PAGE = (Path(__file__).parents[2] / "docs" / "customizing.md").read_text()


def test_its_example_is_understood(tmp_path: Path) -> None:
    example = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert example
    file = tmp_path / "config.toml"
    file.write_text(example[1])

    settings = read_section("top", TopSettings, [file_layer(file)])

    assert settings.theme in LOOKS
    assert Keys(settings.keys).keymap["pause"] == "B"
    assert all(f"\n{name} = " in example[1] or f"[top.{name}" in example[1] for name in TopSettings.__struct_fields__)


def test_it_names_every_look() -> None:
    assert [name for name in LOOKS if f"`{name}`" not in PAGE] == []
