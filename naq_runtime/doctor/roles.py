"""What each role needs permission for, as SECURITY.md lists it, and whether the server gives it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from naq_runtime.config import NAQConfig
from naq_runtime.doctor.check import Check, bad, ok
from naq_runtime.naming import matches
from naq_runtime.nats.probing import Refused

__all__ = ["ROLES", "Role", "Tried", "check_permissions", "tried_for"]

_NAME = "permissions"
_READ = ("$JS.API.INFO", "$JS.API.STREAM.INFO.*")
_EXAMPLES = {"*": "naq-doctor", ">": "naq-doctor.naq-doctor"}
"""Stand for what is open in a subject that is tried: those of jobs have two more names behind the first."""


class Role(NamedTuple):
    """Subjects; ``<ns>`` is the namespace, and ``<NS>`` the same in capitals."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...] = ()
    """But for the inbox."""


ROLES: Mapping[str, Role] = {
    "monitor": Role(
        (
            *_READ,
            *(f"$JS.API.CONSUMER.LIST.<NS>_{stream}" for stream in ("JOBS", "EVENTS", "PROCESSORS")),
            "$JS.API.DIRECT.GET.*",
        ),
        ("<ns>.live.>",),
    ),
    "producer": Role(
        (
            *(f"<ns>.{what}.>" for what in ("jobs", "later", "waiting", "needs")),
            "<ns>.awaited.*",
            *("<ns>.met.>", "<ns>.events.>", *_READ, "$JS.API.CONSUMER.INFO.<NS>_JOBS.*"),
            *(f"$JS.API.DIRECT.GET.{stream}" for stream in ("<NS>_JOBS", "<NS>_RESULTS", "OBJ_<NS>_RESULTS")),
            "$JS.API.STREAM.MSG.DELETE.<NS>_JOBS",
        ),
        ("<ns>.done.*",),
    ),
    "worker": Role(
        (
            *(f"<ns>.{what}" for what in ("jobs.>", "later.>", "met.>", "handed.*", "dead.>", "events.>", "results.*")),
            *("<ns>.done.*", "<ns>.control.jobs"),
            *("$KV.<NS>_WORKERS.>", "$KV.<NS>_WORKERS.*", "$KV.<NS>_RATES.>", "$O.<NS>_RESULTS.>"),
            *("$JS.ACK.<NS>_JOBS.>", *_READ, "$JS.API.CONSUMER.INFO.<NS>_JOBS.*"),
            *("$JS.API.CONSUMER.MSG.NEXT.<NS>_JOBS.*", "$JS.API.STREAM.MSG.DELETE.<NS>_JOBS"),
            *(f"$JS.API.DIRECT.GET.<NS>_{stream}" for stream in ("JOBS", "RESULTS", "EVENTS")),
            *(f"$JS.API.DIRECT.GET.{stream}" for stream in ("KV_<NS>_WORKERS", "OBJ_<NS>_RESULTS", "KV_<NS>_RATES")),
        ),
        ("<ns>.awaited.*", "<ns>.control.>"),
    ),
    "scheduler": Role(
        (
            *("<ns>.schedules.*", "<ns>.jobs.*.*", "<ns>.later.*.*", "<ns>.met.*.*", "<ns>.results.*", "<ns>.done.*"),
            *("<ns>.events.schedule.>", "<ns>.events.system.>", "<ns>.events.worker.*.lost.*"),
            *(
                f"<ns>.events.job.*.*.{kind}.*"
                for kind in (
                    *("enqueued", "scheduled", "cancelled", "result_stored", "dependency_satisfied"),
                    *("dependency_failed", "started", "completed", "failed", "timed_out", "dead_lettered"),
                )
            ),
            *("<ns>.control.schedules", "<ns>.control.jobs", "$KV.<NS>_LEADER.scheduler", *_READ),
            *("$JS.API.CONSUMER.INFO.<NS>_JOBS.*", "$JS.API.STREAM.MSG.DELETE.<NS>_JOBS", "<ns>.stats.>"),
            *(f"$JS.API.DIRECT.GET.<NS>_{stream}" for stream in ("JOBS", "RESULTS", "EVENTS", "STATS")),
            *(f"$JS.API.DIRECT.GET.KV_<NS>_{bucket}" for bucket in ("LEADER", "WORKERS", "ALERTS")),
            "$JS.API.STREAM.PURGE.<NS>_EVENTS",
        ),
        ("<ns>.control.schedules",),
    ),
    "processor": Role(
        (
            *("<ns>.processors.*.dead.*", "<ns>.events.system.>", *_READ),
            *(
                f"$JS.{what}.{stream}{rest}"
                for stream in ("<NS>_EVENTS", "<NS>_PROCESSORS")
                for what, rest in (
                    ("API.CONSUMER.INFO", ".*"),
                    ("API.CONSUMER.MSG.NEXT", ".*"),
                    ("ACK", ".>"),
                    ("API.DIRECT.GET", ""),
                )
            ),
            "$JS.API.STREAM.MSG.DELETE.<NS>_PROCESSORS",
        )
    ),
    "operator": Role(
        (
            *("<ns>.>", "$KV.<NS>_UNIQUE.*", "$KV.<NS>_ALERTS.silence.*", "$KV.<NS>_ALERTS.ack.*.*"),
            "$JS.API.>",
        ),
        ("<ns>.done.*",),
    ),
}


class Tried(NamedTuple):
    """The subjects that are tried for all roles."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


def tried_for(config: NAQConfig) -> Tried:
    """What to try. What would be heard by processes, or could remove something if it were understood, is not."""
    publish = dict.fromkeys(subject for role in ROLES.values() for subject in _tried(role, config))
    subscribe = dict.fromkeys(subject for role in ROLES.values() for subject in _heard(role, config))
    return Tried(tuple(publish), tuple(subscribe))


def check_permissions(refused: Refused, config: NAQConfig, wanted: str) -> Check:
    """Whether one role can do its work; and which others could, with the same credentials.

    Args:
        wanted: the role.
    """
    missing = {name: list(_missing(role, refused, config)) for name, role in ROLES.items()}
    able = ", ".join(name for name, lacks in missing.items() if not lacks)
    if lacks := missing[wanted]:
        return bad(
            _NAME,
            f"the server refuses {len(lacks)} of the subjects that a {wanted} needs",
            meaning="a process of this role fails, or does only a part of its work; "
            f"these credentials suffice for: {able or 'no role'}",
            remedy="give the user these permissions; SECURITY.md lists those of each role",
            details=lacks,
        )
    return ok(_NAME, f"these credentials suffice for: {able}")


def _missing(role: Role, refused: Refused, config: NAQConfig) -> Iterator[str]:
    """What a role needs and does not have, whether the subject was tried for this role or for another."""
    for pattern in (_filled(template, config) for template in role.publish):
        if any(matches(pattern, subject) for subject in refused.publish):
            yield f"publish {pattern}"
    yield from (f"subscribe {subject}" for subject in _heard(role, config) if subject in refused.subscribe)


def _tried(role: Role, config: NAQConfig) -> Iterator[str]:
    for template in role.publish:
        if ".control." not in template and "PURGE" not in template:
            yield ".".join(_EXAMPLES.get(token, token) for token in _filled(template, config).split("."))


def _heard(role: Role, config: NAQConfig) -> Iterator[str]:
    yield f"{config.nats.inbox_prefix}.>"
    yield from (_filled(template, config) for template in role.subscribe)


def _filled(template: str, config: NAQConfig) -> str:
    domain, name = config.nats.jetstream_domain, config.namespace
    subject = template.replace("<ns>", name).replace("<NS>", name.upper())
    return subject.replace("$JS.API.", f"$JS.{domain}.API.", 1) if domain else subject
