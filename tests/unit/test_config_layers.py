"""Which of several places a setting is taken from, and that it is said which."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from naq_runtime.config import NAQConfig, read_section, read_settings
from naq_runtime.config_layers import Origin, Source, section_layers
from naq_runtime.errors import ConfigError
from naq_tui.settings import TopSettings

FILE = """
[nats]
url = "nats://file"
[worker]
concurrency = 2
[profiles.around.nats]
url = "nats://profile-around"
[profiles.named]
namespace = "profile"
nats.url = "nats://profile"
worker.commit_size = 20
"""

PLACES = ["default", "file", "NAQ_PROFILE", "NAQ_CONTEXT", "variable", "--profile", "--context", "option"]
"""The lowest first."""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a config file and two contexts."""
    (tmp_path / "naq.toml").write_text(FILE)
    context(tmp_path, "around", url="nats://context-around")
    context(tmp_path, "named", url="nats://context")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path


def context(folder: Path, name: str, **content: Any) -> Path:
    """A context as the nats tool writes them."""
    file = folder / "nats" / "context" / f"{name}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))
    return file


def read(here: Path, places: set[str]) -> tuple[str, Origin]:
    """The address of the server when it is said in these places, and where it is said to come from."""
    environ = {"XDG_CONFIG_HOME": str(here)}
    environ |= {name: "around" for name in ("NAQ_PROFILE", "NAQ_CONTEXT") if name in places}
    environ |= {"NAQ_NATS_URL": "nats://variable"} if "variable" in places else {}
    file = here / "naq.toml" if places & {"file", "NAQ_PROFILE", "--profile"} else here / "empty.toml"
    (here / "empty.toml").touch()
    source = Source(file, "named" if "--context" in places else None, "named" if "--profile" in places else None)
    found = read_settings(source, environ, {"nats.url": "nats://option" if "option" in places else None})
    return found.config.nats.url, found.merged.origin("nats.url")


SAID = {
    "default": ("nats://127.0.0.1:4222", "default", ""),
    "file": ("nats://file", "file", "naq.toml"),
    "NAQ_PROFILE": ("nats://profile-around", "profile", "around"),
    "NAQ_CONTEXT": ("nats://context-around", "context", "around"),
    "variable": ("nats://variable", "variable", "NAQ_NATS_URL"),
    "--profile": ("nats://profile", "profile", "named"),
    "--context": ("nats://context", "context", "named"),
    "option": ("nats://option", "option", ""),
}


@pytest.mark.parametrize("highest", PLACES)
def test_the_nearest_place_wins_over_all_below_it_and_is_named(here: Path, highest: str) -> None:
    below = PLACES[: PLACES.index(highest) + 1]
    around = {"--profile": "NAQ_PROFILE", "--context": "NAQ_CONTEXT"}

    url, origin = read(here, set(below))

    assert (url, origin.kind, Path(origin.name).name) == SAID[highest]
    for place in below[1:]:  # each alone is above the defaults, and every pair in its order
        if around.get(highest) != place:
            assert read(here, {place, highest})[0] == SAID[highest][0]


def test_a_profile_lies_over_the_rest_of_its_file_key_by_key(here: Path) -> None:
    found = read_settings(Source(here / "naq.toml", profile="named"), {})

    assert (found.config.namespace, found.config.worker.concurrency, found.config.worker.commit_size) == (
        "profile",
        2,
        20,
    )
    assert found.merged.origin("worker.commit_size") == Origin("profile", "named", str(here / "naq.toml"))
    assert found.merged.origin("worker.concurrency") == Origin("file", str(here / "naq.toml"))
    assert found.merged.origin("worker.shutdown_grace") == Origin("default")


def test_a_profile_that_is_not_there_is_an_error_that_names_those_that_are(here: Path) -> None:
    with pytest.raises(ConfigError, match=r"naq.toml: no profile 'prod' \(there is around, named\)"):
        NAQConfig.load(profile="prod", environ={})


def test_a_profile_without_a_file_is_an_error(here: Path) -> None:
    (here / "naq.toml").unlink()
    with pytest.raises(ConfigError, match=r"profile 'prod': there is no config file .* --config"):
        NAQConfig.load(profile="prod", environ={"XDG_CONFIG_HOME": str(here)})


def test_of_who_one_is_to_a_server_nothing_stays_beside_a_context(here: Path) -> None:
    (here / "naq.toml").write_text('[nats]\nuser = "ada"\npassword = "x"\ninbox_prefix = "_ada"\nrequest_timeout = 9.0')
    context(here, "named", url="nats://there", token="t")
    environ = {"XDG_CONFIG_HOME": str(here), "NAQ_NATS_CREDS": "/elsewhere.creds"}

    nats = NAQConfig.load(context="named", environ=environ).nats

    assert (nats.url, nats.token) == ("nats://there", "t")
    assert (nats.user, nats.password, nats.creds, nats.inbox_prefix) == (None, None, None, "_INBOX")
    assert nats.request_timeout == 9.0


def test_a_variable_stands_above_a_context_that_a_variable_names(here: Path) -> None:
    environ = {"XDG_CONFIG_HOME": str(here), "NAQ_CONTEXT": "around", "NAQ_NATS_TOKEN": "t"}

    nats = NAQConfig.load(environ=environ).nats

    assert (nats.url, nats.token) == ("nats://context-around", "t")


def test_what_an_option_names_takes_the_place_of_what_a_variable_names(here: Path) -> None:
    (here / "naq.toml").write_text("[profiles.around.worker]\nconcurrency = 9\n[profiles.named]\n")
    environ = {"XDG_CONFIG_HOME": str(here), "NAQ_PROFILE": "around", "NAQ_CONTEXT": "gone"}

    config = NAQConfig.load(context="named", profile="named", environ=environ)

    assert config.worker.concurrency == NAQConfig().worker.concurrency
    assert config.nats.url == "nats://context"


def test_a_mistake_is_told_with_the_profile_in_which_it_is(here: Path) -> None:
    (here / "naq.toml").write_text("[profiles.prod.worker]\nconcurrency = 0\n")

    with pytest.raises(ConfigError, match=r"naq.toml \[profiles.prod\]: setting worker.concurrency: expected"):
        NAQConfig.load(profile="prod", environ={})


def test_a_mistake_is_told_with_the_context_in_which_it_is(here: Path) -> None:
    file = context(here, "odd", url=" ")

    with pytest.raises(ConfigError) as error:
        NAQConfig.load(context="odd", environ={"XDG_CONFIG_HOME": str(here)})
    assert str(error.value).startswith(f"context odd ({file}): setting nats.url: ")


def test_all_mistakes_are_found_and_what_is_right_stays(here: Path) -> None:
    (here / "naq.toml").write_text(
        'namespace = "shop"\n[worker]\nconcurrency = 0\nconcurency = 3\ncommit_size = 20\n[nats]\nurl = 5\n'
        '[alerts.one]\nrule = "failed_rate >"\n[alerts.two]\nseverity = "high"\nrule = "worker_lost"\n'
    )

    found = read_settings(environ={"NAQ_EVENTS_ENABLED": "maybe"})

    assert sorted(str(mistake).partition("setting ")[2].partition(":")[0] for mistake in found.mistakes) == [
        "alerts.one.rule",
        "alerts.two.severity",
        "events.enabled",
        "nats.url",
        "worker.concurency",
        "worker.concurrency",
    ]
    assert (found.config.namespace, found.config.worker.commit_size) == ("shop", 20)
    assert found.config.alerts["two"].severity == "warning"


def test_what_belongs_to_naq_top_may_lie_in_a_profile_too(here: Path) -> None:
    (here / "naq.toml").write_text('[top]\ntheme = "day"\nmouse = false\n[profiles.prod.top]\ntheme = "night"\n')

    top = read_section("top", TopSettings, section_layers(Source(profile="prod"), {}))

    assert (top.theme, top.mouse) == ("night", False)
