"""The tables ``[alerts.NAME]`` of the config: read, checked, and put to use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from naq_runtime.alerts.rules import Rule, parse_rule
from naq_runtime.alerts.wording import names_for, unknown_names
from naq_runtime.config import AlertConfig, NAQConfig
from naq_runtime.config_mistakes import SettingMistake, SettingMistakes
from naq_runtime.errors import InvalidRule
from naq_runtime.processors.settings import WebhookConfig

__all__ = ["WatchedRule", "check_alerts", "rules_of", "webhook_of"]


class WatchedRule(NamedTuple):
    """A rule of the config."""

    name: str
    rule: Rule
    config: AlertConfig


def rules_of(config: NAQConfig) -> tuple[WatchedRule, ...]:
    """The rules, by name."""
    return tuple(WatchedRule(name, parse_rule(one.rule), one) for name, one in sorted(config.alerts.items()))


def check_alerts(alerts: Mapping[str, AlertConfig], webhooks: Mapping[str, WebhookConfig]) -> None:
    """Make sure that each rule can be read, and that its webhook is known.

    Raises:
        ConfigError: naming each key with a mistake, and for a rule the column.
    """
    mistakes = [mistake for name, alert in alerts.items() for mistake in _mistakes(name, alert, webhooks)]
    if mistakes:
        raise SettingMistakes(mistakes)


def _mistakes(name: str, alert: AlertConfig, webhooks: Mapping[str, WebhookConfig]) -> Iterator[SettingMistake]:
    try:
        rule = parse_rule(alert.rule)
    except InvalidRule as error:
        yield _mistake(f"alerts.{name}.rule", str(error))
    else:
        known = ", ".join(f"{{{one}}}" for one in names_for(rule))
        for unknown in unknown_names(alert.message, rule):
            yield _mistake(f"alerts.{name}.message", f"expected one of {known}, got {{{unknown}}}")
    if alert.webhook is not None and not is_address(alert.webhook) and alert.webhook not in webhooks:
        tables = f"one of {', '.join(sorted(webhooks))}" if webhooks else "a table [webhooks.NAME]"
        yield _mistake(f"alerts.{name}.webhook", f"expected {tables}, or an address such as https://…")


def _mistake(key: str, problem: str) -> SettingMistake:
    return SettingMistake(key, f"setting {key}: {problem}")


def webhook_of(watched: WatchedRule, webhooks: Mapping[str, WebhookConfig]) -> tuple[str, WebhookConfig] | None:
    """Where a rule's webhook is set, and to what; ``None`` when it has none."""
    named = watched.config.webhook
    if named is None:
        return None
    if is_address(named):
        return f"alerts.{watched.name}.webhook", WebhookConfig(url=named)
    return f"webhooks.{named}", webhooks[named]


def is_address(webhook: str) -> bool:
    """Whether it is an address, and not the name of a table."""
    return "://" in webhook or "${" in webhook
