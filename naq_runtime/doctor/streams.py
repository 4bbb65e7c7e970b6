"""The streams: as naq needs them, and with room left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from naq_runtime.doctor.check import Check, Unknown, bad, named, ok, skipped, warn
from naq_runtime.doctor.facts import Facts, FoundStream
from naq_runtime.events.messages import size_text
from naq_runtime.jetstream import FULL, NEARLY_FULL, Account, Stream, Usage
from naq_runtime.naming import Names

__all__ = ["check_limits", "check_streams"]


def check_streams(facts: Facts) -> Check:
    """Whether those that are there do what they must. What is missing is made by whoever needs it first."""
    there = [one for one in facts.streams.values() if isinstance(one, FoundStream)]
    unseen = [f"{name}: {one.why}" for name, one in facts.streams.items() if isinstance(one, Unknown)]
    if unseen and not there:
        return skipped("streams", unseen[0])
    wrong = [
        f"{one.stream.name} has {field}={have}, naq needs {want}"
        for one in there
        for field, have, want in one.differences
    ]
    if wrong:
        return bad(
            "streams",
            f"{named(len({line.split()[0] for line in wrong}), 'stream')} would lose or repeat something",
            meaning="every process that needs such a stream ends with this as its error",
            remedy="change the stream with 'nats stream edit', or delete it, when what is in it may go; "
            "or use another namespace",
            details=wrong,
        )
    weak = [line for one in there for line in _weaknesses(one.stream, facts.config.streams.replicas)]
    if weak or unseen:
        return warn(
            "streams",
            f"{named(len(there), 'stream')} as needed, but not as safe as wanted" if weak else "not all could be seen",
            meaning="what is stored may be lost with one server" if weak else "those are not checked",
            remedy="'nats stream edit' sets replicas; a server that is away has to come back; "
            "the storage of a stream that exists cannot be changed"
            if weak
            else "see the permissions",
            details=[*weak, *unseen],
        )
    if not there:
        return ok("streams", "there is none yet; whoever needs one first makes it")
    missing = len(facts.streams) - len(there)
    return ok("streams", f"{named(len(there), 'stream')} as needed" + (f", {missing} not made yet" if missing else ""))


def _weaknesses(stream: Stream, wanted: int) -> Iterator[str]:
    if stream.storage != "file":
        yield f"{stream.name} is kept in {stream.storage}: a restart of the server empties it"
    if stream.replicas < wanted:
        yield f"{stream.name} has {named(stream.replicas, 'replica')}, streams.replicas is {wanted}"
    yield from (f"{stream.name}: {trouble}" for trouble in stream.troubles)


def check_limits(facts: Facts) -> Check:
    """How far limits are used, of streams and of the account.

    A stream that lets its oldest messages go when it is full, and that is a log, is full for most of its life: it only
    reaches back less far than it might.
    """
    streams = [one.stream for one in facts.streams.values() if isinstance(one, FoundStream)]
    account = facts.account if isinstance(facts.account, Account) else None
    if not streams and account is None:
        return skipped("limits", facts.account.why if isinstance(facts.account, Unknown) else "there is no stream yet")
    logs = _logs(facts.config.names)
    full = list(_near(streams, account, logs, FULL, 1.01))
    nearly = list(_near(streams, account, logs, NEARLY_FULL, FULL))
    short = [_reach(one, facts.now_ns) for one in streams if one.name in logs and one.share >= NEARLY_FULL]
    remedy = (
        "raise max_bytes of the stream ('nats stream edit'), or the limits of the account or the server; "
        "or have less in it: retry or delete dead letters, shorten results.ttl"
    )
    if full:
        return bad(
            "limits",
            f"{named(len(full), 'limit')} used up, or nearly",
            meaning="jobs are refused, or what is oldest is lost before its time",
            remedy=remedy,
            details=[*full, *nearly, *short],
        )
    if nearly:
        return warn(
            "limits",
            f"{named(len(nearly), 'limit')} used by more than {NEARLY_FULL:.0%}",
            meaning="when it is reached, jobs are refused, or what is oldest is lost before its time",
            remedy=remedy,
            details=[*nearly, *short],
        )
    if short:
        return warn(
            "limits",
            f"{named(len(short), 'log')} near the limit: the oldest goes early",
            meaning="history and statistics reach back less far than their settings say; nothing else",
            remedy="raise max_bytes or max_msgs of the stream ('nats stream edit'), or shorten events.max_age",
            details=short,
        )
    return ok("limits", f"none is used by more than {NEARLY_FULL:.0%}")


def _logs(names: Names) -> tuple[str, ...]:
    return (names.events_stream, names.stats_stream, names.processors_stream)


def _near(
    streams: Iterable[Stream], account: Account | None, logs: tuple[str, ...], least: float, most: float
) -> Iterator[str]:
    """Limits of which a share in this range is used."""
    for stream in streams:
        if stream.name not in logs and least <= stream.share < most:
            yield f"{stream.name}: {_used(stream.usages[0])}"
    for usage in account.usages if account else ():
        if least <= usage.share < most:
            yield f"the account: {_used(usage)}"


def _used(usage: Usage) -> str:
    is_size = usage.what not in ("messages", "streams", "consumers")
    used, limit = ((size_text(one) if is_size else f"{one:,}") for one in (usage.used, usage.limit))
    return f"{used} of {limit} {'' if usage.what == 'bytes' else usage.what} ({usage.share:.0%})".replace("  ", " ")


def _reach(stream: Stream, now_ns: int) -> str:
    hours = max(0, now_ns - stream.first_ns) / 3.6e12 if stream.first_ns else 0.0
    wanted = f" of {stream.max_age_s / 3600:.1f} h" if stream.max_age_s else ""
    return f"{stream.name}: {_used(stream.usages[0])}, reaches back {hours:.1f} h{wanted}"
