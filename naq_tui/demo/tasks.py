"""The demo's jobs: they read, hash, compress and parse files, and some of them fail for good reasons.

Paths are told from the folder of Python's standard library on.
"""

from __future__ import annotations

import ast
import asyncio
import bz2
import hashlib
import lzma
import mailbox
import os
import random
import re
import sysconfig
import tempfile
import tokenize
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

from naq_runtime import task

_LIBRARY = Path(sysconfig.get_path("stdlib"))
_COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "zlib": zlib.compress,
    "bz2": bz2.compress,
    "lzma": lzma.compress,
}


@dataclass
class Compression:
    """What compressing a file brought."""

    path: Path
    method: str
    before: int
    after: int
    ratio: float


@task
def hash_file(path: Path, algorithm: str = "sha256") -> str:
    """The digest of a file."""
    return hashlib.new(algorithm, (_LIBRARY / path).read_bytes()).hexdigest()


@task
def compress_file(path: Path, method: str = "zlib") -> Compression:
    """How small a file gets."""
    data = (_LIBRARY / path).read_bytes()
    after = len(_COMPRESSORS[method](data))
    return Compression(path, method, len(data), after, round(after / max(1, len(data)), 3))


@task
async def watch_folder(path: Path, seconds: float) -> dict[str, int]:
    """Look at a folder for a while, and count the changes."""
    seen = 0
    before = _modified(path)
    for _ in range(max(1, int(seconds / 0.25))):
        await asyncio.sleep(0.25)
        now = _modified(path)
        seen += now != before
        before = now
    return {"files": len(before), "changes": seen}


@task(queue="reports")
def parse_module(path: Path) -> dict[str, int]:
    """How many functions and classes a module defines; fails for what is not valid Python."""
    tree = ast.parse((_LIBRARY / path).read_text(encoding="utf-8"), filename=path.name)
    kinds = Counter(type(node).__name__ for node in ast.walk(tree))
    return {name: kinds[name] for name in ("FunctionDef", "AsyncFunctionDef", "ClassDef", "Import", "Call")}


@task(queue="reports")
def longest_functions(path: Path, top: int = 3) -> list[tuple[str, int]]:
    """The longest functions of a module, by lines."""
    tree = ast.parse((_LIBRARY / path).read_bytes(), filename=path.name)
    sizes = [
        (node.name, (node.end_lineno or node.lineno) - node.lineno + 1)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    ]
    return sorted(sizes, key=lambda size: -size[1])[:top]


@task(queue="reports")
def count_tokens(path: Path) -> int:
    """How many tokens a module has."""
    with tokenize.open(_LIBRARY / path) as file:
        return sum(1 for _ in tokenize.generate_tokens(file.readline))


class MailServerBusy(ConnectionError):
    """The mail server asks to come again later."""


@task(queue="mail")
async def send_mail(to: str, subject: str, words: int) -> str:
    """Write a mail and deliver it to a mailbox on disk; one in eight is turned away, as real mail servers do."""
    await asyncio.sleep(random.uniform(0.02, 0.25))
    if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[a-z]+", to):
        raise ValueError(f"{to!r} is not an address")
    if random.random() < 0.12:
        raise MailServerBusy(f"451 4.7.1 <{to}>: greylisted, please try again in 300 seconds")
    message = EmailMessage()
    message["To"], message["Subject"] = to, subject
    message.set_content("\n".join(f"{n}. {subject}" for n in range(words)))
    folder = os.environ.get("NAQ_DEMO_MAILBOX") or tempfile.gettempdir() + "/naq-demo-mail"
    return mailbox.Maildir(folder).add(message)


def _modified(path: Path) -> dict[str, float]:
    return {entry.name: entry.stat().st_mtime for entry in os.scandir(_LIBRARY / path) if entry.is_file()}
