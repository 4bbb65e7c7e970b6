"""Contexts of the nats tool: read as it writes them, and refused where naq cannot do what they ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from naq_runtime.config import NAQConfig
from naq_runtime.errors import ConfigError
from naq_runtime.nats_context import SELECTED, read_context
from tests.unit.test_config_layers import context

WRITTEN: dict[str, Any] = {
    "description": "",
    "url": "",
    "socks_proxy": "",
    "token": "",
    "user": "",
    "password": "",
    "creds": "",
    "nkey": "",
    "cert": "",
    "key": "",
    "ca": "",
    "nsc": "",
    "jetstream_domain": "",
    "jetstream_api_prefix": "",
    "jetstream_event_prefix": "",
    "inbox_prefix": "",
    "user_jwt": "",
    "color_scheme": "",
    "tls_first": False,
}
"""All fields, as ``nats context add`` writes them, with nothing in them."""


def read(folder: Path, **content: Any) -> dict[str, Any]:
    """The settings of a context."""
    context(folder, "one", **WRITTEN | content)
    return read_context("one", {"XDG_CONFIG_HOME": str(folder), "KEYS": "/keys"}).settings


def test_a_context_that_says_nothing_is_the_server_of_the_defaults(tmp_path: Path) -> None:
    assert read(tmp_path, description="nothing") == {}


def test_all_that_naq_can_do_is_taken_over(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        url="nats://a:4222,nats://b:4222",
        user="ada",
        password="secret",
        cert="/tls/cert.pem",
        key="/tls/key.pem",
        ca="file:///tls/ca.pem",
        inbox_prefix="_INBOX_ada",
        jetstream_domain="hub",
        tls_first=True,
        color_scheme="red",
    )

    nats = NAQConfig.load(environ={}, arguments={f"nats.{key}": value for key, value in settings.items()}).nats
    assert (nats.url, nats.user, nats.password) == ("nats://a:4222,nats://b:4222", "ada", "secret")
    assert (nats.tls_cert, nats.tls_key, nats.tls_ca) == ("/tls/cert.pem", "/tls/key.pem", "/tls/ca.pem")
    assert (nats.inbox_prefix, nats.jetstream_domain, nats.tls_first) == ("_INBOX_ada", "hub", True)


def test_paths_of_files_may_have_variables_and_the_home_folder_in_them(tmp_path: Path) -> None:
    settings = read(tmp_path, creds="$KEYS/ada.creds", nkey="~/ada.nk", ca="${KEYS}/ca.pem")

    assert settings["creds"] == "/keys/ada.creds"
    assert settings["nkey"] == str(Path.home() / "ada.nk")
    assert settings["tls_ca"] == "/keys/ca.pem"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"socks_proxy": "socks5://p"}, "context one asks for socks_proxy, which naq cannot do"),
        ({"nsc": "nsc://o/a/u", "user_jwt": "ey"}, "context one asks for user_jwt, nsc, which naq cannot do"),
        ({"jetstream_api_prefix": "x"}, "context one asks for jetstream_api_prefix, which naq cannot do"),
        ({"creds": "op://vault/item"}, "context one: creds refers to op:…, which naq cannot look up"),
        ({"password": "env://PW"}, "context one: password refers to env:…, which naq cannot look up"),
        ({"url": 5}, "context one: url: expected a text"),
    ],
)
def test_what_naq_cannot_do_is_an_error_that_names_the_field(
    tmp_path: Path, content: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError) as error:
        read(tmp_path, **content)
    assert str(error.value) == words


def test_a_file_that_cannot_be_read_is_named_and_not_quoted(tmp_path: Path) -> None:
    file = context(tmp_path, "one")
    file.write_text('{"password": "hunter2"')

    with pytest.raises(ConfigError) as error:
        read_context("one", {"XDG_CONFIG_HOME": str(tmp_path)})
    assert str(error.value) == f"context one: {file} is not valid JSON"


def test_a_context_that_is_not_there_is_an_error_that_names_those_that_are(tmp_path: Path) -> None:
    context(tmp_path, "one")
    context(tmp_path, "two")

    with pytest.raises(ConfigError, match=r"no context 'three' \(there is one, two\); 'nats context add' makes one"):
        read_context("three", {"XDG_CONFIG_HOME": str(tmp_path)})


@pytest.mark.parametrize("name", ["", "..", "../one", "a/b"])
def test_a_name_cannot_lead_elsewhere(tmp_path: Path, name: str) -> None:
    context(tmp_path, "one")
    with pytest.raises(ConfigError, match="no name of a context"):
        read_context(name, {"XDG_CONFIG_HOME": str(tmp_path)})


def test_the_selected_context_is_used_only_when_asked_for(tmp_path: Path) -> None:
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}
    context(tmp_path, "one", url="nats://one")
    with pytest.raises(ConfigError, match=r"no context is selected in .*context.txt; 'nats context select NAME'"):
        read_context(SELECTED, environ)

    (tmp_path / "nats" / "context.txt").write_text("one\n")

    assert NAQConfig.load(environ=environ).nats.url == "nats://127.0.0.1:4222"
    assert NAQConfig.load(environ=environ, context=SELECTED).nats.url == "nats://one"
