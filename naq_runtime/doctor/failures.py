"""What has failed for good, and whether somebody is told of what goes wrong."""

from __future__ import annotations

from collections.abc import Iterator

from naq_runtime.alerts.record import Alert, AlertRecord
from naq_runtime.alerts.rules import labels_text, parse_rule
from naq_runtime.alerts.settings import rules_of, webhook_of
from naq_runtime.doctor.check import Check, Unknown, bad, named, ok, skipped, warn
from naq_runtime.doctor.facts import Facts
from naq_runtime.errors import ConfigError, InvalidRule
from naq_runtime.processors.settings import with_environment

__all__ = ["check_alerts", "check_dead", "check_rules"]


def check_dead(facts: Facts) -> Check:
    """Whether dead letters become more."""
    dead = facts.dead
    if isinstance(dead, Unknown):
        return skipped("dead-letters", dead.why)
    if dead.lately:
        return warn(
            "dead-letters",
            f"{dead.lately:,} more in the last hour, {dead.standing:,} in all",
            meaning="jobs fail for good, after all their attempts",
            remedy="'naq dead list' shows which, and why; mend what fails, then 'naq dead retry'",
        )
    return ok("dead-letters", f"{dead.standing:,}, none of the last hour" if dead.standing else "none")


def check_alerts(facts: Facts) -> Check:
    """Whether any fires."""
    records = facts.alerts
    if isinstance(records, Unknown):
        return skipped("alerts", records.why)
    firing = [(record, alert) for record in records for alert in record.firing]
    if not firing:
        return ok("alerts", f"{named(len(records), 'rule')} watched, none fires" if records else "no rule is watched")
    is_bad = any(record.severity == "critical" and not alert.acknowledged_by for record, alert in firing)
    return (bad if is_bad else warn)(
        "alerts",
        f"{named(len(firing), 'alert')} firing",
        meaning="what these rules watch is not as it should be",
        remedy="'naq alerts list' has the figures; 'naq alerts ack NAME' says that somebody cares",
        details=[_alert(record, alert) for record, alert in firing],
    )


def _alert(record: AlertRecord, alert: Alert) -> str:
    labels = labels_text(alert.labels)
    by = f", acknowledged by {alert.acknowledged_by}" if alert.acknowledged_by else ""
    return f"{record.name} ({record.severity}): {record.rule} {labels}".rstrip() + by


def check_rules(facts: Facts) -> Check:
    """Whether the rules of the config can be, and are evaluated by somebody."""
    records = facts.alerts
    if isinstance(records, Unknown):
        return skipped("rules", records.why)
    impossible = [*_impossible(facts), *_unreadable(records)]
    if impossible:
        return bad(
            "rules",
            f"{named(len(impossible), 'rule')} cannot be",
            meaning="no alert comes of it, or nobody is told",
            remedy="mend the table [alerts.NAME] of the config, or set the variable where the scheduler runs; "
            "'naq alerts check' checks them",
            details=impossible,
        )
    watched = {record.name for record in records if record.is_watched(facts.now_ns)}
    unwatched = sorted({*facts.config.alerts, *(record.name for record in records)} - watched)
    if unwatched:
        return warn(
            "rules",
            f"{named(len(unwatched), 'rule')} not watched",
            meaning="no alert comes of it: no scheduler that has it in its config leads",
            remedy="start one with this config: naq run-scheduler",
            details=unwatched,
        )
    return ok("rules", f"{named(len(watched), 'rule')} watched" if watched else "there is none")


def _impossible(facts: Facts) -> Iterator[str]:
    """Rules of the config whose webhooks name variables that are not set here."""
    for watched in rules_of(facts.config):
        found = webhook_of(watched, facts.config.webhooks)
        if found is None:
            continue
        key, webhook = found
        for text in (webhook.url, webhook.secret or "", *webhook.headers.values()):
            try:
                with_environment(text, facts.environ, key)
            except ConfigError as error:
                yield f"{watched.name}: {error}"


def _unreadable(records: tuple[AlertRecord, ...]) -> Iterator[str]:
    for record in records:
        try:
            parse_rule(record.rule)
        except InvalidRule as error:
            yield f"{record.name}: {error}"
