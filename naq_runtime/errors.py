"""Every error that this package raises on purpose.

::

    NaqError
    ├── ConfigError              a setting is unknown, malformed or out of range
    │   └── InvalidRule          a rule of alerts cannot be read
    ├── InvalidName              a queue, worker, job or namespace name cannot be used on the wire
    ├── FilterError              a filter of events cannot be understood, and where
    ├── InvalidSchedule          a schedule that cannot be kept: its cron expression, zone or numbers
    ├── TaskError
    │   ├── NotImportable        the function cannot be found again by a worker
    │   ├── UnknownTask          the worker was not given this function
    │   └── ModuleNotLoaded      a module of tasks does not import
    ├── SerializationError       a value has no JSON form, or bytes are not what they should be
    │   ├── ArgumentError        a job's arguments do not fit the function
    │   └── ArchiveError         a file of exported events cannot be read
    ├── JobRefused               the job was not enqueued
    │   ├── DuplicateJob         a job of this id, or of this unique key, is there already
    │   ├── DuplicateSchedule    a schedule of this id is there already
    │   ├── UnknownDependency    a job that it depends on is not known
    │   ├── DependencyCycle      it depends on itself, by way of others
    │   ├── PayloadTooLarge      above the server's limit for one message
    │   └── QueueFull            the stream has reached a limit
    ├── JobFailed                the job ended without a result
    ├── JobCancelled             the job was cancelled
    ├── TimedOut                 the job took longer than it may
    ├── ProcessCrashed           the process that ran the job died
    ├── WorkerKilled             the job took its worker with it, again and again
    ├── ResultTimeout            the job did not end in time
    ├── NotFound                 no such job
    ├── NameTaken                a worker of this name runs already
    ├── ProcessingError          an event was not processed
    │   ├── Rejected             it never will be: to try again is of no use
    │   └── Unavailable          what it takes to process any event is away for now
    └── ServerError              the NATS server cannot be reached or used
        ├── ServerUnreachable
        ├── NotAuthorised
        ├── ServerTooOld
        ├── JetStreamUnavailable
        ├── StreamMissing        a stream of ours is not there
        ├── TopologyMismatch     a stream of ours exists with other settings
        ├── ServerNotInstalled   there is no nats-server to start
        ├── MessageTooLarge      one message is above the server's limit
        └── JetStreamError       any other refusal of the server, with its code

A message says what was wrong and what to do about it, in one or two lines.
"""

from __future__ import annotations

__all__ = [
    "ArchiveError",
    "ArgumentError",
    "ConfigError",
    "DependencyCycle",
    "DuplicateJob",
    "DuplicateSchedule",
    "FilterError",
    "InvalidName",
    "InvalidRule",
    "InvalidSchedule",
    "JetStreamError",
    "JetStreamUnavailable",
    "JobCancelled",
    "JobFailed",
    "JobRefused",
    "MessageTooLarge",
    "ModuleNotLoaded",
    "NameTaken",
    "NaqError",
    "NotAuthorised",
    "NotFound",
    "NotImportable",
    "PayloadTooLarge",
    "ProcessCrashed",
    "ProcessingError",
    "QueueFull",
    "Rejected",
    "ResultTimeout",
    "SerializationError",
    "ServerError",
    "ServerNotInstalled",
    "ServerTooOld",
    "ServerUnreachable",
    "StreamMissing",
    "TaskError",
    "TimedOut",
    "TopologyMismatch",
    "Unavailable",
    "UnknownDependency",
    "UnknownTask",
    "WorkerKilled",
]


class NaqError(Exception):
    """The root: catch this to catch everything that naq raises on purpose."""


class ConfigError(NaqError):
    """A setting is unknown, malformed or out of range."""


class InvalidRule(ConfigError):
    """A rule of alerts that cannot be read.

    Attributes:
        column: where, from 1.
    """

    def __init__(self, message: str, column: int) -> None:
        super().__init__(f"column {column}: {message}")
        self.column = column


class InvalidName(NaqError, ValueError):
    """A name cannot be used as one token of a NATS subject."""


class FilterError(NaqError, ValueError):
    """A filter of events cannot be understood.

    Attributes:
        reason: what is wrong, and what was expected.
        text: the filter as it was given, ``None`` when it was not given as text.
        position: the index in the text of what is wrong, from 0 up to its length.
    """

    def __init__(self, reason: str, text: str | None = None, position: int = 0) -> None:
        super().__init__(reason if text is None else f"the filter is wrong at column {position + 1}: {reason}")
        self.reason = reason
        self.text = text
        self.position = position


class InvalidSchedule(NaqError, ValueError):
    """A schedule cannot be kept: its cron expression, its time zone or one of its numbers."""


class TaskError(NaqError):
    """A function cannot be used as a task."""


class NotImportable(TaskError):
    """A worker could not find the function again by its module and name."""


class UnknownTask(TaskError):
    """The worker was not given this function, so it will not run it."""


class ModuleNotLoaded(TaskError):
    """A module of tasks does not import."""


class SerializationError(NaqError, ValueError):
    """A value has no JSON form, or bytes do not decode to what was expected."""


class ArchiveError(SerializationError):
    """A file of exported events cannot be read, or is of a version that is not known."""


class ArgumentError(SerializationError):
    """A job's arguments do not fit the signature or the annotations of its function."""


class JobRefused(NaqError):
    """The job was not enqueued; nothing was stored."""


class DuplicateJob(JobRefused):
    """A job of this id has not ended yet, or one of this unique key was enqueued within its time.

    Attributes:
        job_id: the job that is there, ``None`` when it is not known.
    """

    def __init__(self, message: str, job_id: str | None = None) -> None:
        super().__init__(message)
        self.job_id = job_id


class DuplicateSchedule(JobRefused):
    """A schedule of this id is there already."""


class UnknownDependency(JobRefused):
    """A job that it depends on is neither there, nor has it left an outcome."""


class DependencyCycle(JobRefused):
    """The job would wait for itself, by way of others."""


class PayloadTooLarge(JobRefused):
    """The encoded job is larger than one message may be."""


class QueueFull(JobRefused):
    """The job stream has reached a limit of messages, bytes or disk."""


class JobFailed(NaqError):
    """The job ended without a result.

    Attributes:
        job_id: the job.
        error_type: the class name of the error that the job raised.
        error_message: its text.
        traceback: the formatted traceback of the worker, or an empty string.
    """

    def __init__(self, job_id: str, error_type: str, error_message: str, traceback: str = "") -> None:
        super().__init__(f"job {job_id} failed: {error_type}: {error_message}")
        self.job_id = job_id
        self.error_type = error_type
        self.error_message = error_message
        self.traceback = traceback


class JobCancelled(NaqError):
    """The job was cancelled.

    Attributes:
        job_id: the job.
        reason: as the one who cancelled it said.
    """

    def __init__(self, job_id: str, reason: str = "") -> None:
        super().__init__(f"job {job_id} was cancelled: {reason}" if reason else f"job {job_id} was cancelled")
        self.job_id = job_id
        self.reason = reason


class TimedOut(NaqError, TimeoutError):
    """The job took longer than it may."""


class ProcessCrashed(NaqError):
    """The process that ran the job died."""


class WorkerKilled(NaqError):
    """The workers that ran the job died with it in their hands, too often for it to be tried again."""


class ResultTimeout(NaqError, TimeoutError):
    """The job did not end within the time that the caller was ready to wait."""


class NotFound(NaqError, LookupError):
    """There is no such job, or what was known of it has expired."""


class NameTaken(NaqError):
    """A worker of this name runs already."""


class ProcessingError(NaqError):
    """An event was not processed; it may be the next time."""


class Rejected(ProcessingError):
    """An event will never be processed: it becomes a dead letter at once."""


class Unavailable(ProcessingError):
    """What it takes to process any event is away for now. It speaks against no event: all of them wait.

    Attributes:
        retry_after_s: for how long it said that it would be away; ``None`` when it did not say.
    """

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ServerError(NaqError):
    """The NATS server cannot be reached or used."""


class ServerUnreachable(ServerError):
    """Nothing answers at the server's address."""


class NotAuthorised(ServerError):
    """The server refused the credentials or the permission."""


class ServerTooOld(ServerError):
    """The server lacks a feature that naq needs."""


class JetStreamUnavailable(ServerError):
    """The server runs without JetStream, or the account may not use it."""


class StreamMissing(ServerError):
    """A stream of ours is not there: nothing was ever written to it, or it was deleted."""


class TopologyMismatch(ServerError):
    """A stream or consumer of ours exists with settings that naq cannot work with."""


class ServerNotInstalled(ServerError):
    """There is no nats-server binary that could be started."""


class MessageTooLarge(ServerError):
    """One message is larger than the server accepts."""


class JetStreamError(ServerError):
    """A refusal of the server that has no class of its own.

    Attributes:
        code: the server's error code (``err_code`` of the JetStream API), 0 when it gave none.
        description: the server's own words.
    """

    def __init__(self, code: int, description: str) -> None:
        super().__init__(f"the server refused: {description} (code {code})")
        self.code = code
        self.description = description
