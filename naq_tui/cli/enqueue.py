"""``naq enqueue``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from naq_tui.cli import completing
from naq_tui.cli.context import EXIT_USAGE, fail
from naq_tui.cli.format import a_moment, a_span
from naq_tui.cli.scheduling import Cron, Every, Zone, given, keep

if TYPE_CHECKING:
    from naq_runtime.config import NAQConfig
    from naq_runtime.job import After, Job

__all__ = ["enqueue", "job_of", "value_of"]

Function = Annotated[str, typer.Argument(metavar="FUNCTION", help="The function, as module.name.")]
Arguments = Annotated[list[str] | None, typer.Argument(metavar="[ARG]...", help="JSON where it is JSON, else text.")]
Kwarg = Annotated[
    list[str] | None, typer.Option("--kwarg", "-k", metavar="NAME=VALUE", help="Argument by name; may be repeated.")
]
QueueName = Annotated[str, typer.Option("--queue", "-q", autocompletion=completing.queues, help="The queue.")]
JobId = Annotated[str | None, typer.Option("--id", help="Id of the job, or of the schedule; made up when left out.")]
Delay = Annotated[
    float | None, typer.Option("--in", metavar="SPAN", parser=a_span, help="Not before so long: 90s, 5m, 2h, 1d.")
]
Moment = Annotated[
    int | None,
    typer.Option("--at", metavar="TIME", parser=a_moment, help="Not before then: 14:30, 2026-03-01T14:30+01:00."),
]
AfterSuccess = Annotated[
    list[str] | None,
    typer.Option(
        "--after", metavar="JOB", autocompletion=completing.jobs, help="Once this job has succeeded; may be repeated."
    ),
]
AfterFailure = Annotated[
    list[str] | None,
    typer.Option(metavar="JOB", autocompletion=completing.jobs, help="Once this job has failed or was cancelled."),
]
AfterAny = Annotated[
    list[str] | None,
    typer.Option(metavar="JOB", autocompletion=completing.jobs, help="Once this job has ended in any way."),
]
OnUnknown = Annotated[
    Literal["refuse", "wait"],
    typer.Option("--on-unknown-dependency", help="When one of these jobs is not known: refuse this one, or wait."),
]
Retries = Annotated[int | None, typer.Option(metavar="N", help="Tries after an error, instead of the task's number.")]
TimeLimit = Annotated[float | None, typer.Option(metavar="SPAN", parser=a_span, help="What an attempt may take.")]
ResultTtl = Annotated[float | None, typer.Option(metavar="SPAN", parser=a_span, help="How long the result is kept.")]
UniqueKey = Annotated[str | None, typer.Option(metavar="KEY", help="Refuse it while another job has this key.")]
UniqueFor = Annotated[float | None, typer.Option(metavar="SPAN", parser=a_span, help="How long it has its key.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait for the job to end, and print its result.")]
WaitTimeout = Annotated[float | None, typer.Option(metavar="SPAN", parser=a_span, help="Wait so long at most.")]


async def enqueue(
    function: Function,
    arguments: Arguments = None,
    *,
    kwarg: Kwarg = None,
    queue: QueueName = "default",
    job_id: JobId = None,
    delay: Delay = None,
    moment: Moment = None,
    cron: Cron = None,
    every: Every = None,
    timezone: Zone = None,
    after: AfterSuccess = None,
    after_failure: AfterFailure = None,
    after_any: AfterAny = None,
    on_unknown: OnUnknown = "refuse",
    retries: Retries = None,
    time_limit: TimeLimit = None,
    result_ttl: ResultTtl = None,
    unique_key: UniqueKey = None,
    unique_for: UniqueFor = None,
    wait: Wait = False,
    wait_timeout: WaitTimeout = None,
    config: NAQConfig,
) -> None:
    """Put a job into a queue, and print its id, or with --wait its result as JSON.

    One that is to run after others is cancelled when they do not end as they should. A time of day is a local one, the
    next that comes. With --cron or --every it makes a schedule, and prints the schedule's id: see naq schedule add.
    Ends with 5 when the job that was waited for failed or did not end in time.

    Example: naq enqueue tasks.count_words '"to be or not"' --wait
    """
    wishes = {"queue_name": queue, "retries": retries, "timeout": time_limit, "result_ttl": result_ttl}
    if recurring := given(cron=cron, every=every, timezone=timezone):
        others = {
            "--in": delay,
            "--at": moment,
            "--after": after,
            "--after-failure": after_failure,
            "--after-any": after_any,
            "--unique-key": unique_key,
            "--unique-for": unique_for,
            "--wait": wait or None,
            "--wait-timeout": wait_timeout,
        }
        _check_recurs(recurring, others)
        job = job_of(function, arguments, kwarg, **wishes)
        await keep(job, recurring | given(schedule_id=job_id), config)
        return
    job = job_of(
        function,
        arguments,
        kwarg,
        **wishes,
        **({} if job_id is None else {"job_id": job_id}),
        run_at_ns=_run_at_ns(delay, moment),
        depends_on=_needs(after, after_failure, after_any),
        on_unknown_dependency=on_unknown,
        **_uniqueness(unique_key, unique_for),
    )
    await _put(job, queue, config, wait=wait, wait_timeout_s=wait_timeout)


async def _put(job: Job, queue: str, config: NAQConfig, *, wait: bool, wait_timeout_s: float | None) -> None:
    from naq_runtime.queue import Queue
    from naq_tui.cli.acting import print_result

    async with Queue(queue, config=config) as opened:
        handle = await opened.enqueue_job(job)
        if not wait:
            print(handle.job_id)
            return
        typer.echo(f"job {handle.job_id} is in queue {queue}", err=True)
        print_result(await handle.outcome(wait_timeout_s))


def job_of(function: str, arguments: list[str] | None, kwarg: list[str] | None, **wishes: Any) -> Job:
    """The job of a command line.

    Args:
        arguments: each JSON, or text.
        kwarg: each ``NAME=VALUE``.
        wishes: other fields of the job.
    """
    from naq_runtime.errors import NaqError
    from naq_runtime.job import Job

    args = tuple(value_of(text) for text in arguments or ())
    kwargs = dict(_named(text) for text in kwarg or ())
    try:
        return Job(function, args, kwargs, **wishes)
    except NaqError:
        raise
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _check_recurs(recurring: dict[str, Any], others: dict[str, Any]) -> None:
    """End the command when an option does not go with a schedule."""
    if "timezone" in recurring and "cron" not in recurring:
        fail("--timezone goes with --cron", EXIT_USAGE)
    for name, value in others.items():
        if value is not None and value != []:
            fail(f"{name} does not go with --cron and --every, which make a schedule of jobs, not one job", EXIT_USAGE)


def _run_at_ns(delay: float | None, moment: int | None) -> int:
    """When it becomes runnable; 0 for at once."""
    import time

    if delay is not None and moment is not None:
        raise typer.BadParameter("the time is said twice, by --in and by --at", param_hint="--at")
    if delay is not None:
        return time.time_ns() + int(delay * 1e9)
    return max(moment or 0, 0)


def _needs(success: list[str] | None, failure: list[str] | None, always: list[str] | None) -> tuple[After, ...]:
    from naq_runtime.job import After

    return (
        *(After(job_id, "success") for job_id in success or ()),
        *(After(job_id, "failure") for job_id in failure or ()),
        *(After(job_id, "always") for job_id in always or ()),
    )


def _uniqueness(key: str | None, span_s: float | None) -> dict[str, Any]:
    if (key is None) != (span_s is None):
        raise typer.BadParameter("--unique-key and --unique-for go together", param_hint="--unique-key/--unique-for")
    return {"unique_key": key, "unique_for": span_s}


def value_of(text: str) -> Any:
    """JSON where it parses as JSON, else the text itself."""
    import msgspec

    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return text


def _named(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not separator or not name.isidentifier():
        raise typer.BadParameter(f"expected NAME=VALUE, got {text!r}", param_hint="--kwarg")
    return name, value_of(value)
