"""Which of several schedulers leads.

One record says who. Its holder renews it, and trusts in it for a part of a lease from the moment in which it *sent* the
renewal, by its own monotonic clock. The others look at it; one that has seen the same renewal for a whole lease, by its
own monotonic clock, puts itself in its place. Each write holds only while the record is as it was read. So there is no
moment in which two trust that they lead, and no clock of one host is compared with another's.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from naq_runtime.clock import SYSTEM_CLOCK, Clock, nanoseconds_of
from naq_runtime.errors import NaqError
from naq_runtime.naming import Names
from naq_runtime.nats.publish import Outgoing, is_conflict
from naq_runtime.nats.streams import Streams, if_last_is
from naq_runtime.snapshot import LeaderState

__all__ = ["Leadership", "read_leader"]

_KEY = "scheduler"
_TRUSTED = 0.9
"""The share of a lease for which its holder trusts in it."""


_decode = msgspec.json.Decoder(LeaderState).decode
_encode = msgspec.json.Encoder().encode


async def read_leader(
    streams: Streams, names: Names, now_ns: Callable[[], int] = SYSTEM_CLOCK.time_ns
) -> tuple[LeaderState | None, int]:
    """Who leads, or led last, and the sequence of the record; ``None`` and 0 when there never was a leader.

    Args:
        now_ns: by which it is said for how long the leader has been silent.

    Raises:
        ServerError: it cannot be read now.
    """
    stream = names.bucket_stream(names.leader_bucket)
    messages = await streams.last(stream, [names.bucket_key(names.leader_bucket, _KEY)])
    if not messages:
        return None, 0
    message = messages[-1]
    try:
        leader = _decode(message.data)
    except msgspec.MsgspecError:
        return None, message.sequence
    silent_ns = now_ns() + streams.skew_ns - nanoseconds_of(message.stored_at)
    return msgspec.structs.replace(leader, silent_s=max(0, silent_ns) / 1e9), message.sequence


class Leadership:
    """The lead, as one scheduler holds or awaits it.

    Args:
        who: this scheduler, without a term.
    """

    def __init__(self, streams: Streams, names: Names, who: LeaderState, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._streams = streams
        self._names = names
        self._who = who
        self._clock = clock
        self._now_ns = clock.monotonic_ns
        self._seen = 0
        """The renewal that we saw last, and since when it has not changed."""
        self._seen_at_ns = 0
        self._seen_lease_ns = 0
        self._mine = who
        """Our own last renewal."""
        self._sequence = 0
        """Of that; 0 while we do not lead."""
        self._trusted_until_ns = 0
        self.term = 0
        """Of our lead, or the highest that we have heard of."""

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
        if self.leads:
            await self._write(self._sequence, msgspec.structs.replace(self._mine, schedules=schedules))
            return
        self._sequence = 0  # too late to renew: another one may lead
        leader, sequence = await read_leader(self._streams, self._names, self._clock.time_ns)
        now_ns = self._now_ns()
        if sequence != self._seen:
            self._seen, self._seen_at_ns = sequence, now_ns
            if sequence:  # else the record has gone, and whoever wrote it may trust in it for as long as it said
                self._seen_lease_ns = int(leader.lease_s * 1e9) if leader is not None else 0
        self.term = max(self.term, leader.term if leader is not None else 0)
        is_vacant = leader is not None and (not leader.instance_id or self._is_ours(leader))
        if is_vacant or now_ns - self._seen_at_ns >= self._seen_lease_ns:
            since_ns = self._clock.time_ns()
            record = msgspec.structs.replace(self._who, term=self.term + 1, since_ns=since_ns, schedules=schedules)
            await self._write(sequence, record)

    def withhold(self) -> None:
        """Make no more use of the lead, which is to be resigned."""
        self._trusted_until_ns = 0

    async def resign(self) -> bool:
        """Leave the lead to the others, who hear of it; whether we held it.

        Raises:
            ServerError: they will find out.
        """
        sequence, self._sequence, self._trusted_until_ns = self._sequence, 0, 0
        if not sequence and self._mine is not self._who:
            sequence = await self._ours()  # we may have taken it without having heard so
        vacant = LeaderState(instance_id="", term=self.term, lease_s=self._who.lease_s)
        answer: int | NaqError = 0
        while sequence:
            answer = await self._publish(sequence, vacant)
            if not is_conflict(answer):
                break
            sequence = await self._ours()  # a renewal may have been on its way
        if isinstance(answer, NaqError) and not is_conflict(answer):
            raise answer
        if sequence:
            await self._streams.announce(self._names.control_schedules)
        return bool(sequence)

    async def _write(self, instead_of: int, record: LeaderState) -> None:
        sent_ns, self._mine = self._now_ns(), record
        answer = await self._publish(instead_of, record)
        if is_conflict(answer):
            self._sequence = await self._ours()
            if not self._sequence:
                return
        elif isinstance(answer, NaqError):
            raise answer
        else:
            self._sequence = answer
        self.term = record.term
        self._trusted_until_ns = sent_ns + int(record.lease_s * _TRUSTED * 1e9)

    async def _ours(self) -> int:
        """The sequence of the record if it is a renewal of ours, perhaps one of which we have heard nothing."""
        leader, sequence = await read_leader(self._streams, self._names, self._clock.time_ns)
        return sequence if leader is not None and self._is_ours(leader) else 0

    def _is_ours(self, leader: LeaderState) -> bool:
        """Whether it says so of this very lead: another process may have been given our name."""
        return _lead_of(leader) == _lead_of(self._mine)

    async def _publish(self, instead_of: int, record: LeaderState) -> int | NaqError:
        subject = self._names.bucket_key(self._names.leader_bucket, _KEY)
        (answer,) = await self._streams.publish([Outgoing(subject, _encode(record), if_last_is(instead_of))])
        return answer


def _lead_of(leader: LeaderState) -> tuple[object, ...]:
    return leader.instance_id, leader.term, leader.hostname, leader.pid, leader.since_ns
