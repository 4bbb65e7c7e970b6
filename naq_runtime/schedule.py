"""A schedule: a job that comes again and again, or once. Pure.

A schedule is due at moments that its timetable says; each of them is a *tick*, and makes one job, whose id is derived
from the schedule's and the moment.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from naq_runtime.errors import InvalidSchedule, SerializationError
from naq_runtime.naming import check_name
from naq_runtime.timetable import Cron, Once, Rate, Timetable, check_cron, coming, zone_of

__all__ = [
    "MissedPolicy",
    "OverlapPolicy",
    "Schedule",
    "ScheduleConfig",
    "ScheduleState",
    "check_schedule_id",
    "decode_schedule",
    "described",
    "encode_schedule",
    "moment_ns",
    "tick_id",
]

MissedPolicy = Literal["skip", "once", "all"]
OverlapPolicy = Literal["allow", "skip", "buffer", "cancel"]
Time = Annotated[int, Meta(ge=0, le=2**63 - 1)]
JobId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}\Z")]

SCHEMA_VERSION = 1
LONGEST_ID = 40
"""A job's id has a moment behind it, and 64 characters in all."""
_SECOND_NS = 1_000_000_000
_MOST_RUNS = 10_000
_SHORTEST_S = 0.1
_LONGEST_S = 10 * 365 * 86_400
_LATEST_PHASE_NS = _LONGEST_S * _SECOND_NS
"""An anchor up to here is a phase, and one behind it a moment at which a schedule began."""


class ScheduleState(StrEnum):
    """How a schedule stands."""

    ACTIVE = "active"
    PAUSED = "paused"
    FAILED = "failed"
    """It could not be kept, several times in a row; `resume` tries again."""
    FINISHED = "finished"
    """Nothing more is due; seen for a minute, then it is gone."""
    CANCELLED = "cancelled"
    """Seen for a minute, then it is gone."""

    @property
    def is_over(self) -> bool:
        """Whether it will never be due again."""
        return self in (ScheduleState.FINISHED, ScheduleState.CANCELLED)


class ScheduleConfig(Struct, frozen=True, kw_only=True):
    """When a job is to come. One of ``cron``, ``every`` and ``at`` must be given.

    Args:
        cron: an expression of five fields, of six with the second in front, or a name such as ``@daily``.
        every: seconds, or a `timedelta`, between two ticks; they keep their rhythm whatever the jobs take.
        at: one moment, with its time zone.
        timezone: of the cron expression.
        repeat: so many jobs at most; without end when left out.
        starts_at: nothing is due before; the first tick of ``every`` is then.
        ends_at: nothing is due after.
        phase: seconds, or a `timedelta`, that each tick of ``every`` is behind a multiple of it since 1970; 0 for full
            minutes and hours.
        jitter: each job comes up to so many seconds, or a `timedelta`, later, by a chance that is the same whoever
            looks.
        missed: of ticks that nobody could see to in time, have the job run for none (``skip``), for the last of them
            (``once``), or for all (``all``), ``catch_up_limit`` of them at most.
        catch_up_limit: so many at most.
        catch_up_window: seconds, or a `timedelta`; what was due longer ago is skipped.
        overlap: while the job of the tick before has not ended, have another all the same (``allow``), none
            (``skip``), one when it has ended (``buffer``), or one at once, and cancel the one before (``cancel``).
        schedule_id: 1 to 40 letters, digits, ``_`` or ``-``; made up when left out.

    Raises:
        InvalidSchedule: it says nothing, too much, or what cannot be kept.
    """

    cron: str | None = None
    every: float | timedelta | None = None
    at: datetime | None = None
    timezone: str = "UTC"
    repeat: int | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    phase: float | timedelta | None = None
    jitter: float | timedelta = 0.0
    missed: MissedPolicy = "once"
    catch_up_limit: int = 100
    catch_up_window: float | timedelta = 86_400.0
    overlap: OverlapPolicy = "allow"
    schedule_id: str | None = None

    def __post_init__(self) -> None:
        if sum(given is not None for given in (self.cron, self.every, self.at)) != 1:
            raise InvalidSchedule("a schedule needs one of cron, every and at, and no more than one")
        zone_of(self.timezone)
        if self.cron is not None:
            check_cron(self.cron)
        _check("every", self.every, _SHORTEST_S, _LONGEST_S)
        if self.phase is not None and self.every is None:
            raise InvalidSchedule("phase goes with every")
        _check("phase", self.phase, 0, _LONGEST_S)
        _check("repeat", self.repeat, 1, 2**53, int)
        _check("jitter", self.jitter, 0, 86_400)
        _check("catch_up_limit", self.catch_up_limit, 1, 400, int)
        _check("catch_up_window", self.catch_up_window, 1, _LONGEST_S)
        _check_word("missed", self.missed, MissedPolicy)
        _check_word("overlap", self.overlap, OverlapPolicy)
        for name in ("at", "starts_at", "ends_at"):
            moment_ns(name, getattr(self, name))
        if self.schedule_id is not None:
            check_schedule_id(self.schedule_id)


class Schedule(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A schedule as it is stored: what is wanted, and how far it has come."""

    schedule_id: str
    queue_name: str
    function_name: str
    payload: bytes
    """The job, encoded by the serializer; each tick makes one like it."""
    v: int = SCHEMA_VERSION
    cron: str | None = None
    every_ns: Time = 0
    anchor_ns: int = 0
    at_ns: Time = 0
    timezone: str = "UTC"
    repeat: int | None = None
    """How many jobs are left; ``None`` for no end."""
    repeat_of: int | None = None
    """What that is counted down from."""
    starts_at_ns: Time = 0
    ends_at_ns: Time = 0
    jitter_ns: Time = 0
    missed: MissedPolicy = "once"
    catch_up_limit: int = 100
    catch_up_window_ns: Time = 86_400 * _SECOND_NS
    overlap: OverlapPolicy = "allow"
    created_at_ns: Time = 0
    state: ScheduleState = ScheduleState.ACTIVE
    reason: str | None = None
    """Why it is paused or has failed."""
    next_ns: Time = 0
    """When it is due next; 0 for never."""
    ticks: int = 0
    """How many jobs it has made."""
    missed_ticks: int = 0
    last_due_ns: Time = 0
    last_run_ns: Time = 0
    """When the job of the last tick was made."""
    last_job_id: JobId | None = None
    """The job of the last tick: the one that `overlap` is about."""
    asked_ns: Time = 0
    """When somebody last had a job made out of turn."""
    asked_job_id: JobId | None = None
    held_ns: Time = 0
    """A tick whose job comes when the one before has ended (``buffer``)."""
    errors: int = 0
    """How many times in a row it could not be kept."""
    retry_at_ns: Time = 0
    """Not to be tried again before."""
    term: int = 0
    """Of the leader who wrote this last; 0 for somebody who manages schedules."""

    def evolve(self, **changes: Any) -> Schedule:
        """A copy with some fields changed."""
        return msgspec.structs.replace(self, **changes)

    @property
    def settings(self) -> dict[str, Any]:
        """The fields of its configuration, whether it can be kept here or not; ``repeat`` is what is left."""
        return {
            "cron": self.cron,
            "every": self.every_ns / _SECOND_NS if self.every_ns else None,
            "at": _moment(self.at_ns),
            "timezone": self.timezone,
            "repeat": self.repeat,
            "starts_at": _moment(self.starts_at_ns),
            "ends_at": _moment(self.ends_at_ns),
            "phase": self.anchor_ns / _SECOND_NS if self.every_ns and self.anchor_ns <= _LATEST_PHASE_NS else None,
            "jitter": self.jitter_ns / _SECOND_NS,
            "missed": self.missed,
            "catch_up_limit": self.catch_up_limit,
            "catch_up_window": self.catch_up_window_ns / _SECOND_NS,
            "overlap": self.overlap,
            "schedule_id": self.schedule_id,
        }

    @property
    def config(self) -> ScheduleConfig:
        """What it was made with, and changed to; ``repeat`` is what is left.

        Raises:
            InvalidSchedule: this machine cannot keep it.
        """
        return ScheduleConfig(**self.settings)

    @property
    def next_run_at(self) -> datetime | None:
        """When its next job comes, jitter and all; ``None`` while none will, as in a pause."""
        return _moment(self.fires_at_ns)

    @property
    def last_run_at(self) -> datetime | None:
        """When its latest job was made, in its turn or not; ``None`` when none was."""
        return _moment(self.latest_ns)

    @property
    def timetable(self) -> Timetable:
        """When it is due.

        Raises:
            InvalidSchedule: this machine cannot say so.
        """
        if self.cron is not None:
            return Cron(self.cron, self.timezone)
        return Rate(self.every_ns, self.anchor_ns) if self.every_ns else Once(self.at_ns)

    @property
    def fires_at_ns(self) -> int:
        """When the scheduler must see to it next; 0 for never."""
        if self.state is not ScheduleState.ACTIVE or not self.next_ns:
            return 0
        return max(self.next_ns + self.delay_of(self.next_ns), self.retry_at_ns)

    @property
    def latest_ns(self) -> int:
        """When its latest job was made, in its turn or not; 0 for never."""
        return max(self.last_run_ns, self.asked_ns)

    @property
    def latest_job_id(self) -> str | None:
        """The job that was made then."""
        return self.asked_job_id if self.asked_ns > self.last_run_ns else self.last_job_id

    @property
    def lag_ms(self) -> float | None:
        """How late it was begun to make the latest job; ``None`` when there is none, or it was asked for out of turn.

        The event of the tick also counts the time that it took to store the job.
        """
        due_ns = self.last_due_ns
        if not due_ns or self.asked_ns > self.last_run_ns:
            return None
        return max(0, self.last_run_ns - due_ns - self.delay_of(due_ns)) / 1e6

    def delay_of(self, due_ns: int) -> int:
        """By how much a tick is put off, in nanoseconds: by chance, and the same whoever asks."""
        if not self.jitter_ns:
            return 0
        drawn = hashlib.blake2b(f"{self.schedule_id} {due_ns}".encode(), digest_size=8).digest()
        return int.from_bytes(drawn) % self.jitter_ns

    def ticks_after(self, after_ns: int) -> Iterator[int]:
        """What is due after a moment, and not after its end.

        Raises:
            InvalidSchedule: this machine cannot say so.
        """
        for due_ns in coming(self.timetable, max(after_ns, self.starts_at_ns - 1)):
            if self.ends_at_ns and due_ns > self.ends_at_ns:
                return
            yield due_ns

    def next_after(self, after_ns: int) -> int:
        """The first tick after a moment; 0 when there is none."""
        return next(self.ticks_after(after_ns), 0)

    def next_runs(self, count: int, now_ns: int) -> list[int]:
        """The coming ticks, this many at most; the first may be one that is late, or waits out its jitter.

        Raises:
            InvalidSchedule: this machine cannot say so, or not so many.
        """
        _check("count", count, 1, _MOST_RUNS, int)
        if self.state.is_over or not self.next_ns:
            return []
        is_passed_over = self.state is not ScheduleState.ACTIVE and self.next_ns <= now_ns
        first = [] if is_passed_over else [self.next_ns]
        ticks = [*first, *islice(self.ticks_after(max(self.next_ns, now_ns)), count)]
        return ticks[: count if self.repeat is None else min(count, self.repeat)]


def tick_id(schedule_id: str, due_ns: int) -> str:
    """The id of the job of one tick."""
    seconds, rest = divmod(due_ns, _SECOND_NS)
    moment = datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H%M%S")
    return f"{schedule_id}-{moment}{rest // 1_000_000:03d}" if rest else f"{schedule_id}-{moment}"


def check_schedule_id(schedule_id: str) -> str:
    """Return an id that a schedule can have.

    Raises:
        InvalidName: it cannot.
    """
    check_name("schedule", schedule_id)
    if len(schedule_id) > LONGEST_ID:
        raise InvalidSchedule(f"schedule {schedule_id!r} has too long a name: {LONGEST_ID} characters at most")
    return schedule_id


def moment_ns(name: str, moment: datetime | None) -> int:
    """A moment in nanoseconds since 1970 UTC; 0 for none.

    Raises:
        InvalidSchedule: it has no time zone, or lies before 1970.
    """
    if moment is None:
        return 0
    if moment.tzinfo is None:
        raise InvalidSchedule(f"{name}={moment.isoformat()} has no time zone: write datetime(…, tzinfo=UTC)")
    if moment.timestamp() <= 0:
        raise InvalidSchedule(f"{name}={moment.isoformat()} lies before 1970")
    return int(moment.timestamp()) * _SECOND_NS + moment.microsecond * 1_000


def _moment(time_ns: int) -> datetime | None:
    seconds, rest = divmod(time_ns, _SECOND_NS)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000) if time_ns else None


_decoder = msgspec.json.Decoder(Schedule)
encode_schedule = msgspec.json.Encoder().encode


def decode_schedule(data: bytes) -> Schedule:
    """The schedule of one JSON object.

    Raises:
        SerializationError: it is none, or of a newer version.
    """
    try:
        schedule = _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise SerializationError(f"the record is no schedule: {error}") from error
    if 0 < schedule.every_ns < _SHORTEST_S * _SECOND_NS:
        raise SerializationError("the record is no schedule: its rate cannot be")
    if schedule.v > SCHEMA_VERSION:
        raise SerializationError(f"the schedule was written in version {schedule.v}: upgrade naq")
    return schedule


def _check(name: str, value: object, least: float, most: float, kind: Any = float | int) -> None:
    number = value.total_seconds() if isinstance(value, timedelta) and kind is not int else value
    if value is not None and not (isinstance(number, kind) and least <= number <= most):
        raise InvalidSchedule(f"{name} must be {least:g} to {most:,g}, got {value}")


def _check_word(name: str, value: str, words: Any) -> None:
    if value not in words.__args__:
        raise InvalidSchedule(f"{name} is one of {', '.join(words.__args__)}, got {value!r}")


def described(schedule: Schedule) -> Mapping[str, str]:
    """When it is due, in words: as ``cron``, ``every`` or ``at``, and in which zone."""
    if schedule.cron is not None:
        return {"cron": schedule.cron, "timezone": schedule.timezone}
    if schedule.every_ns:
        return {"every": f"{schedule.every_ns / _SECOND_NS:g}"}
    return {"at": datetime.fromtimestamp(schedule.at_ns / _SECOND_NS, UTC).isoformat()}
