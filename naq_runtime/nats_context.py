"""The contexts of the ``nats`` tool: where a server is, and who somebody is to it, under a name.

They are files of JSON, ``~/.config/nats/context/NAME.json`` (``$XDG_CONFIG_HOME/nats/…``), which ``nats context add``
writes. What naq cannot do that one asks for is an error: to connect in another way would not be what was meant.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from naq_runtime.errors import ConfigError

__all__ = ["REPLACED", "SELECTED", "Context", "context_names", "read_context"]

SELECTED = "@selected"
"""Stands for the context that ``nats context select`` has chosen."""

_SETTINGS = {
    "url": "url",
    "user": "user",
    "password": "password",
    "token": "token",
    "creds": "creds",
    "nkey": "nkey",
    "cert": "tls_cert",
    "key": "tls_key",
    "ca": "tls_ca",
    "inbox_prefix": "inbox_prefix",
    "jetstream_domain": "jetstream_domain",
}
"""Which setting of ours a field is."""
_FILES = ("creds", "nkey", "cert", "key", "ca")
_CANNOT = (
    "socks_proxy",
    "user_jwt",
    "user_seed",
    "nsc",
    "jetstream_api_prefix",
    "windows_cert_store",
    "windows_cert_match_by",
    "windows_cert_match",
    "windows_ca_certs_match",
)
"""Fields that say how to connect, and that naq has nothing for. All others, as a description, change nothing."""
_REFERENCE = re.compile(r"(op|nsc|env|data):", re.IGNORECASE)

REPLACED = frozenset(f"nats.{name}" for name in (*_SETTINGS.values(), "tls_first"))
"""What a context says all of: who somebody is to one server is nobody to another."""


class Context(NamedTuple):
    """One context."""

    name: str
    file: Path
    settings: dict[str, Any]
    """Keys of the section ``nats``, and their values."""


def read_context(name: str, environ: Mapping[str, str]) -> Context:
    """A context by its name, or the one that was selected.

    Raises:
        ConfigError: there is none of this name, it cannot be read, or asks for what naq cannot do.
    """
    folder = _folder(environ)
    if name == SELECTED:
        name = _selected(folder)
    if not name or ".." in name or os.sep in name:
        raise ConfigError(f"context {name!r}: no name of a context")
    file = folder / "context" / f"{name}.json"
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(context_names(environ))
        there = f"there is {known}" if known else f"there is none in {folder / 'context'}"
        raise ConfigError(f"no context {name!r} ({there}); 'nats context add' makes one") from None
    except OSError as error:
        raise ConfigError(f"context {name}: cannot read {file}: {error.strerror}") from error
    except ValueError:
        raise ConfigError(f"context {name}: {file} is not valid JSON") from None  # the error would quote the file
    if not isinstance(content, dict):
        raise ConfigError(f"context {name}: {file} has no JSON object in it")
    return Context(name, file, _settings(name, content, environ))


def context_names(environ: Mapping[str, str]) -> list[str]:
    """The contexts there are."""
    folder = _folder(environ) / "context"
    return sorted(file.stem for file in folder.glob("*.json")) if folder.is_dir() else []


def _settings(name: str, content: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    if asked := [field for field in _CANNOT if content.get(field)]:
        raise ConfigError(f"context {name} asks for {', '.join(asked)}, which naq cannot do")
    found: dict[str, Any] = {}
    for field, key in _SETTINGS.items():
        value = content.get(field)
        if not value:
            continue
        if not isinstance(value, str):
            raise ConfigError(f"context {name}: {field}: expected a text")
        if _REFERENCE.match(value):
            scheme = value.partition(":")[0]
            raise ConfigError(f"context {name}: {field} refers to {scheme}:…, which naq cannot look up")
        found[key] = _path(value, environ) if field in _FILES else value
    if "user" in found:
        found.setdefault("password", "")
    if content.get("tls_first") is True:
        found["tls_first"] = True
    return found


def _path(text: str, environ: Mapping[str, str]) -> str:
    """Of a file, with the variables and the ``~`` in it put in."""
    named = re.sub(r"\$\{?(\w+)\}?", lambda found: environ.get(found[1], found[0]), text.removeprefix("file://"))
    return str(Path(named).expanduser())


def _folder(environ: Mapping[str, str]) -> Path:
    home = environ.get("XDG_CONFIG_HOME")
    return (Path(home) if home else Path.home() / ".config") / "nats"


def _selected(folder: Path) -> str:
    try:
        name = (folder / "context.txt").read_text(encoding="utf-8").strip()
    except OSError:
        name = ""
    if not name:
        raise ConfigError(f"no context is selected in {folder / 'context.txt'}; 'nats context select NAME' selects one")
    return name
