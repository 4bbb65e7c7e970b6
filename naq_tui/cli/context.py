"""What all commands share: the options of the connection, the settings, and how an error ends the command."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, get_type_hints

import typer

from naq_runtime.errors import (
    FilterError,
    JobFailed,
    NaqError,
    NotFound,
    QueueFull,
    ResultTimeout,
    ServerError,
)
from naq_runtime.hangup import hold_hangups
from naq_tui.cli import completing
from naq_tui.cli.format import a_span
from naq_tui.text import inert

if TYPE_CHECKING:
    from naq_runtime.config import NAQConfig, ReadSettings
    from naq_runtime.config_layers import Layer, Source

__all__ = [
    "EXIT_FAILURE",
    "EXIT_USAGE",
    "SHARED_FLAGS",
    "SHARED_NAMES",
    "SHARED_VALUED",
    "command",
    "config_of",
    "fail",
]

_MESSAGE_LIMIT = 2_000
_BEFORE_MARK = 60
"""Characters of a filter that are shown on each side of what is wrong."""

EXIT_FAILURE = 1
EXIT_USAGE = 2
EXIT_SERVER = 3
EXIT_NOT_FOUND = 4
EXIT_CONDITION = 5
EXIT_INTERRUPTED = 130

_EXIT_CODES: tuple[tuple[type[NaqError], int], ...] = (
    (QueueFull, EXIT_SERVER),
    (ServerError, EXIT_SERVER),
    (NotFound, EXIT_NOT_FOUND),
    (JobFailed, EXIT_CONDITION),
    (ResultTimeout, EXIT_CONDITION),
    (NaqError, EXIT_USAGE),
)

Server = Annotated[str | None, typer.Option("--server", metavar="URL", help="NATS server; several parted by commas.")]
Context = Annotated[
    str | None,
    typer.Option(
        "--context",
        metavar="NAME",
        autocompletion=completing.contexts,
        help="A context of the nats tool; @selected for its own.",
    ),
]
Profile = Annotated[
    str | None,
    typer.Option(
        "--profile", metavar="NAME", autocompletion=completing.profiles, help="A table [profiles.NAME] of the file."
    ),
]
Namespace = Annotated[str | None, typer.Option("--namespace", help="Prefix of all subjects and streams.")]
Timeout = Annotated[
    float | None,
    typer.Option("--timeout", metavar="SPAN", parser=a_span, help="Patience with the server, such as 10s."),
]
ConfigFile = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="A TOML file with settings.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show logs and tracebacks.")]

_SHARED: dict[str, tuple[Any, Any]] = {
    "server": (Server, None),
    "nats_context": (Context, None),
    "namespace": (Namespace, None),
    "timeout": (Timeout, None),
    "config_file": (ConfigFile, None),
    "profile": (Profile, None),
    "debug": (Debug, False),
}

SHARED_NAMES = frozenset(_SHARED)
"""The names of the parameters that all commands have."""
SHARED_FLAGS = frozenset({"--debug"})
"""The shared options that take nothing."""
SHARED_VALUED = frozenset({"--server", "--context", "--namespace", "--timeout", "--config", "--profile"})
"""Those that take something."""

_GIVEN = ("config", "config_layers", "read", "source", "reload")
"""Parameters that are no options."""


def command(function: Callable[..., Any]) -> Callable[..., None]:
    """Make a function a command: it gets ``config``, and the shared options come on top of its own.

    One that has a parameter ``reload`` gets a function that reads the settings again, with the same options; SIGHUP is
    held for it until it heeds that. One with ``config_layers`` gets the layers of sections that are each person's own.
    One with ``read`` gets a function that reads the settings past all mistakes, and one with ``source`` what was named
    to read them from. An async function is run to its end. An error of ours ends
    the command with its exit code and one line on stderr.
    """
    taken = inspect.signature(function).parameters
    own = {name: p for name, p in taken.items() if name not in _GIVEN}
    names = dict.fromkeys(("NAQConfig", "ReadSettings", "Source", "Layer"), object) | {"Callable": Callable}
    hints = get_type_hints(function, localns=names, include_extras=True)

    @functools.wraps(function)
    def run(**values: Any) -> None:
        shared = {name: values.pop(name) for name in _SHARED}
        with _ending(shared["debug"]):
            values |= _given(taken, shared)
            import asyncio

            from naq_tui.cli.logs import log_to_stderr

            log_to_stderr(_level_of(values, shared["debug"]))
            outcome = function(**values)
            if inspect.iscoroutine(outcome):
                asyncio.run(outcome)

    parameters = [p.replace(annotation=hints[name]) for name, p in own.items()]
    parameters += [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default)
        for name, (kind, default) in _SHARED.items()
    ]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run


def _given(taken: Container[str], shared: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a command that are no options, those that it takes."""
    if "reload" in taken:
        hold_hangups()
    later = {"reload": functools.partial(_config, shared), "read": functools.partial(_read, shared)}
    now = {"config": _config, "config_layers": _layers, "source": _source}
    return {name: call for name, call in later.items() if name in taken} | {
        name: read(shared) for name, read in now.items() if name in taken
    }


def fail(message: str, code: int, details: Sequence[str] = ()) -> NoReturn:
    """End the command with a line on stderr, and more lines, which must be inert, below it."""
    print(f"{Path(sys.argv[0]).stem or 'naq'}: {inert(message, _MESSAGE_LIMIT)}", *details, sep="\n", file=sys.stderr)
    raise typer.Exit(code)


def _pointed(error: FilterError) -> Sequence[str]:
    """The part of a filter that is wrong, with a mark under it."""
    if error.text is None:
        return ()
    from rich.cells import cell_len

    begin = max(0, error.position - _BEFORE_MARK)
    before = inert(error.text[begin : error.position])
    return f"  {before}{inert(error.text[error.position :], _BEFORE_MARK)}", f"  {' ' * cell_len(before)}^"


def _source(shared: dict[str, Any]) -> Source:
    from naq_runtime.config_layers import Source

    return Source(shared["config_file"], shared["nats_context"], shared["profile"])


def _layers(shared: dict[str, Any]) -> Sequence[Layer]:
    from naq_runtime.config_layers import section_layers

    return section_layers(_source(shared))


def config_of(params: Mapping[str, Any]) -> NAQConfig:
    """The settings of a command line that is not complete yet, by what is given of the shared options."""
    return _config({name: params.get(name, default) for name, (_, default) in _SHARED.items()})


def _config(shared: dict[str, Any]) -> NAQConfig:
    return _read(shared).right()


def _read(shared: dict[str, Any]) -> ReadSettings:
    from naq_runtime.config import read_settings

    arguments = {
        "nats.url": shared["server"],
        "namespace": shared["namespace"],
        "nats.request_timeout": shared["timeout"],
        "nats.connect_timeout": shared["timeout"],
        "log.level": "debug" if shared["debug"] else None,
    }
    return read_settings(_source(shared), arguments=arguments)


def _level_of(values: dict[str, Any], debug: bool) -> str:
    """How much is said on stderr."""
    if "config" in values:
        return str(values["config"].log.level).upper()
    return "DEBUG" if debug else "INFO"


class _ending:
    """Turns the end of a command into its exit code."""

    def __init__(self, debug: bool) -> None:
        self._debug = debug

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, NaqError):
            if not self._debug:
                fail(str(error), exit_code(error), _pointed(error) if isinstance(error, FilterError) else ())
        elif isinstance(error, KeyboardInterrupt):
            raise typer.Exit(EXIT_INTERRUPTED) from None
        elif isinstance(error, BrokenPipeError):
            # Whoever read us has gone: let nothing more be written, not even at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        elif _is_unexpected(error) and not self._debug:
            fail(f"unexpected failure: {type(error).__name__}: {error}; --debug shows where", EXIT_FAILURE)


def _is_unexpected(error: BaseException | None) -> bool:
    """Whether it is neither ours, nor one by which typer ends a command."""
    return isinstance(error, Exception) and not type(error).__module__.startswith("typer")


def exit_code(error: NaqError) -> int:
    """The exit code that tells scripts what kind of error it was."""
    return next(code for kind, code in _EXIT_CODES if isinstance(error, kind))
