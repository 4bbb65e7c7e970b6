"""Which of several schedulers leads.

One record says who. Its holder renews it, and trusts in it for a part of a lease from the moment in which it *sent* the
renewal, by its own monotonic clock. The others look at it; one that has seen the same renewal for a whole lease, by its
own monotonic clock, puts itself in its place. Each write holds only while the record is as it was read. So there is no
moment in which two trust that they lead, and no clock of one host is compared with another's.
"""

from __future__ import annotations

import logging
from typing import Any

import msgspec
from msgspec import Struct

from naq_runtime.clock import SYSTEM_CLOCK, Clock
from naq_runtime.errors import NaqError
from naq_runtime.naming import Names
from naq_runtime.nats.publish import Outgoing, is_conflict
from naq_runtime.nats.streams import Streams, if_last_is

__all__ = ["Leader", "Leadership", "read_leader"]

log = logging.getLogger(__name__)

_KEY = "scheduler"
_TRUSTED = 0.9
"""The share of a lease for which its holder trusts in it."""


class Leader(Struct, frozen=True, omit_defaults=True):
    """Who leads, as the record says."""

    instance_id: str
    """Empty while nobody does."""
    term: int
    """One higher for each next lead."""
    lease_s: float
    hostname: str = ""
    pid: int = 0
    since_ns: int = 0
    """When the lead began, by the leader's clock."""
    schedules: int = 0


_decode = msgspec.json.Decoder(Leader).decode
_encode = msgspec.json.Encoder().encode


async def read_leader(streams: Streams, names: Names) -> tuple[Leader | None, int]:
    """What the record says, and its sequence; ``None`` and 0 when there never was a leader.

    Raises:
        ServerError: it cannot be read now.
    """
    stream = names.bucket_stream(names.leader_bucket)
    messages = await streams.last(stream, [names.bucket_key(names.leader_bucket, _KEY)])
    if not messages:
        return None, 0
    try:
        return _decode(messages[-1].data), messages[-1].sequence
    except msgspec.MsgspecError:
        return None, messages[-1].sequence


class Leadership:
    """The lead, as one scheduler holds or awaits it.

    Args:
        who: this scheduler, without a term.
    """

    def __init__(self, streams: Streams, names: Names, who: Leader, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._streams = streams
        self._names = names
        self._who = who
        self._clock = clock
        self._now_ns = clock.monotonic_ns
        self._seen = 0
        """The renewal that we saw last, and since when it has not changed."""
        self._seen_at_ns = 0
        self._seen_lease_ns = 0
        self._sequence = 0
        """Of our own last renewal; 0 while we do not lead."""
        self._trusted_until_ns = 0
        self.term = 0
        """Of our lead, or of the last one that we held."""
        self.leader: Leader | None = None
        """Who was seen to lead last."""

    def __repr__(self) -> str:
        return f"<Leadership {self._who.instance_id} {'leads' if self.leads else 'stands by'} term={self.term}>"

    @property
    def leads(self) -> bool:
        """Whether nobody else can lead at this moment."""
        return bool(self._sequence) and self._now_ns() < self._trusted_until_ns

    @property
    def wait_s(self) -> float:
        """How long until `step` is worth another call."""
        lease_s = self._who.lease_s
        if self._sequence:
            return lease_s / 3
        left_s = (self._seen_at_ns + self._seen_lease_ns - self._now_ns()) / 1e9
        return min(lease_s / 6, left_s) if left_s > 0 else lease_s / 6

    async def step(self, schedules: int = 0) -> None:
        """Renew the lead, or take it when it is free.

        Args:
            schedules: how many are kept, for the record.

        Raises:
            ServerError: nothing is certain; call again.
        """
        if self._sequence and not self.leads:
            self._sequence = 0  # too late to renew: another one may lead
        if self._sequence:
            await self._write(self._sequence, self._described(self.term, schedules))
            return
        self.leader, sequence = await read_leader(self._streams, self._names)
        now_ns = self._now_ns()
        lease_s = self.leader.lease_s if self.leader is not None else 0.0
        if sequence != self._seen:
            self._seen, self._seen_at_ns, self._seen_lease_ns = sequence, now_ns, int(lease_s * 1e9)
        is_vacant = self.leader is None or not self.leader.instance_id
        if is_vacant or now_ns - self._seen_at_ns >= self._seen_lease_ns:
            term = (self.leader.term if self.leader is not None else 0) + 1
            await self._write(sequence, self._described(term, schedules))

    async def resign(self) -> bool:
        """Leave the lead to the others, who hear of it; whether we held it.

        Raises:
            ServerError: they will find out.
        """
        sequence, self._sequence, self._trusted_until_ns = self._sequence, 0, 0
        if not sequence:
            return False
        vacant = Leader(instance_id="", term=self.term, lease_s=self._who.lease_s)
        answer = await self._publish(sequence, vacant)
        await self._streams.announce(self._names.control_schedules)
        return not isinstance(answer, NaqError)

    async def _write(self, instead_of: int, record: Leader) -> None:
        sent_ns = self._now_ns()
        answer = await self._publish(instead_of, record)
        if is_conflict(answer):
            self._sequence = await self._ours(record)
            if not self._sequence:
                return
        elif isinstance(answer, NaqError):
            raise answer
        else:
            self._sequence = answer
        self.term, self.leader = record.term, record
        self._trusted_until_ns = sent_ns + int(record.lease_s * _TRUSTED * 1e9)

    async def _ours(self, record: Leader) -> int:
        """The record was not as we thought: perhaps by a renewal of ours of which we heard nothing."""
        now, sequence = await read_leader(self._streams, self._names)
        same: tuple[Any, ...] = (record.instance_id, record.term)
        return sequence if now is not None and (now.instance_id, now.term) == same else 0

    def _described(self, term: int, schedules: int) -> Leader:
        since_ns = self.leader.since_ns if self._sequence and self.leader is not None else self._clock.time_ns()
        return msgspec.structs.replace(self._who, term=term, since_ns=since_ns, schedules=schedules)

    async def _publish(self, instead_of: int, record: Leader) -> int | NaqError:
        subject = self._names.bucket_key(self._names.leader_bucket, _KEY)
        (answer,) = await self._streams.publish([Outgoing(subject, _encode(record), if_last_is(instead_of))])
        return answer
