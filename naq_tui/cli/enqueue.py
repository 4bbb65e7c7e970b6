"""``naq enqueue``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from naq_runtime.config import NAQConfig

__all__ = ["enqueue"]

_LONGEST_S = 10 * 365 * 86_400


async def enqueue(
    function: Annotated[str, typer.Argument(help="The function, as module.name.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[ARG]...", help="JSON where it is JSON, else text.")
    ] = None,
    *,
    kwarg: Annotated[
        list[str] | None, typer.Option("--kwarg", "-k", metavar="NAME=VALUE", help="Argument by name; may be repeated.")
    ] = None,
    queue: Annotated[str, typer.Option("--queue", "-q", help="The queue.")] = "default",
    job_id: Annotated[str | None, typer.Option("--id", help="Id of the job; made up when left out.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the job to end, and print its result.")] = False,
    wait_timeout: Annotated[
        float | None, typer.Option("--wait-timeout", metavar="SECONDS", help="Wait no longer than this.")
    ] = None,
    config: NAQConfig,
) -> None:
    """Put a job into a queue, and print its id, or with --wait its result as JSON.

    Ends with 5 when the job failed or did not end in time.

    Example: naq enqueue tasks.count_words '"to be or not"' --wait
    """
    import msgspec

    from naq_runtime.job import Job
    from naq_runtime.naming import new_id
    from naq_runtime.queue import Queue

    if wait_timeout is not None and not 0 <= wait_timeout < _LONGEST_S:
        raise typer.BadParameter("expected a number of seconds", param_hint="--wait-timeout")
    values = tuple(_value(text) for text in arguments or ())
    named = dict(_named(text) for text in kwarg or ())
    job = Job(function, values, named, job_id=new_id() if job_id is None else job_id)
    async with Queue(queue, config=config) as opened:
        handle = await opened.enqueue_job(job)
        if not wait:
            print(handle.job_id)
            return
        typer.echo(f"job {handle.job_id} is in queue {queue}", err=True)
        print(msgspec.json.encode(await handle.result(wait_timeout)).decode())


def _value(text: str) -> Any:
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
    return name, _value(value)
