"""The tables ``[processors.NAME]`` of the config: what each kind can be told.

Secrets stay out of the file: ``${NAME}`` in an address, a header or a secret stands for a variable of the
environment, and is put in only where it is used, so that no config that is shown has it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta, Struct, field

from naq_runtime.errors import ConfigError

__all__ = [
    "KINDS",
    "CommandSettings",
    "FunctionSettings",
    "LogFileSettings",
    "ProcessorSettings",
    "Settings",
    "TracesSettings",
    "WebhookConfig",
    "WebhookSettings",
    "with_environment",
]

Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Retries = Annotated[int, Meta(ge=0, le=1000)]

_VARIABLE = re.compile(r"\$\{(\w+)\}")


class WebhookConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where and how to post. Address, headers and secret may contain ``${NAME}`` for a variable of the environment."""

    url: str
    """``https://…`` or ``http://…``."""
    headers: dict[str, str] = field(default_factory=dict)
    """More headers of each request."""
    secret: str | None = None
    """Signs each request, as https://www.standardwebhooks.com says: ``whsec_`` and base64, or any text."""
    timeout: Seconds = 10.0
    """A receiver that has not answered by then is not available."""
    retries: Retries = 5
    """How often a request is repeated that was not answered well."""

    def __repr__(self) -> str:
        headers = dict.fromkeys(self.headers, "(hidden)")
        secret = None if self.secret is None else "(hidden)"
        return (
            f"WebhookConfig(url={shown_url(self.url)!r}, headers={headers!r}, secret={secret!r}, "
            f"timeout={self.timeout!r}, retries={self.retries!r})"
        )


class ProcessorSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What all kinds have."""

    filter: str | dict[str, str] = ""
    """A filter as text, or values by field."""
    batch: Annotated[int, Meta(ge=1, le=1000)] = 1
    """Events at a time, at most."""
    start: str = "new"
    """Where it begins the first time: ``new``, ``beginning``, or a moment such as ``2026-11-27T08:00:00Z``."""
    retries: Retries = 5
    """An event that has failed so often more becomes a dead event."""
    ack_wait: Annotated[float, Meta(ge=1, le=86_400)] = 30.0
    """A process that is silent for so long has lost its events to the others."""

    def __post_init__(self) -> None:
        if self.start not in ("new", "beginning"):
            try:
                moment = datetime.fromisoformat(self.start)
            except ValueError:
                moment = None
            if moment is None or moment.tzinfo is None:
                raise ValueError(
                    f"Expected `start` to be new, beginning or a moment with its zone (2026-11-27T08:00:00Z), "
                    f"got {self.start!r}"
                )


class WebhookSettings(ProcessorSettings, frozen=True, kw_only=True, tag="webhook"):
    """Posts events to an address: one as an object, or with a ``batch`` above 1 as a list. See `WebhookConfig`."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)
    secret: str | None = None
    timeout: Seconds = 10.0

    def __repr__(self) -> str:
        return f"WebhookSettings({self.webhook!r})"

    @property
    def webhook(self) -> WebhookConfig:
        """Where and how to post."""
        return WebhookConfig(
            url=self.url, headers=self.headers, secret=self.secret, timeout=self.timeout, retries=self.retries
        )


class CommandSettings(ProcessorSettings, frozen=True, kw_only=True, tag="command"):
    """Runs a program for each batch, with the events as lines of JSON."""

    command: list[str] | str
    """The program and its arguments; one text for a shell needs ``shell``."""
    shell: bool = False
    timeout: Seconds = 60.0
    """What runs longer is killed."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.command, str) != self.shell:
            raise ValueError("Expected `command` to be a list of texts, or one text together with shell = true")
        if not self.command:
            raise ValueError("Expected `command` to name a program")


class LogFileSettings(ProcessorSettings, frozen=True, kw_only=True, tag="logfile"):
    """Writes events to a file, as lines of JSON."""

    path: Annotated[str, Meta(min_length=1)]
    batch: Annotated[int, Meta(ge=1, le=1000)] = 500
    rotate_bytes: Annotated[int, Meta(ge=0)] = 100 * 1024 * 1024
    """A file that is so large is put aside; 0 for never."""
    rotate_every: Annotated[float, Meta(ge=0, le=366 * 86_400)] = 0.0
    """It is put aside at each multiple of so many seconds (86400: at midnight UTC); 0 for never."""
    keep: Annotated[int, Meta(ge=1, le=10_000)] = 10
    """So many that were put aside, as ``PATH.1`` (the latest), ``PATH.2`` …"""
    fsync: bool = False
    """Whether events are on the disk before they are acknowledged, and not only with the operating system."""


class FunctionSettings(ProcessorSettings, frozen=True, kw_only=True, tag="function"):
    """Calls an async function of a module."""

    function: Annotated[str, Meta(pattern=r"^[\w.]+:[\w.]+$")]
    """``module:function``; it gets a `StoredEvent`, or with a ``batch`` above 1 a list of them."""


class TracesSettings(ProcessorSettings, frozen=True, kw_only=True, tag="otel"):
    """Makes OpenTelemetry spans of the events of jobs, and exports them as the variables ``OTEL_…`` say."""

    batch: Annotated[int, Meta(ge=1, le=1000)] = 500


Settings = WebhookSettings | CommandSettings | LogFileSettings | FunctionSettings | TracesSettings

KINDS = ("command", "function", "logfile", "otel", "webhook")


def with_environment(text: str, environ: Mapping[str, str], key: str) -> str:
    """The text, with each ``${NAME}`` replaced.

    Raises:
        ConfigError: a variable is not set, or empty; ``key`` says where it stands.
    """

    def value(found: re.Match[str]) -> str:
        if given := environ.get(found[1]):
            return given
        raise ConfigError(f"setting {key}: the environment variable {found[1]} is not set; set it, or change the file")

    return _VARIABLE.sub(value, text)


def shown_url(url: str) -> str:
    """Where it leads, and no more: user, path and query may be secrets."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "(hidden)"
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}"
