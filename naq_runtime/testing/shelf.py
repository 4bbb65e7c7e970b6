"""One stream in memory: one message a subject, found by subjects with wildcards and by sequence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from naq_runtime.clock import nanoseconds_of
from naq_runtime.errors import JetStreamError
from naq_runtime.naming import matches
from naq_runtime.nats.direct import StoredMessage
from naq_runtime.nats.publish import Outgoing
from naq_runtime.nats.streams import MESSAGE_ID

__all__ = ["Kept", "Shelf", "moment"]

_EXPECTED = "Nats-Expected-Last-Subject-Sequence"
_EXPECTED_OF = "Nats-Expected-Last-Subject-Sequence-Subject"
_TTL = "Nats-TTL"
_SCHEDULE, _TARGET = "Nats-Schedule", "Nats-Schedule-Target"
_REMEMBERED_NS = 120_000_000_000
"""So long is the id of a message known."""
_SECOND_NS = 1_000_000_000


class Kept:
    """A message that lies in a stream."""

    __slots__ = ("due_ns", "expires_ns", "message", "target")

    def __init__(self, message: StoredMessage, expires_ns: int | None, due_ns: int | None, target: str) -> None:
        self.message = message
        self.expires_ns = expires_ns
        self.due_ns = due_ns
        self.target = target
        """Where it is moved when it is due."""


class Shelf:
    """A stream.

    Args:
        subjects: what it takes, with wildcards.
        max_age_ns: how long a message lies there at most; 0 for ever.
        takes_ttl: whether a message may have a time to live of its own.
        takes_schedules: whether one may be moved at a time.
    """

    def __init__(
        self, subjects: Sequence[str], *, max_age_ns: int = 0, takes_ttl: bool = False, takes_schedules: bool = False
    ) -> None:
        self._subjects = tuple(subjects)
        self._max_age_ns = max_age_ns
        self._takes_ttl = takes_ttl
        self._takes_schedules = takes_schedules
        self._by_subject = _Tree()
        self._by_sequence: dict[int, Kept] = {}
        self._ids: dict[str, int] = {}
        self._last = 0

    def takes(self, subject: str) -> bool:
        """Whether messages of this subject lie here."""
        return any(matches(pattern, subject) for pattern in self._subjects)

    def put(self, message: Outgoing, now_ns: int) -> Kept | None:
        """Store a message in place of the one under its subject; ``None`` when one of its id was stored before.

        Raises:
            JetStreamError: as the server refuses it.
        """
        headers = message.headers or {}
        self.check(message)
        expires_ns = self._end_of(headers, now_ns)
        due_ns = _due(headers)
        message_id = headers.get(MESSAGE_ID)
        if message_id is not None:
            if now_ns - self._ids.get(message_id, now_ns - _REMEMBERED_NS) < _REMEMBERED_NS:
                return None
            self._ids[message_id] = now_ns
        self._last += 1
        stored = StoredMessage(message.subject, self._last, message.payload, moment(now_ns), dict(headers))
        return self._keep(Kept(stored, expires_ns, due_ns, headers.get(_TARGET, "")))

    def move(self, kept: Kept, now_ns: int) -> Kept:
        """Put a message that is due under its target, in place of what is there."""
        message = kept.message
        self.remove(message.sequence)
        self._last += 1
        own = {name: value for name, value in message.headers.items() if not name.startswith("Nats-")}
        headers = own | {"Nats-Scheduler": message.subject, "Nats-Schedule-Next": "purge"}
        moved = StoredMessage(kept.target, self._last, message.data, moment(now_ns), headers)
        return self._keep(Kept(moved, self._end_of({}, now_ns), None, ""))

    def remove(self, sequence: int) -> bool:
        """Take a message away; whether it was there."""
        kept = self._by_sequence.pop(sequence, None)
        if kept is None:
            return False
        self._by_subject.remove(kept.message.subject)
        return True

    def has(self, kept: Kept) -> bool:
        """Whether it still lies there."""
        return self._by_sequence.get(kept.message.sequence) is kept

    @property
    def bounds(self) -> tuple[int, int]:
        """The sequences of the first message that lies here, and of the last that ever did."""
        return next(iter(self._by_sequence), self._last + 1), self._last

    def find(self, patterns: Iterable[str], after: int = 0) -> list[StoredMessage]:
        """The messages that match one of them, by sequence."""
        found = {
            kept.message.sequence: kept.message for pattern in patterns for kept in self._by_subject.matching(pattern)
        }
        return [found[sequence] for sequence in sorted(found) if sequence > after]

    def _keep(self, kept: Kept) -> Kept:
        before = self._by_subject.put(kept.message.subject, kept)
        if before is not None:
            del self._by_sequence[before.message.sequence]
        self._by_sequence[kept.message.sequence] = kept
        return kept

    def check(self, message: Outgoing) -> None:
        """See that a message may be stored now.

        Raises:
            JetStreamError: as the server refuses it.
        """
        subject, headers = message.subject, message.headers or {}
        if _TTL in headers and not self._takes_ttl:
            raise JetStreamError(10166, "per-message TTL is disabled")
        if _SCHEDULE in headers:
            if not self._takes_schedules:
                raise JetStreamError(10188, "message schedules is disabled")
            target = headers.get(_TARGET, subject)
            if target == subject or "*" in target or not self.takes(target):
                raise JetStreamError(10190, "message schedules target is invalid")
        expected = headers.get(_EXPECTED)
        if expected is None:
            if _EXPECTED_OF in headers:
                raise JetStreamError(10193, "missing sequence for expected last sequence per subject")
            return
        there = self.find([headers.get(_EXPECTED_OF, subject)])
        last = there[-1].sequence if there else 0
        if last != int(expected):
            raise JetStreamError(10071, f"wrong last sequence: {last}")

    def _end_of(self, headers: Mapping[str, str], now_ns: int) -> int | None:
        """When a message leaves by itself: after its own time, or that of all, whichever is shorter."""
        ages = [self._max_age_ns] if self._max_age_ns else []
        if _TTL in headers:
            text = headers[_TTL]
            if not text.isdecimal() or int(text) < 1:
                raise JetStreamError(10165, "invalid per-message TTL")
            ages.append(int(text) * _SECOND_NS)
        return now_ns + min(ages) if ages else None


class _Tree:
    """Messages by subject, one each, so that a wildcard costs no look at all of them."""

    def __init__(self) -> None:
        self._root: dict[str, Any] = {}
        """A branch for each token; the message itself under an empty one, which no subject has."""

    def put(self, subject: str, kept: Kept) -> Kept | None:
        """Keep one; returns what was there."""
        node = self._root
        for token in subject.split("."):
            node = node.setdefault(token, {})
        before: Kept | None = node.get("")
        node[""] = kept
        return before

    def remove(self, subject: str) -> None:
        """Take one away, and the branches that are empty then."""
        way, node = [], self._root
        for token in subject.split("."):
            way.append((node, token))
            node = node[token]
        del node[""]
        for parent, token in reversed(way):
            if not parent[token]:
                del parent[token]

    def matching(self, pattern: str) -> Iterator[Kept]:
        """All whose subjects match."""
        return _below(self._root, pattern.split("."), 0)


def _below(node: Mapping[str, Any], tokens: Sequence[str], depth: int) -> Iterator[Kept]:
    if depth == len(tokens):
        if "" in node:
            yield node[""]
        return
    token = tokens[depth]
    if token in "*>":
        for name, branch in node.items():
            if name and token == "*":
                yield from _below(branch, tokens, depth + 1)
            elif name:
                yield from _all(branch)
    elif token in node:
        yield from _below(node[token], tokens, depth + 1)


def _all(node: Mapping[str, Any]) -> Iterator[Kept]:
    for name, branch in node.items():
        if name:
            yield from _all(branch)
        else:
            yield branch


def moment(time_ns: int) -> str:
    """A moment as the server writes it, RFC 3339."""
    seconds, rest = divmod(time_ns, _SECOND_NS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def _due(headers: Mapping[str, str]) -> int | None:
    if _SCHEDULE not in headers:
        return None
    try:
        return nanoseconds_of(headers[_SCHEDULE].removeprefix("@at "))
    except ValueError:
        raise JetStreamError(10189, "message schedules pattern is invalid") from None
