"""The tables ``[processors.NAME]``: what they may say, and the errors that name the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from naq_runtime import NAQConfig
from naq_runtime.errors import ConfigError
from naq_runtime.processors.settings import CommandSettings, LogFileSettings, WebhookSettings


def load(tmp_path: Path, text: str) -> NAQConfig:
    file = tmp_path / "naq.toml"
    file.write_text(text)
    return NAQConfig.load(file, environ={})


def test_each_kind_is_read_with_its_own_settings(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        """
        [processors.alerts]
        kind = "webhook"
        url = "https://example.com/${TOKEN}"
        filter = { event_type = "failed" }
        [processors.audit]
        kind = "logfile"
        path = "/var/log/naq.jsonl"
        rotate_every = 86400
        start = "2026-11-27T08:00:00Z"
        [processors.page]
        kind = "command"
        command = ["page", "--now"]
        """,
    )

    alerts, audit, page = (config.processors[name] for name in ("alerts", "audit", "page"))
    assert isinstance(alerts, WebhookSettings)
    assert (alerts.filter, alerts.batch, alerts.start) == ({"event_type": "failed"}, 1, "new")
    assert isinstance(audit, LogFileSettings)
    assert (audit.batch, audit.rotate_every, audit.start) == (500, 86400, "2026-11-27T08:00:00Z")
    assert isinstance(page, CommandSettings)
    assert page.command == ["page", "--now"]
    assert hash(config) == hash(load(tmp_path, ""))


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("", r"setting processors.one.kind: expected one of command, function, .*, got None"),
        ("kind = 'webhok'", r"setting processors.one.kind: expected one of .*webhook, got 'webhok'"),
        ("kind = 'webhook'", "setting processors.one.url: it must be given"),
        ("kind = 'webhook'\nurl = 'x'\nbach = 5", r"setting processors.one.bach: not known, did you mean batch\?"),
        ("kind = 'logfile'\npath = 'x'\nbatch = 0", "setting processors.one.batch: expected .* >= 1, got 0"),
        (
            "kind = 'logfile'\npath = 'x'\nstart = 'noon'",
            "setting processors.one: expected start .* 'noon'",
        ),
        ("kind = 'command'\ncommand = 'ls'", "setting processors.one: expected command to be a list"),
        ("kind = 'function'\nfunction = 'shop.f'", "setting processors.one.function: expected a text matching"),
    ],
)
def test_what_cannot_be_is_refused_by_its_key(tmp_path: Path, table: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        load(tmp_path, f"[processors.one]\n{table}")


def test_a_name_that_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="setting processors: processor 'a b' is not a valid name"):
        load(tmp_path, "[processors.'a b']\nkind = 'webhook'\nurl = 'x'")


@pytest.mark.parametrize("setting", ["url = 5", "secret = 5", "headers = { A = 5 }", "headers = 'hush'"])
def test_no_error_shows_what_may_be_a_secret(tmp_path: Path, setting: str) -> None:
    table = "kind = 'webhook'\n" + ("" if setting.startswith("url") else "url = 'hush'\n") + setting

    with pytest.raises(ConfigError) as raised:
        load(tmp_path, f"[processors.one]\n{table}")

    assert "hush" not in str(raised.value)
    assert "got 5" not in str(raised.value)


def test_no_secret_is_shown_with_the_settings(tmp_path: Path) -> None:
    table = "kind='webhook'\nurl='https://u:hush@x/hush'\nsecret='hush'\nheaders={A='hush'}"

    assert "hush" not in repr(load(tmp_path, f"[processors.one]\n{table}"))
