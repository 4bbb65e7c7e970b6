"""The message of a rule: text of the config in which labels and figures are put."""

from __future__ import annotations

import re
from collections.abc import Mapping

from naq_runtime.alerts.record import Alert, AlertRecord
from naq_runtime.alerts.rules import Rule, parse_rule
from naq_runtime.errors import ConfigError
from naq_runtime.events.messages import value_text

__all__ = ["fill", "message_of", "names_for", "unknown_names"]

_NAME = re.compile(r"\{(\w+)\}")


def names_for(rule: Rule) -> tuple[str, ...]:
    """What can be put into the message of a rule."""
    return ("value", "threshold", *rule.by)


def unknown_names(text: str, rule: Rule) -> list[str]:
    """What a message names in braces that is not there to be put in."""
    known = names_for(rule)
    return [name for name in dict.fromkeys(_NAME.findall(text)) if name not in known]


def fill(
    text: str, labels: Mapping[str, str] | None, unit: str | None, value: float | None, threshold: float | None
) -> str:
    """The message for one alert."""
    known: dict[str, str] = dict(labels or {})
    for name, figure in (("value", value), ("threshold", threshold)):
        known[name] = "no data" if figure is None else value_text(unit or "", figure)
    return _NAME.sub(lambda found: known.get(found[1], found[0]), text)


def message_of(record: AlertRecord, alert: Alert | None) -> str:
    """What the config has to say of an alert of a rule, or of the rule while there is none."""
    try:
        rule = parse_rule(record.rule)
    except ConfigError:  # of a version with other metrics
        return record.text
    if alert is None:
        return record.text
    return fill(record.text, alert.labels, rule.metric.unit, alert.value, rule.breach.threshold)
