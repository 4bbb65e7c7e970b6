"""``naq alerts``: the rules of alerts, and how they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from naq_tui.cli import completing
from naq_tui.cli.context import EXIT_CONDITION, EXIT_USAGE, command, fail
from naq_tui.cli.format import Format, a_span
from naq_tui.cli.watching import Watch, WatchedCommand, watched

if TYPE_CHECKING:
    from naq_runtime.alerts.record import AlertRecord
    from naq_runtime.config import NAQConfig

__all__ = ["app"]

app = typer.Typer(help="See which alerts fire; check and try rules.", no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[
    str, typer.Argument(metavar="NAME", autocompletion=completing.alerts, help="The rule, by its name in the config.")
]
FormatOption = Annotated[Format, typer.Option("--format", "-f", help="How to print.")]
By = Annotated[str | None, typer.Option("--by", help="Who does so; you when left out.")]


async def list_(
    *,
    firing: Annotated[bool, typer.Option("--firing", help="Only what fires; exit code 5 when something does.")] = False,
    watch: Watch = None,
    format: FormatOption = Format.TABLE,
    config: NAQConfig,
) -> None:
    """Print the rules: which of their alerts are pending or fire, since when, and with which value.

    With --firing and --watch it ends when something fires.

    Example: naq alerts list --firing --format json
    """
    from naq_runtime.services.alerts import AlertService
    from naq_runtime.services.manager import ServiceManager
    from naq_tui.cli.alerts_page import print_alerts, with_unwatched

    async with ServiceManager(config, role="monitor") as services:
        alerts = await services.get_service(AlertService)

        def show(found: tuple[AlertRecord, ...]) -> None:
            shown = tuple(one for one in found if one.firing) if firing else with_unwatched(found, config)
            print_alerts(shown, alerts.now_ns(), format)
            if firing and shown:
                raise typer.Exit(EXIT_CONDITION)

        await watched(services, watch, alerts.alerts, show, format)


def check(*, format: FormatOption = Format.TABLE, config: NAQConfig) -> None:
    """Check the rules of the config, and their webhooks; nothing is asked of the server.

    A mistake ends with exit code 2, and says where it is: the key, and the column in the rule.

    Example: naq alerts check --config naq.toml
    """
    from naq_runtime.alerts.delivery import Deliveries
    from naq_runtime.alerts.settings import rules_of
    from naq_tui.cli.alerts_page import print_rules

    rules = rules_of(config)
    Deliveries(rules, config.webhooks)
    print_rules(rules, format)


async def try_(
    rule: Annotated[str, typer.Argument(metavar="RULE", help="As in the config: 'queue_age > 1m'.")],
    *,
    min_samples: Annotated[
        int, typer.Option("--min-samples", min=1, metavar="N", help="Shares and percentiles of fewer jobs say nothing.")
    ] = 20,
    format: FormatOption = Format.TABLE,
    config: NAQConfig,
) -> None:
    """Measure now what a rule watches, and print for each set of labels whether it would be true.

    Example: naq alerts test 'failed_rate{queue=mail} > 5% for 2m'
    """
    from naq_runtime.alerts.rules import parse_rule
    from naq_runtime.errors import InvalidRule
    from naq_runtime.services.alerts import AlertService
    from naq_runtime.services.manager import ServiceManager
    from naq_tui.cli.alerts_page import print_values

    try:
        parsed = parse_rule(rule)
    except InvalidRule as error:
        fail(f"the rule, {error}", EXIT_USAGE)
    async with ServiceManager(config, role="monitor") as services:
        values = await (await services.get_service(AlertService)).values(parsed, min_samples=min_samples)
    print_values(parsed, values, format)


async def silence(
    name: Name,
    *,
    span: Annotated[float, typer.Option("--for", metavar="TIME", parser=a_span, help="Such as 30m or 2h; 0 ends it.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, for the record.")] = "",
    by: By = None,
    config: NAQConfig,
) -> None:
    """Have the webhook of a rule not called for a while. Its alerts are evaluated, logged and shown all the same.

    Example: naq alerts silence mail-failures --for 2h --reason "the relay is moved"
    """
    from naq_runtime.services.alerts import AlertService
    from naq_runtime.services.manager import ServiceManager

    async with ServiceManager(config) as services:
        alerts = await services.get_service(AlertService)
        await alerts.silence(name, span, by=by or _user(), reason=reason)


async def ack(
    name: Name,
    labels: Annotated[
        list[str] | None, typer.Argument(metavar="[LABEL=VALUE]...", help="Only the alerts of these labels.")
    ] = None,
    *,
    by: By = None,
    config: NAQConfig,
) -> None:
    """Say that you care for the alerts of a rule that fire, until they are over; prints how many those are.

    Example: naq alerts ack mail-failures queue=mail
    """
    from naq_runtime.services.alerts import AlertService
    from naq_runtime.services.manager import ServiceManager
    from naq_tui.cli.output import note

    pairs = [label.partition("=") for label in labels or []]
    for label, sign, _ in pairs:
        if not sign:
            fail(f"expected a label and its value, such as queue=mail, got {label!r}", EXIT_USAGE)
    async with ServiceManager(config) as services:
        alerts = await services.get_service(AlertService)
        found = await alerts.acknowledge(name, {label: value for label, _, value in pairs}, by=by or _user())
    for alert in found:
        note(" ".join(("acknowledged:", name, *(f"{label}={value}" for label, value in alert.labels.items()))))
    print(len(found))


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "somebody"


app.command("list", cls=WatchedCommand)(command(list_))
app.command("check")(command(check))
app.command("test")(command(try_))
app.command("silence")(command(silence))
app.command("ack")(command(ack))
