"""The whole examination: the checks in their order, each as far as the one before lets it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from naq_runtime.clock import SYSTEM_CLOCK, Clock
from naq_runtime.config import NAQConfig, ReadSettings, TracingConfig, redacted_url
from naq_runtime.config_mistakes import SettingMistake, SettingMistakes
from naq_runtime.doctor.asking import ask, ask_permissions
from naq_runtime.doctor.check import Check, State, Unknown, bad, named, ok, skipped, warn
from naq_runtime.doctor.clocks import check_clocks, check_our_clock
from naq_runtime.doctor.facts import Facts
from naq_runtime.doctor.failures import check_alerts, check_dead, check_rules
from naq_runtime.doctor.roles import check_permissions
from naq_runtime.doctor.streams import check_limits, check_streams
from naq_runtime.doctor.work import check_processors, check_queues, check_scheduler, check_workers
from naq_runtime.errors import JetStreamUnavailable, NotAuthorised, ServerError, ServerTooOld
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.inspecting import account_of
from naq_runtime.services.manager import ServiceManager

__all__ = ["can_be_used", "examine", "usable_settings"]

_SERVER = ("server", "version", "jetstream")
"""Without these nothing works."""
_STANDING: Mapping[str, Callable[[Facts], Check]] = {
    "streams": check_streams,
    "limits": check_limits,
    "clock": check_our_clock,
    "clocks": check_clocks,
    "queues": check_queues,
    "workers": check_workers,
    "scheduler": check_scheduler,
    "dead-letters": check_dead,
    "alerts": check_alerts,
    "rules": check_rules,
    "processors": check_processors,
}
"""What is judged by what stands, in the order in which it is told."""
_NOTHING = "no process of naq can work"


def can_be_used(checks: Sequence[Check]) -> bool:
    """Whether there is a server that naq can work with."""
    return not any(check.name in _SERVER and check.state is State.BAD for check in checks)


def usable_settings(found: ReadSettings) -> tuple[NAQConfig, list[str]]:
    """The settings without those that are wrong, and what was wrong with these.

    Raises:
        ConfigError: something is wrong with those that say where the server is: another one would be examined.
    """
    for mistake in found.mistakes:
        key = mistake.key if isinstance(mistake, SettingMistake) else ""
        if not isinstance(mistake, SettingMistakes) and key.partition(".")[0] in ("", "nats", "namespace"):
            found.right()
    return found.config, [str(mistake) for mistake in found.mistakes]


async def examine(
    config: NAQConfig,
    mistakes: Sequence[str] = (),
    *,
    role: str = "monitor",
    environ: Mapping[str, str],
    clock: Clock = SYSTEM_CLOCK,
) -> list[Check]:
    """Look at everything.

    Args:
        config: the settings that are right. mistakes: what was wrong with others. role: whose permissions must be
        there. environ: where variables are that the settings name. clock: ours.

    Raises:
        ConfigError: what the settings name for the connection cannot be read.
    """
    config = msgspec.structs.replace(config, tracing=TracingConfig())
    checks = [check_settings(mistakes), *await _check_server(config)]
    if any(check.name == "jetstream" for check in checks):
        checks.append(await _check_permissions(config, role))
    if can_be_used(checks):
        async with ServiceManager(config, role="monitor", clock=clock) as services:
            facts = await ask(services, environ)
        checks += [check(facts) for check in _STANDING.values()]
    done = {check.name for check in checks}
    left = [name for name in (*_SERVER, "permissions", *_STANDING) if name not in done]
    lacking = next((check.name for check in checks if check.name in _SERVER and check.state is State.BAD), "")
    return [*checks, *(skipped(name, f"see {lacking}") for name in left)]


async def _check_server(config: NAQConfig) -> list[Check]:
    """Whether it is there, new enough, and has JetStream for us; up to what it lacks."""
    try:
        connection = await Connection.open(config.nats, name="naq doctor", checked=False)
    except ServerError as error:
        return [_not_reached(error)]
    async with connection:
        where = redacted_url(config.nats.url)
        reached = ok("server", f"{connection.server_name or 'a server'} at {where}, {await connection.rtt_ms():.1f} ms")
        try:
            connection.check_version()
        except ServerTooOld as error:
            return [reached, bad("version", str(error), meaning=_NOTHING, remedy="upgrade the server")]
        return [reached, _check_version(connection), await _check_jetstream(connection)]


def _not_reached(error: ServerError) -> Check:
    if isinstance(error, NotAuthorised):
        remedy = "use other credentials: 'naq config show nats' says which are used, and where they come from"
    else:
        remedy = (
            "start the server, or name another with --server, --context or nats.url: "
            "'naq config show nats' says where the address comes from"
        )
    return bad("server", str(error), meaning=_NOTHING, remedy=remedy)


def _check_version(connection: Connection) -> Check:
    version = f"nats-server {connection.server_version}"
    if connection.has_fast_ingest:
        return ok("version", version)
    return warn(
        "version",
        f"{version} is old",
        meaning="it lacks batched publishing, so outcomes and events cost more",
        remedy="upgrade the server to 2.14 or newer",
    )


async def _check_jetstream(connection: Connection) -> Check:
    try:
        account = account_of(await connection.check_jetstream())
    except JetStreamUnavailable as error:
        remedy = "start the server with -js, or give the account JetStream in its configuration (jetstream: enabled)"
        return bad("jetstream", str(error), meaning=_NOTHING, remedy=remedy)
    except ServerError as error:
        return bad("jetstream", str(error), meaning=_NOTHING, remedy="give the user the permissions of its role")
    return ok("jetstream", f"there, domain {account.domain}" if account.domain else "there")


async def _check_permissions(config: NAQConfig, role: str) -> Check:
    tried = await ask_permissions(config)
    if isinstance(tried, Unknown):
        return skipped("permissions", tried.why)
    return check_permissions(tried, config, role)


def check_settings(mistakes: Sequence[str]) -> Check:
    """Whether all of them are right; those that say where the server is are, or there would be no examination."""
    if not mistakes:
        return ok("settings", "no mistake")
    return bad(
        "settings",
        f"{named(len(mistakes), 'mistake')}",
        meaning="no process starts with these settings; here they are left out",
        remedy="mend the file or the variable; 'naq config check' tells all that is wrong",
        details=mistakes,
    )
