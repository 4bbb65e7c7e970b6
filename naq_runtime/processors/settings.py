"""The tables ``[processors.NAME]`` of the config: what each kind can be told.

Secrets stay out of the file: ``${NAME}`` in an address, a header or a secret stands for a variable of the
environment, and is put in only where it is used, so that no config that is shown has it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta, Struct, field

from naq_runtime.errors import ConfigError

__all__ = ["WebhookConfig", "with_environment"]

Seconds = Annotated[float, Meta(gt=0, le=86_400)]

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
    retries: Annotated[int, Meta(ge=0, le=1000)] = 5
    """How often a request is repeated that was not answered well."""

    def __repr__(self) -> str:
        headers = dict.fromkeys(self.headers, "(hidden)")
        secret = None if self.secret is None else "(hidden)"
        return (
            f"WebhookConfig(url={shown_url(self.url)!r}, headers={headers!r}, secret={secret!r}, "
            f"timeout={self.timeout!r}, retries={self.retries!r})"
        )


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
