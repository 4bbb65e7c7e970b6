"""Who we are to the server, and how the connection is encrypted: the files that settings name, read and checked."""

from __future__ import annotations

import importlib.util
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from naq_runtime.config import NatsConfig, split_urls
from naq_runtime.errors import ConfigError

__all__ = ["identity_of"]

_PARTS = (b"BEGIN NATS USER JWT", b"BEGIN USER NKEY SEED")
_FILES = ("creds", "nkey", "tls_ca", "tls_cert", "tls_key")


def identity_of(config: NatsConfig) -> dict[str, Any]:
    """The arguments of the client that say so.

    Raises:
        ConfigError: a file cannot be read or used, or what it takes is not installed.
    """
    files = {name: Path(path).expanduser() for name in _FILES if (path := getattr(config, name))}
    for name, path in files.items():
        _check_readable(f"nats.{name}", path)
    for name in ("creds", "nkey"):
        if name in files and importlib.util.find_spec("nkeys") is None:
            raise ConfigError(f"setting nats.{name} needs the extra nkeys: pip install 'naq-top[nkeys]'")
    if "nkey" in files:
        _check_seed(files["nkey"])
    if "creds" in files:
        _check_creds(files["creds"])
    found: dict[str, Any] = {
        "user": config.user,
        "password": "" if config.user and config.password is None else config.password,
        "token": config.token,
        "user_credentials": str(files["creds"]) if "creds" in files else None,
        "nkeys_seed": str(files["nkey"]) if "nkey" in files else None,
        "tls_handshake_first": config.tls_first,
    }
    if any(_wants_tls(config)):
        found["tls"] = _tls(files)
    return found


def _check_readable(key: str, path: Path) -> None:
    try:
        with path.open("rb"):
            return
    except OSError as error:
        raise ConfigError(f"setting {key}: cannot read {path}: {error.strerror}") from error


def _check_seed(path: Path) -> None:
    import nkeys

    try:
        nkeys.from_seed(bytearray(path.read_bytes().strip())).wipe()
    except Exception:  # the library raises what it likes; none of it may quote the seed
        raise ConfigError(f"setting nats.nkey: {path} has no seed of an nkey in it; it would begin with SU") from None


def _check_creds(path: Path) -> None:
    """The client would look for ever for what is not in the file."""
    content = path.read_bytes()
    if not all(part in content for part in _PARTS):
        raise ConfigError(f"setting nats.creds: {path} has no credentials in it, which 'nsc generate creds' writes")


def _wants_tls(config: NatsConfig) -> Iterator[bool]:
    yield config.tls_first
    yield any((config.tls_ca, config.tls_cert, config.tls_key))
    yield any(url.startswith(("tls://", "wss://")) for url in split_urls(config.url))


def _tls(files: dict[str, Path]) -> ssl.SSLContext:
    if ("tls_cert" in files) is not ("tls_key" in files):
        raise ConfigError("setting nats.tls_cert and nats.tls_key go together: set both, or neither")
    try:
        context = ssl.create_default_context(cafile=str(files["tls_ca"]) if "tls_ca" in files else None)
    except (ssl.SSLError, OSError) as error:
        raise ConfigError(f"setting nats.tls_ca: {files['tls_ca']} has no certificates in it") from error
    if "tls_cert" in files:
        try:
            context.load_cert_chain(files["tls_cert"], files["tls_key"], password=_no_password)
        except (ssl.SSLError, OSError, ValueError) as error:
            raise ConfigError(
                f"setting nats.tls_cert: {files['tls_cert']} and {files['tls_key']} are no certificate with its key, "
                "or the key has a password"
            ) from error
    return context


def _no_password() -> str:
    """The library would ask for one on the terminal."""
    return ""
