"""Every subject, stream, bucket and consumer name on the wire.

Nothing else in the package spells a subject. Names that come from users (queues, workers, job ids, the namespace)
are one token of a subject, and are checked here: letters, digits, ``_`` and ``-``, at most 64 of them.
"""

from __future__ import annotations

import base64
import os
import re

import msgspec

from naq_runtime.errors import InvalidName

__all__ = ["Names", "check_name", "checked", "is_name", "matches", "new_id"]

_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SUBJECTS = {count: re.compile(rf"(?:{_TOKEN.pattern}\.){{{count - 1}}}{_TOKEN.pattern}") for count in range(1, 11)}
"""By the number of their tokens."""
_NAMESPACE = re.compile(r"[a-z0-9_-]{1,32}")
_ID_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"


def check_name(kind: str, name: str) -> str:
    """Return ``name`` when it can stand as one token of a subject.

    Raises:
        InvalidName: it is empty, too long, or has other characters than ``A-Z a-z 0-9 _ -``.
    """
    if isinstance(name, str) and is_name(name):
        return name
    raise InvalidName(
        f"{kind} {name!r} is not a valid name: use 1 to 64 letters, digits, '_' or '-' (no dots, spaces or wildcards)"
    )


def is_name(name: str) -> bool:
    """Whether it can stand as one token of a subject."""
    return _TOKEN.fullmatch(name) is not None


def checked(subject: str, *, tokens: int) -> str:
    """A subject whose every token is as it must be; for hot paths, where nobody needs to hear which is not.

    Raises:
        InvalidName: there are more tokens, or fewer, or one is no name.
    """
    pattern = _SUBJECTS.get(tokens)
    if pattern is not None and pattern.fullmatch(subject):
        return subject
    raise InvalidName(f"{subject!r} is no subject of {tokens} names")


def _joined(*tokens: str) -> str:
    try:
        return ".".join(tokens)
    except TypeError as error:
        raise InvalidName(f"not all of {tokens!r} are names") from error


def matches(pattern: str, subject: str) -> bool:
    """Whether a subject is among those of a pattern with the wildcards ``*`` and ``>``."""
    tokens, given = pattern.split("."), subject.split(".")
    if tokens[-1] == ">":
        tokens, given = tokens[:-1], given[: len(tokens) - 1] if len(given) >= len(tokens) else []
    return len(tokens) == len(given) and all(token in ("*", there) for token, there in zip(tokens, given, strict=True))


def new_id(length: int = 20) -> str:
    """A random id of lower-case letters and digits; 20 of them hold 103 bits."""
    number = int.from_bytes(os.urandom(length))
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 36)
        digits.append(_ID_ALPHABET[digit])
    return "".join(digits)


class Names(msgspec.Struct, frozen=True):
    """The names of one namespace; two teams with two namespaces share a server without meeting."""

    namespace: str = "naq"

    def __post_init__(self) -> None:
        if not _NAMESPACE.fullmatch(self.namespace):
            raise InvalidName(
                f"namespace {self.namespace!r} is not valid: use 1 to 32 lower-case letters, digits, '_' or '-'"
            )

    def _stream(self, name: str) -> str:
        return f"{self.namespace.upper()}_{name}"

    # Jobs

    @property
    def jobs_stream(self) -> str:
        """The work queue that holds every job until its outcome is stored."""
        return self._stream("JOBS")

    @property
    def job_states(self) -> tuple[str, ...]:
        """Everything that the stream of jobs holds."""
        space = self.namespace
        return (
            f"{space}.jobs.*.*",
            f"{space}.later.*.*",
            f"{space}.waiting.*.*",
            f"{space}.needs.*.*",
            f"{space}.met.*.*",
            f"{space}.handed.*",
            f"{space}.schedules.*",
        )

    def job(self, queue: str, job_id: str) -> str:
        """Where a job is while it is queued or running; ``*`` for either finds it without knowing the other."""
        return f"{self.namespace}.jobs.{queue}.{job_id}"

    def later(self, queue: str, job_id: str) -> str:
        """Where a job is while it waits for its time."""
        return f"{self.namespace}.later.{queue}.{job_id}"

    def waiting(self, queue: str, job_id: str) -> str:
        """Where a job is while it waits for others."""
        return f"{self.namespace}.waiting.{queue}.{job_id}"

    def anywhere(self, queue: str, job_id: str) -> str:
        """A job that has not ended, wherever it stands."""
        return f"{self.namespace}.*.{queue}.{job_id}"

    def needs(self, parent_id: str, child_id: str) -> str:
        """That one job waits for another."""
        return f"{self.namespace}.needs.{parent_id}.{child_id}"

    def met(self, child_id: str, parent_id: str) -> str:
        """How the other one ended."""
        return f"{self.namespace}.met.{child_id}.{parent_id}"

    def awaited(self, child_id: str) -> str:
        """Where workers hear, unstored, for which jobs another one has begun to wait: their ids, a space between."""
        return f"{self.namespace}.awaited.{child_id}"

    def handed(self, sequence: int) -> str:
        """That the message of this sequence was handed back, and not lost with its worker."""
        return f"{self.namespace}.handed.{sequence}"

    def schedule(self, schedule_id: str) -> str:
        """The record of a schedule; ``*`` for all of them."""
        return f"{self.namespace}.schedules.{schedule_id}"

    def queue_consumer(self, queue: str) -> str:
        """The durable consumer that all workers of a queue share."""
        return f"queue-{queue}"

    # Results

    @property
    def results_stream(self) -> str:
        """The last outcome of each job."""
        return self._stream("RESULTS")

    @property
    def results(self) -> str:
        """The outcomes of all jobs."""
        return f"{self.namespace}.results.*"

    def result(self, job_id: str) -> str:
        """The outcome of one job."""
        return f"{self.namespace}.results.{job_id}"

    def done(self, job_id: str) -> str:
        """Where a worker says, once and unstored, that the outcome of a job can be read."""
        return f"{self.namespace}.done.{job_id}"

    @property
    def objects_bucket(self) -> str:
        """The object store of outcomes that are too large for one message."""
        return self._stream("RESULTS")

    @property
    def objects_stream(self) -> str:
        """The stream behind it, named as NATS names them."""
        return f"OBJ_{self.objects_bucket}"

    @property
    def objects(self) -> tuple[str, str]:
        """All its chunks, and all that describes them."""
        return f"$O.{self.objects_bucket}.C.>", f"$O.{self.objects_bucket}.M.>"

    def object_chunk(self, nuid: str) -> str:
        """The bytes of one object, in order."""
        return f"$O.{self.objects_bucket}.C.{nuid}"

    def object_info(self, name: str) -> str:
        """What describes an object."""
        return f"$O.{self.objects_bucket}.M.{base64.urlsafe_b64encode(name.encode()).decode()}"

    # Dead letters

    @property
    def dead_stream(self) -> str:
        """The jobs that failed for good."""
        return self._stream("DEAD")

    @property
    def dead_letters(self) -> str:
        """All of them."""
        return f"{self.namespace}.dead.*.*"

    def dead(self, queue: str, job_id: str) -> str:
        """One of them."""
        return f"{self.namespace}.dead.{queue}.{job_id}"

    # Control

    @property
    def control_jobs(self) -> str:
        """Where workers hear, unstored, which running jobs to cancel."""
        return f"{self.namespace}.control.jobs"

    def control_worker(self, worker_id: str) -> str:
        """Where one worker hears what it should do."""
        return f"{self.namespace}.control.worker.{worker_id}"

    def control_queue(self, queue: str) -> str:
        """Where the workers of a queue hear that what holds it back has changed."""
        return f"{self.namespace}.control.queue.{queue}"

    @property
    def control_schedules(self) -> str:
        """Where schedulers hear that schedules have changed."""
        return f"{self.namespace}.control.schedules"

    # Events

    @property
    def events_stream(self) -> str:
        """The log of everything that happens."""
        return self._stream("EVENTS")

    @property
    def events(self) -> str:
        """All events."""
        return f"{self.namespace}.events.>"

    @property
    def live(self) -> str:
        """Where the server repeats each event once it is stored, with its sequence in a header."""
        return f"{self.namespace}.live.>"

    def job_event(self, job_id: str, queue: str, event_type: str, event_id: str) -> str:
        """The subject of one event of a job."""
        return _joined(self.namespace, "events", "job", job_id, queue, event_type, event_id)

    def entity_event(self, category: str, entity: str, event_type: str, event_id: str) -> str:
        """The subject of one event of a worker, a schedule or a process."""
        return _joined(self.namespace, "events", category, entity, event_type, event_id)

    def category_events(self, category: str) -> str:
        """All events of a category."""
        return f"{self.namespace}.events.{category}.>"

    def job_history(self, job_id: str) -> str:
        """All events of one job."""
        return f"{self.namespace}.events.job.{job_id}.>"

    def live_of(self, events_subject: str) -> str:
        """The live repetition of a subject of events."""
        return events_subject.replace(".events.", ".live.", 1)

    # Statistics

    @property
    def stats_stream(self) -> str:
        """The roll-ups of the events."""
        return self._stream("STATS")

    @property
    def stats(self) -> str:
        """All of them, and how far each log has come."""
        return f"{self.namespace}.stats.>"

    def stats_head(self, log: str) -> str:
        """How far the roll-ups of a log have come; ``*`` for those of all logs that there ever were."""
        return f"{self.namespace}.stats.head.{log}"

    def rollup(self, unit: str, view: str, log: str, period: int | str, *place: int | str) -> str:
        """A part of one view of a roll-up; ``*`` for any.

        Args:
            place: the sequence of the head it follows, of the first event that it counts, and the number of the part.
        """
        return f"{self.namespace}.stats.{unit}.{view}.{log}.{period}.{'.'.join(map(str, place))}"

    # Processors of events

    @property
    def processors_stream(self) -> str:
        """The events that durable processors could not process, and those that they are to process again."""
        return self._stream("PROCESSORS")

    @property
    def processor_records(self) -> str:
        """All of these."""
        return f"{self.namespace}.processors.*.*.*"

    def processor_consumer(self, processor: str) -> str:
        """The durable consumer that all processes of a processor share."""
        return f"processor-{processor}"

    def dead_event(self, processor: str, sequence: int | str) -> str:
        """An event, by its sequence in the log, that a processor has given up; ``*`` for all."""
        return f"{self.namespace}.processors.{processor}.dead.{sequence}"

    def event_again(self, processor: str, sequence: int | str) -> str:
        """One that it is to process again."""
        return f"{self.namespace}.processors.{processor}.again.{sequence}"

    # State

    @property
    def workers_bucket(self) -> str:
        """One record a worker; it vanishes when the worker no longer renews it."""
        return self._stream("WORKERS")

    @property
    def leader_bucket(self) -> str:
        """Who leads the schedulers."""
        return self._stream("LEADER")

    @property
    def queues_bucket(self) -> str:
        """The limits of each queue."""
        return self._stream("QUEUES")

    @property
    def unique_bucket(self) -> str:
        """The unique keys that are taken."""
        return self._stream("UNIQUE")

    @property
    def rates_bucket(self) -> str:
        """The places in the rates of the queues that are taken."""
        return self._stream("RATES")

    @property
    def alerts_bucket(self) -> str:
        """What is known of the alerts of each rule, and which of them are silenced or acknowledged."""
        return self._stream("ALERTS")

    def bucket_stream(self, bucket: str) -> str:
        """The stream behind a key-value bucket."""
        return f"KV_{bucket}"

    def bucket_key(self, bucket: str, key: str) -> str:
        """The subject of one key of a bucket."""
        return f"$KV.{bucket}.{key}"
