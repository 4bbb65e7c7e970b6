"""Certificates for servers and clients of tests, by openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

__all__ = ["Certificates", "made_in"]


class Certificates(NamedTuple):
    """Paths of certificates and their keys; both are vouched for by the authority."""

    authority: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path


def made_in(folder: Path) -> Certificates:
    """An authority of its own, a server on this machine, and a client."""
    key, authority = folder / "ca.key", folder / "ca.pem"
    _openssl("req", "-x509", *_NEW, "-keyout", key, "-out", authority, "-days", "2", "-subj", "/CN=tests")
    server, server_key = _signed(folder, "server", authority, key)
    client, client_key = _signed(folder, "client", authority, key)
    return Certificates(authority, server, server_key, client, client_key)


_NEW = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def _signed(folder: Path, name: str, authority: Path, by: Path) -> tuple[Path, Path]:
    key, request, certificate, more = (folder / f"{name}.{end}" for end in ("key", "csr", "pem", "ext"))
    more.write_text("subjectAltName = IP:127.0.0.1, DNS:localhost\n")
    _openssl("req", *_NEW, "-keyout", key, "-out", request, "-subj", f"/CN={name}")
    _openssl(
        *("x509", "-req", "-in", request, "-CA", authority, "-CAkey", by, "-CAcreateserial"),
        *("-out", certificate, "-days", "2", "-extfile", more),
    )
    return certificate, key


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
