"""``naq alerts``, and the alerts of real processes."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from naq_runtime import NAQConfig, Queue, ServiceManager
from naq_runtime.services.alerts import AlertService
from tests.support import sample_tasks as tasks
from tests.support.processes import naq, started
from tests.support.receiver import receiving
from tests.support.waiting import eventually

RULES = """
[scheduler]
lease = 1
alerts_interval = 0.2

[alerts.depth]
rule = "queue_depth{queue=mail} > 0 for 500ms clear for 0s"
severity = "critical"
webhook = "chat"

[alerts.failing]
rule = "failed_rate > 5%"

[webhooks.chat]
url = "URL"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Has a config with two rules; commands are run in it."""
    (tmp_path / "naq.toml").write_text(RULES.replace("URL", "http://127.0.0.1:9/hook"), encoding="utf-8")
    return tmp_path


async def listed(config: NAQConfig, folder: Path) -> dict[str, Any]:
    finished = await naq("alerts", "list", "--format", "json", config=config, cwd=folder)
    assert finished.code == 0, finished.err
    return {record["name"]: record for record in json.loads(finished.out)}


async def test_a_scheduler_says_how_many_rules_it_watches_and_the_next_one_takes_over(
    config: NAQConfig, folder: Path
) -> None:
    with receiving() as receiver:
        (folder / "naq.toml").write_text(RULES.replace("URL", receiver.url), encoding="utf-8")
        async with Queue("mail", config=config) as queue, ServiceManager(config) as services:
            await queue.enqueue(tasks.add, 1)
            alerts = await services.get_service(AlertService)

            async def by() -> set[str]:
                return {record.by for record in await alerts.alerts() if record.firing}

            run = ("naq_tui.cli.main", "run-scheduler", "--instance-id")
            async with started(*run, "first", config=config, cwd=folder) as first:
                await eventually(by)
                first.send_signal(signal.SIGKILL)
                await first.wait()
                assert first.stderr is not None
                assert b"scheduler first, watches 2 alert rules when it leads" in await first.stderr.read()
            async with started(*run, "second", config=config, cwd=folder):

                async def taken_over() -> bool:
                    return await by() == {"second"}

                await eventually(taken_over, within=15)
                await eventually(lambda: receiver.requests)

                table = await naq("alerts", "list", config=config, cwd=folder)
                found = await listed(config, folder)
                acknowledged = await naq("alerts", "ack", "depth", "queue=mail", "--by", "ada", config=config)
                again = await naq("alerts", "ack", "depth", "--by", "ada", "--format", "json", config=config)
                silenced = await naq("alerts", "silence", "depth", "--for", "1h", "--by", "ada", config=config)
                after = await listed(config, folder)
                raw = await naq("alerts", "list", "--firing", "--format", "raw", config=config, cwd=folder)

    assert "▲ firing" in table.out
    assert "? no data" in table.out
    (alert,) = found["depth"]["alerts"]
    assert (alert["labels"], alert["state"], alert["value"]) == ({"queue": "mail"}, "firing", 1)
    assert (found["depth"]["state"], found["failing"]["state"]) == ("firing", "no data")
    assert found["depth"]["watched"] is True
    assert (acknowledged.out, silenced.code) == ("acknowledged: depth queue=mail\n", 0)
    assert json.loads(again.out) == [{"name": "depth", "labels": {"queue": "mail"}}]
    assert after["depth"]["alerts"][0]["acknowledged_by"] == "ada"
    assert after["depth"]["silenced_until"] is not None
    assert raw.code == 5
    assert raw.out.startswith("depth firing severity=critical since=")
    assert {request.json["event"]["event_type"] for request in receiver.requests} == {"alert_firing"}


async def test_rules_that_nobody_watches_are_listed_as_such(config: NAQConfig, folder: Path) -> None:
    finished = await naq("alerts", "list", config=config, cwd=folder)

    assert finished.out.count("- unwatched") == 2
    assert "run-scheduler" in finished.err


async def test_rules_are_checked_without_a_server(folder: Path) -> None:
    good = await naq("alerts", "check", "--server", "nats://127.0.0.1:9", cwd=folder)
    (folder / "naq.toml").write_text(
        '[alerts.one]\nrule = "queue_age > 1"\n[alerts.two]\nrule = "worker_lots"\n[alerts.three]\nrule = "worker_lost"'
    )
    bad = await naq("alerts", "check", cwd=folder)

    assert good.code == 0
    assert "queue_depth > 0 for 0.5 s" in good.out
    assert "failed_rate > 5 % in 300 s" in good.out
    assert bad.code == 2
    assert "setting alerts.one.rule: column 13: expected a duration such as 30s" in bad.err
    assert "setting alerts.two.rule: column 1: expected a metric" in bad.err


async def test_a_variable_that_a_webhook_needs_is_missed_when_rules_are_checked(folder: Path) -> None:
    (folder / "naq.toml").write_text('[alerts.one]\nrule = "worker_lost"\nwebhook = "${NO_SUCH_HOOK}"')

    finished = await naq("alerts", "check", cwd=folder)

    assert finished.code == 2
    assert "setting alerts.one.webhook.url: the environment variable NO_SUCH_HOOK is not set" in finished.err


async def test_a_rule_is_tried_on_what_is_there(config: NAQConfig) -> None:
    async with Queue("mail", config=config) as queue:
        await queue.enqueue(tasks.add, 1)
        table = await naq("alerts", "test", "queue_depth > 0 for 2m", config=config)
        document = await naq("alerts", "test", "queue_depth > 1", "--format", "json", config=config)
        raw = await naq("alerts", "test", "failed_rate{queue=mail} > 1%", "--format", "raw", config=config)
        wrong = await naq("alerts", "test", "queue_depth ! 0", config=config)

    assert "▲ true" in table.out
    assert json.loads(document.out) == [{"labels": {"queue": "mail"}, "value": 1, "holds": False}]
    assert raw.out == "no_data queue=mail -\n"
    assert wrong.code == 2
    assert "the rule, column 13: expected a comparison" in wrong.err


async def test_what_is_not_there_cannot_be_silenced_or_acknowledged(config: NAQConfig) -> None:
    silenced = await naq("alerts", "silence", "nothing", "--for", "1h", config=config)
    acknowledged = await naq("alerts", "ack", "nothing", config=config)
    malformed = await naq("alerts", "ack", "nothing", "mail", config=config)

    assert (silenced.code, acknowledged.code, malformed.code) == (4, 4, 2)
    assert "no scheduler watches a rule named nothing" in silenced.err
