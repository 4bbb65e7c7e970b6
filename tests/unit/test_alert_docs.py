"""What ``docs/alerts.md`` says of rules and metrics is so."""

from __future__ import annotations

import re
import tomllib

import pytest

from naq_runtime.alerts.metrics import METRICS, Unit
from naq_runtime.alerts.rules import parse_rule
from naq_runtime.config import NAQConfig
from tests.support.processes import ROOT

PAGE = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
RULES = re.findall(r"^```rules\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[0].splitlines()
UNITS = {Unit.SHARE: "share", Unit.COUNT: "count", Unit.RATE: "a second", Unit.SECONDS: "time"}


@pytest.mark.parametrize("text", RULES)
def test_a_rule_of_the_page_can_be_read(text: str) -> None:
    assert parse_rule(text).text == text


def test_the_page_has_a_rule_of_every_metric() -> None:
    assert {parse_rule(text).metric.name for text in RULES} == set(METRICS)


@pytest.mark.parametrize("block", re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
def test_the_config_of_the_page_can_be_read(block: str) -> None:
    config = NAQConfig.load(arguments=tomllib.loads(block), environ={})

    assert set(config.alerts) == set(tomllib.loads(block)["alerts"])


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
def test_every_metric_is_described_with_its_unit_and_its_labels(metric: object) -> None:
    assert isinstance(metric, type(METRICS["running"]))
    (row,) = re.findall(rf"^\| `{metric.name}` \| (.*) \|$", PAGE, re.MULTILINE)
    unit, by, about, _ = row.split(" | ")
    each, _, named = by.partition("; may name ")

    assert unit == UNITS[metric.unit]
    assert each.partition(":")[0] == (", ".join(metric.by) or "nothing")
    assert named == ", ".join(metric.labels)
    assert about.startswith(metric.about)
