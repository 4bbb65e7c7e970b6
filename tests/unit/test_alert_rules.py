"""The language of alert rules: what it says, and what is said of a mistake."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naq_runtime.alerts.metrics import METRICS, Unit
from naq_runtime.alerts.rules import Condition, parse_rule
from naq_runtime.config import NAQConfig
from naq_runtime.errors import ConfigError, InvalidRule


def test_a_rule_has_metric_window_labels_threshold_and_times() -> None:
    rule = parse_rule("failed_rate[15m]{queue=mail, function!=shop.import.*} > 10% for 2m clear < 2% for 5m")

    assert rule.metric is METRICS["failed_rate"]
    assert rule.window_s == 900
    assert [str(matcher) for matcher in rule.where] == ["queue=mail", "function!=shop.import.*"]
    assert (rule.breach, rule.for_s) == (Condition(">", 0.1), 120)
    assert (rule.clear, rule.clear_for_s) == (Condition("<", 0.02), 300)


def test_what_is_left_out_is_five_minutes_at_once_and_clear_for_a_minute() -> None:
    rule = parse_rule("failed_rate > 5%")

    assert (rule.window_s, rule.for_s) == (300, 0)
    assert (rule.clear, rule.clear_for_s) == (Condition("<=", 0.05), 60)
    assert parse_rule("failed_rate > 5% for 3m").clear_for_s == 180


def test_what_should_not_be_needs_no_threshold() -> None:
    assert parse_rule("worker_lost").breach == Condition(">", 0)


@pytest.mark.parametrize(
    ("text", "by"),
    [
        ("queue_age > 1m", ("queue",)),
        ("failures > 3", ("queue",)),
        ("failures{function=shop.*} > 3", ("queue", "function")),
        ("failures{function!=shop.*} > 3", ("queue",)),
        ("workers < 2", ()),
        ("workers{queue=*} < 2", ("queue",)),
        ("worker_lost", ("worker",)),
        ("events_dropped", ()),
    ],
)
def test_each_set_of_labels_is_an_alert(text: str, by: tuple[str, ...]) -> None:
    assert parse_rule(text).by == by


@pytest.mark.parametrize(
    ("text", "wanted", "unwanted"),
    [
        ("queue_depth{queue=mail} > 1", "mail", "mails"),
        ("queue_depth{queue=mail-?} > 1", "mail-1", "mail-12"),
        ("queue_depth{queue=*, queue!=mail*} > 1", "news", "mailbox"),
        ('queue_depth{queue="mail"} > 1', "mail", "MAIL"),
    ],
)
def test_labels_are_matched_with_wildcards(text: str, wanted: str, unwanted: str) -> None:
    rule = parse_rule(text)

    assert rule.wants({"queue": wanted})
    assert not rule.wants({"queue": unwanted})


@pytest.mark.parametrize(
    ("text", "column", "expected"),
    [
        ("", 1, "expected a metric: failed_rate, failures"),
        ("queue_dept > 3", 1, "expected a metric such as queue_depth, got 'queue_dept'"),
        ("height > 3", 1, "expected a metric: failed_rate, failures"),
        ("queue_depth", 12, "expected a comparison"),
        ("queue_depth >", 14, "expected a number, got the end of the rule"),
        ("queue_depth > 5k", 15, "expected a number, got '5k'"),
        ("queue_depth = 5", 13, "expected a comparison"),
        ("queue_depth > -5", 15, "expected a number"),
        ("queue_depth > 1e400", 15, "expected a number"),
        ("queue_depth[5m] > 2", 12, "takes no window"),
        ("failed_rate > 5", 15, "expected a share such as 5%"),
        ("failed_rate > 101%", 15, "of 100% at most"),
        ("failed_rate[5s] > 5%", 13, "expected a window from 10s to 1h"),
        ("failed_rate[2h] > 5%", 13, "expected a window from 10s to 1h"),
        ("failed_rate[5m > 5%", 16, "expected ']'"),
        ("failed_rate{queue=mail > 5%", 24, "expected ',' or '}'"),
        ("failed_rate{qeue=mail} > 5%", 13, "expected one of its labels: queue, function, got 'qeue=mail}'"),
        ("failed_rate{queue} > 5%", 18, "expected '=' or '!='"),
        ("failed_rate{queue=} > 5%", 19, "expected a value for queue"),
        ("leader_changes{queue=x} > 1", 16, "it has no labels"),
        ("queue_age > 1", 13, "expected a duration such as 30s"),
        ("queue_age > 1y", 13, "expected a duration such as 30s"),
        ("queue_depth > 5 fro 2m", 17, "expected 'for', 'clear' or the end"),
        ("queue_depth > 5 for", 20, "expected a duration"),
        ("queue_depth > 5 for 25h", 21, "a day at most"),
        ("queue_depth > 5 clear", 22, "after 'clear'"),
        ("queue_depth > 5 clear > 3", 23, "expected < or <=, against >"),
        ("queue_depth < 5 clear < 9", 23, "expected > or >=, against <"),
        ("queue_depth > 5 clear < 9", 23, "at which the alert does not fire, too"),
        ("queue_depth >= 5 clear <= 5", 24, "at which the alert does not fire, too"),
        ("queue_depth < 5 clear > 3", 23, "at which the alert does not fire, too"),
        ("queue_depth > 5 for 2m twice", 24, "expected 'for', 'clear' or the end"),
        ("queue_depth > 5" + " " * 500, 501, "500 characters at most"),
    ],
)
def test_a_mistake_is_told_with_its_column_and_what_was_expected(text: str, column: int, expected: str) -> None:
    with pytest.raises(InvalidRule) as error:
        parse_rule(text)

    assert error.value.column == column
    assert str(error.value).startswith(f"column {column}: ")
    assert expected in str(error.value)


@given(st.text(max_size=60) | st.text('failed_rate{queue=*} > 5% for clear <[]!"m s', max_size=60))
def test_whatever_is_written_is_a_rule_or_an_error_with_a_column(text: str) -> None:
    try:
        rule = parse_rule(text)
    except InvalidRule as error:
        column = error.column
    else:
        column = 1
        assert parse_rule(rule.text) == rule

    assert 1 <= column <= len(text) + 1


_VALUES = {
    Unit.SHARE: ("5%", "2.5%"),
    Unit.SECONDS: ("1m30s", "500ms"),
    Unit.COUNT: ("7", "2"),
    Unit.RATE: ("2.5/s", "1"),
}


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
def test_every_metric_takes_its_unit_its_labels_and_a_lower_threshold_to_be_clear(metric: object) -> None:
    assert isinstance(metric, type(METRICS["running"]))
    high, low = _VALUES[metric.unit]
    labels = ", ".join(f"{label}=*" for label in metric.labels)
    window = "[10m]" if metric.windowed else ""

    rule = parse_rule(f"{metric.name}{window}{{{labels}}} >= {high} for 10s clear < {low}")

    assert rule.by == metric.labels
    assert rule.breach.threshold > rule.clear.threshold


# In the config

Load = Callable[[str], NAQConfig]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load(text: str) -> NAQConfig:
        file = tmp_path / "naq.toml"
        file.write_text(text, encoding="utf-8")
        return NAQConfig.load(file, {})

    return load


def test_rules_are_tables_of_the_config(load: Load) -> None:
    config = load(
        '[alerts.late]\nrule = "queue_age > 1m"\nseverity = "critical"\nwebhook = "chat"\n[webhooks.chat]\nurl = "http://h/x"'
    )

    assert config.alerts["late"].rule == "queue_age > 1m"
    assert config.alerts["late"].min_samples == 20
    assert hash(config) == hash(load(""))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[alerts.late]\nrule = "queue_age > 1"', "setting alerts.late.rule: column 13: expected a duration such as"),
        ("[alerts.late]\nmessage = 'x'", "setting alerts.late.rule: it must be given"),
        (
            '[alerts.late]\nrule = "worker_lost"\nseverity = "bad"',
            "setting alerts.late.severity: expected critical, info or warning, got 'bad'",
        ),
        (
            '[alerts.late]\nrule = "worker_lost"\nseveriti = "bad"',
            "setting alerts.late.severiti: not known, did you mean severity?",
        ),
        (
            '[alerts.late]\nrule = "queue_age > 1m"\nmessage = "{queue} is {vlue}"',
            "setting alerts.late.message: expected one of {value}, {threshold}, {queue}, got {vlue}",
        ),
        ('[alerts."late one"]\nrule = "worker_lost"', "setting alerts: alert 'late one' is not a valid name"),
        (
            '[alerts.late]\nrule = "worker_lost"\nwebhook = "chat"',
            "alerts.late.webhook: expected a table [webhooks.NAME]",
        ),
        ('[alerts.late]\nrule = "worker_lost"\nmin_samples = 0', "setting alerts.late.min_samples: expected"),
        ('[webhooks.chat]\nurl = "http://h/x"\ntimeout = -1', "setting webhooks.chat.timeout: expected"),
        ("alerts = 3", "setting alerts: expected"),
    ],
)
def test_a_mistake_in_the_config_names_its_key(load: Load, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(text)

    assert said in str(error.value)


def test_the_address_of_a_webhook_is_in_no_error_and_in_no_representation(load: Load) -> None:
    secret = "https://chat.example/T0P/SECRET"
    config = load(f'[alerts.late]\nrule = "worker_lost"\nwebhook = "{secret}"\n[webhooks.chat]\nurl = "{secret}"')
    with pytest.raises(ConfigError) as error:
        load('[webhooks.chat]\nurl = ["https://chat.example/T0P/SECRET"]')

    assert "SECRET" not in repr(config)
    assert "SECRET" not in str(error.value)
