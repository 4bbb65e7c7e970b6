"""What was chosen while it ran is in the config file afterwards, and all else there is as it was."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naq_runtime.config import NAQConfig, read_section
from naq_runtime.config_layers import file_layer
from naq_runtime.errors import ConfigError
from naq_tui.preferences import Preferences, changed_text
from naq_tui.settings import TableSettings, TopSettings

MINE = """\
# all that we have
namespace = "shop"   # in production, too

[top]  # the monitor
theme = "night"  # for now

[nats]
url = "nats://nats-1:4222"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def read(file: Path) -> TopSettings:
    return read_section("top", TopSettings, [file_layer(file)])


class TestWriting:
    def test_comments_and_the_settings_of_others_stay(self, file: Path) -> None:
        file.write_text(MINE)
        preferences = Preferences(read(file), file)

        preferences.change(theme="day")
        preferences.write()

        assert file.read_text() == MINE.replace('"night"', '"day"')

    def test_what_is_written_is_read_again(self, file: Path) -> None:
        file.write_text(MINE)
        preferences = Preferences(read(file), file)
        layout = TableSettings(columns=("queue", "in/s"), sort="in/s", descending=False)

        preferences.change(refresh=2.0, mouse=False, filter='queue:mail "it\'s"')
        preferences.change_table("queues", layout)
        preferences.change_table("workers", TableSettings(sort="cpu"))
        preferences.write()

        assert read(file) == preferences.settings
        assert read(file).tables["queues"] == layout
        assert NAQConfig.load(file).nats.url == "nats://nats-1:4222"

    def test_a_file_that_is_not_there_is_made_with_its_folder(self, tmp_path: Path) -> None:
        file = tmp_path / "new" / "config.toml"
        preferences = Preferences(file=file)

        preferences.change(theme="distinct")
        preferences.write()

        assert read(file).theme == "distinct"

    def test_what_says_nothing_any_more_leaves_the_file(self, file: Path) -> None:
        preferences = Preferences(file=file)
        preferences.change_table("queues", TableSettings(columns=("queue",), sort="failed"))
        preferences.write()

        preferences.change_table("queues", TableSettings(sort="failed"))
        preferences.write()

        assert tomllib.loads(file.read_text())["top"]["tables"]["queues"] == {"sort": "failed"}

    def test_what_somebody_has_written_meanwhile_stays(self, file: Path) -> None:
        file.write_text(MINE)
        preferences = Preferences(read(file), file)
        file.write_text(MINE + '\n[events]\nspool = "/var/spool/naq"\n')

        preferences.change(theme="day")
        preferences.write()

        assert NAQConfig.load(file).events.spool == "/var/spool/naq"

    def test_a_link_stays_a_link_and_the_file_keeps_its_mode(self, tmp_path: Path, file: Path) -> None:
        target = tmp_path / "dotfiles.toml"
        target.write_text(MINE)
        target.chmod(0o640)
        file.symlink_to(target)
        preferences = Preferences(file=file)

        preferences.change(theme="day")
        preferences.write()

        assert file.is_symlink()
        assert read(target).theme == "day"
        assert stat.S_IMODE(target.stat().st_mode) == 0o640
        assert sorted(path.name for path in tmp_path.iterdir()) == ["config.toml", "dotfiles.toml"]

    def test_a_file_with_a_mistake_is_not_touched(self, file: Path) -> None:
        file.write_text("theme = [")
        preferences = Preferences(file=file)
        preferences.change(theme="day")

        with pytest.raises(ConfigError, match=r"cannot write settings to .*config\.toml, which is not valid TOML"):
            preferences.write()

        assert file.read_text() == "theme = ["

    def test_where_nothing_can_be_written_it_says_so(self, tmp_path: Path) -> None:
        (tmp_path / "naq").write_text("a file, and no folder")
        preferences = Preferences(file=tmp_path / "naq" / "config.toml")
        preferences.change(theme="day")

        with pytest.raises(ConfigError, match="cannot write settings to"):
            preferences.write()

        assert preferences.settings.theme == "day"

    def test_without_a_change_there_is_no_file(self, file: Path) -> None:
        Preferences(file=file).write()

        assert not file.exists()

    @given(
        st.text(st.characters(codec="utf-8", exclude_categories=["Cs"])), st.lists(st.text("a/% \"'\\é"), max_size=4)
    )
    def test_any_text_comes_back_as_it_was(self, text: str, columns: list[str]) -> None:
        changes: dict[tuple[str, ...], object] = {
            ("filter",): text,
            ("tables", "queues", "columns"): tuple(columns),
            ("mouse",): False,
        }

        found = tomllib.loads(changed_text(MINE, changes))

        assert found["top"].get("filter", "") == text
        assert found["top"].get("tables", {}).get("queues", {}).get("columns", []) == columns
        assert found["nats"] == {"url": "nats://nats-1:4222"}


class TestReading:
    def test_the_users_own_file_comes_last_value_by_value(self, tmp_path: Path) -> None:
        ours, own = tmp_path / "naq.toml", tmp_path / "config.toml"
        ours.write_text('[top]\ntheme = "day"\nrefresh = 1\n[top.tables.queues]\nsort = "failed"\n')
        own.write_text('[top]\ntheme = "distinct"\n[top.tables.queues]\ncolumns = ["queue"]\n')

        settings = read_section("top", TopSettings, [file_layer(ours), file_layer(own)])

        assert (settings.theme, settings.refresh) == ("distinct", 1.0)
        assert settings.tables["queues"] == TableSettings(columns=("queue",), sort="failed")

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("top = 3", "setting top: expected a table, got 3"),
            ("[top]\nrefresh = 9", r"setting top\.refresh: expected a number of seconds <= 5\.0, got 9"),
            ("[top]\nmouse = 'maybe'", r"setting top\.mouse: .*got 'maybe'"),
            ("[top]\ncolour = 'red'", r"setting top\.colour: not known \(there is theme"),
            ("[top.tables.queues]\nsort = 3", r"setting top\.tables.*sort.*got"),
        ],
    )
    def test_a_mistake_names_the_key_and_what_was_expected(self, file: Path, text: str, said: str) -> None:
        file.write_text(text)

        with pytest.raises(ConfigError, match=said):
            read(file)
