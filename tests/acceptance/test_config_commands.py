"""``naq config``: what is set and where, without any secret, and all that is wrong at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from naq_runtime.config import NAQConfig
from tests.support.in_process import called
from tests.support.processes import naq, naq_top
from tests.unit.test_config_layers import context

FILE = """
namespace = "shop"
[nats]
url = "nats://ada:hunter2@there:4222"
token = "hunter2"
[processors.hook]
kind = "webhook"
url = "https://there/hunter2"
headers = { Authorization = "hunter2" }
[webhooks.ops]
url = "https://there/hunter2"
secret = "hunter2"
[alerts.lost]
rule = "worker_lost"
webhook = "https://there/hunter2"
[top]
theme = "day"
[profiles.prod.worker]
concurrency = 20
"""


@pytest.mark.parametrize(
    "line",
    [
        "--namespace there --timeout=3s --debug config show",
        "config --namespace=there --timeout 3 show",
        "config --namespace elsewhere show --timeout 3000ms --namespace there",
    ],
)
async def test_shared_options_may_stand_anywhere(line: str, tmp_path: Path) -> None:
    finished = await called(*line.split(), "--format", "json", cwd=tmp_path)

    found = {one["key"]: one["value"] for one in json.loads(finished.out)}
    assert (found["namespace"], found["nats.request_timeout"]) == ("there", 3)


@pytest.mark.parametrize("line", ["--namespace there", "--namespace there lst", "--server"])
async def test_shared_options_without_a_command_are_a_usage_mistake(line: str, tmp_path: Path) -> None:
    assert (await called(*line.split(), cwd=tmp_path)).code == 2


async def test_all_settings_are_shown_with_where_each_comes_from_and_no_secret(
    config: NAQConfig, tmp_path: Path
) -> None:
    (tmp_path / "naq.toml").write_text(FILE)
    options = ("--profile", "prod", "--timeout", "3")

    shown = await naq("config", "show", *options, "--format", "json", config=config, cwd=tmp_path)
    table = await naq("config", "show", *options, config=config, cwd=tmp_path)
    raw = await naq("config", "show", "nats", *options, "--format", "raw", config=config, cwd=tmp_path)

    assert (shown.code, table.code, raw.code) == (0, 0, 0)
    found = {one["key"]: one for one in json.loads(shown.out)}
    assert [found[key]["from"] for key in ("nats.url", "worker.concurrency", "nats.connect_timeout", "top.theme")] == [
        "variable",
        "profile",
        "option",
        "file",
    ]
    assert found["worker.concurrency"] == {
        "key": "worker.concurrency",
        "value": 20,
        "from": "profile",
        "name": "prod",
        "file": "naq.toml",
    }
    assert found["nats.request_timeout"]["name"] == "--timeout"
    assert found["events.batch_size"]["from"] == "default"
    assert found["webhooks.ops.secret"]["value"] == found["processors.hook.headers"]["value"] == "(hidden)"
    assert "hunter2" not in shown.out + table.out + raw.out
    assert "nats.url option" not in raw.out
    assert f"nats.url variable {config.nats.url}" in raw.out.splitlines()


async def test_what_a_context_says_is_shown_as_its_own_and_used_by_the_monitor_and_by_workers(
    config: NAQConfig, tmp_path: Path
) -> None:
    """Above the variables: somebody has named it last."""
    home = tmp_path / "home"
    context(home, "here", url=config.nats.url, password="hunter2", user="ada")
    environ = {"XDG_CONFIG_HOME": str(home), "NAQ_NATS_URL": "nats://127.0.0.1:1", "NAQ_NAMESPACE": config.namespace}

    shown = await naq("config", "show", "nats", "--context", "here", extra=environ)
    once = await naq_top("--once", "--format", "json", "--context", "here", extra=environ)
    worker = await naq(
        *("run-worker", "-m", "tests.support.sample_tasks", "--burst", "--processes", "1", "--context", "here"),
        extra=environ,
    )
    away = await naq("queue", "list", extra=environ)

    assert f"context here, {home}" in shown.out
    assert "hunter2" not in shown.out
    assert once.code == 0, once.err
    assert json.loads(once.out)["server"]["url"] == config.nats.url
    assert worker.code == 0, worker.err
    assert away.code == 3


async def test_all_mistakes_are_told_at_once_and_end_with_2(tmp_path: Path) -> None:
    (tmp_path / "naq.toml").write_text(
        '[worker]\nconcurrency = "hunter"\nconcurency = 3\n[nats]\npassword = 5\n'
        '[top]\nfilter = "type:"\ntheme = "red"\n'
        '[alerts.a]\nrule = "failed_rate >"\n[processors.p]\nkind = "logfile"\npath = "x"\nfilter = "type:("\n'
        "[profiles.prod.worker]\ncommit_size = 0\n[profiles.prod.top]\nrefresh = 9\n"
    )

    checked = await naq("config", "check", cwd=tmp_path)
    documents = await naq("config", "check", str(tmp_path / "naq.toml"), "--format", "json")
    used = await naq("queue", "list", cwd=tmp_path)

    assert (checked.code, documents.code, used.code) == (2, 2, 2)
    lines = checked.out.splitlines()
    assert "naq.toml: setting worker.concurrency: expected a whole number, got 'hunter'" in lines
    assert "naq.toml: setting worker.concurency: not known, did you mean concurrency?" in lines
    assert "naq.toml: setting nats.password: expected a text, got (hidden)" in lines
    assert "naq.toml [profiles.prod]: setting worker.commit_size: expected a whole number >= 1, got 0" in lines
    keys = sorted(one["key"] for one in json.loads(documents.out))
    assert keys == [
        "alerts.a.rule",
        "nats.password",
        "processors.p.filter",
        "top.filter",
        "top.refresh",
        "top.theme",
        "worker.commit_size",
        "worker.concurency",
        "worker.concurrency",
    ]


async def test_settings_without_a_mistake_are_said_to_have_none(tmp_path: Path) -> None:
    (tmp_path / "naq.toml").write_text(FILE)

    checked = await naq("config", "check", "naq.toml", cwd=tmp_path)

    assert (checked.code, checked.out, checked.err) == (0, "", "naq: no mistake in naq.toml\n")


async def test_a_setting_that_there_is_not_is_not_found(tmp_path: Path) -> None:
    shown = await naq("config", "show", "wroker", cwd=tmp_path)
    assert shown.code == 4
    assert "there is no setting 'wroker'" in shown.err
