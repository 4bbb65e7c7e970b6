"""Users of servers with operators: who they are, and the server's lines that trust them."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import nkeys

__all__ = ["seed_in", "trusted_user"]

_UNLIMITED = ("subs", "data", "payload", "imports", "exports", "conn", "leaf")
_STORAGE = ("mem_storage", "disk_storage", "streams", "consumer")


def trusted_user(file: Path) -> str:
    """Write the credentials of a user into a file; returns the lines of a server that trusts who vouches for it."""
    (_, operator), (_, account), (_, system) = map(
        _pair, (nkeys.PREFIX_BYTE_OPERATOR, nkeys.PREFIX_BYTE_ACCOUNT, nkeys.PREFIX_BYTE_ACCOUNT)
    )
    seed, user = _pair(nkeys.PREFIX_BYTE_USER)
    limits = {"wildcards": True, **dict.fromkeys(_UNLIMITED, -1)}
    stored = limits | dict.fromkeys(_STORAGE, -1)
    accounts = {
        _name(account): _token(operator, account, {"type": "account", "limits": stored}),
        _name(system): _token(operator, system, {"type": "account", "limits": limits}),
    }
    token = _token(account, user, {"type": "user", **dict.fromkeys(("subs", "data", "payload"), -1)})
    file.write_text(
        f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{seed.decode()}\n------END USER NKEY SEED------\n"
    )
    known = ", ".join(f'{name}: "{one}"' for name, one in accounts.items())
    trust = _token(operator, operator, {"type": "operator"})
    return f'operator: "{trust}"\nsystem_account: {_name(system)}\nresolver: MEMORY\nresolver_preload: {{ {known} }}'


def seed_in(file: Path) -> str:
    """Write the seed of a new user into a file; returns who that is."""
    seed, user = _pair(nkeys.PREFIX_BYTE_USER)
    file.write_bytes(seed)
    return _name(user)


def _pair(prefix: int) -> tuple[bytes, Any]:
    seed = bytes(nkeys.encode_seed(os.urandom(32), prefix))
    return seed, nkeys.from_seed(bytearray(seed))


def _name(key: Any) -> str:
    return str(key.public_key.decode())


def _token(issuer: Any, subject: Any, claims: dict[str, Any]) -> str:
    """What the issuer says of the subject, signed."""
    head = {"typ": "JWT", "alg": "ed25519-nkey"}
    body = {"jti": _name(subject), "iat": 1_700_000_000, "iss": _name(issuer), "sub": _name(subject), "name": "tests"}
    said = ".".join(_encoded(json.dumps(one).encode()) for one in (head, body | {"nats": {"version": 2, **claims}}))
    return f"{said}.{_encoded(issuer.sign(said.encode()))}"


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
