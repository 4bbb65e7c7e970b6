"""The pages of the manual, ``man naq`` and ``man naq-top``, made of what the commands say of themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from naq_runtime.version import VERSION
from naq_tui.cli.tree import Command, commands, groups, option_help, option_names

__all__ = ["man_page"]

_ABOUT = {
    "naq": "a job queue on NATS JetStream that records everything",
    "naq-top": "watch jobs, queues, workers and events as they happen",
}
_EXIT_CODES = (
    (0, "Done."),
    (1, "An unexpected failure; or some of several things could not be done, each with a line on stderr."),
    (2, "Usage, invalid input, or a question that nobody was there to answer."),
    (3, "The server cannot be reached or used."),
    (4, "Not found."),
    (5, "A condition did not hold: the job failed, was cancelled, or did not end in time; or an alert fires."),
    (130, "Interrupted, or the answer was no."),
)
_ENVIRONMENT = (
    ("NAQ_NATS_URL", "The server, as --server."),
    ("NAQ_NAMESPACE", "The namespace, as --namespace."),
    ("NAQ_CONFIG", "A file with settings, as --config."),
    ("NO_COLOR", "Print without colours."),
)
_FILES = (("./naq.toml", "Settings of this folder."), ("~/.config/naq/config.toml", "Settings of the user."))


def man_page(program: str) -> str:
    """The page of one program, in roff."""
    return "\n".join(_lines(program)) + "\n"


def _lines(program: str) -> Iterator[str]:
    found = list(commands(program))
    yield f'.TH {program.upper()} 1 "" "naq {VERSION}" "User Commands"'
    yield f".SH NAME\n{_text(program)} \\- {_text(_ABOUT[program])}"
    yield f".SH SYNOPSIS\n.B {_text(program)}"
    yield "[OPTIONS]" if program == "naq-top" else "COMMAND [OPTIONS] [ARGS]..."
    if program == "naq-top":
        yield ".SH DESCRIPTION"
        yield from _told(found[0])
        yield ".SH OPTIONS"
        yield from _options(found[0].options)
    else:
        for title, names in groups().items():
            yield f'.SH "{_text(title.upper())}"'
            for command in found:
                if command.name.split()[1] in names:
                    yield f'.SS "{_text(command.name)} {_text(command.usage)}"'
                    yield from _told(command)
                    yield from _options([*command.arguments, *command.options])
    yield '.SH "SHARED OPTIONS"'
    yield from _options(found[0].shared_options)
    yield from _listed("EXIT STATUS", _EXIT_CODES)
    yield from _listed("ENVIRONMENT", _ENVIRONMENT)
    yield from _listed("FILES", _FILES)
    other = "naq-top" if program == "naq" else "naq"
    yield f'.SH "SEE ALSO"\n.BR {_text(other)} (1)'


def _told(command: Command) -> Iterator[str]:
    yield "\n.PP\n".join(_text(part) for part in command.paragraphs)
    if command.example:
        yield f".PP\n.RS 4\n.nf\n$ {_text(command.example)}\n.fi\n.RE"


def _options(found: Sequence[Any]) -> Iterator[str]:
    for one in found:
        is_argument = one.param_type_name == "argument"
        names = one.human_readable_name if is_argument else ", ".join(option_names(one))
        yield f".TP\n.B {_text(names)}\n{_text(one.help or '' if is_argument else option_help(one))}"


def _listed(title: str, rows: Sequence[tuple[object, str]]) -> Iterator[str]:
    yield f'.SH "{title}"'
    for name, meaning in rows:
        yield f".TP\n.B {_text(str(name))}\n{_text(meaning)}"


def _text(text: str) -> str:
    """What roff prints as it is: a dot or an apostrophe at the beginning of a line would be a request."""
    plain = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")
    return "\n".join(f"\\&{line}" if line.startswith((".", "'")) else line for line in plain.split("\n"))
