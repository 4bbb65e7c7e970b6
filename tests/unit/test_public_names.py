"""What the package offers at its top."""

from __future__ import annotations

import subprocess
import sys

import pytest

import naq_runtime
from naq_runtime import errors


def loaded_by(modules: str) -> set[str]:
    """All that is loaded in a process that imports these."""
    code = f"import {modules}, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_list_of_public_names_is_sorted_and_without_repeats() -> None:
    assert naq_runtime.__all__ == sorted(set(naq_runtime.__all__))


@pytest.mark.parametrize("name", naq_runtime.__all__)
def test_every_public_name_can_be_had(name: str) -> None:
    assert getattr(naq_runtime, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'naq_runtime' has no attribute 'Qeue'"):
        naq_runtime.Qeue  # noqa: B018  # type: ignore[attr-defined]


def test_importing_the_package_loads_neither_the_client_nor_the_models() -> None:
    assert loaded_by("naq_runtime") & {"nats", "msgspec", "psutil", "asyncio"} == set()


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_has_the_one_root_and_is_drawn_in_the_tree(name: str) -> None:
    assert issubclass(getattr(errors, name), errors.NaqError)
    assert name in (errors.__doc__ or "")


def test_a_failed_job_says_which_and_why() -> None:
    error = errors.JobFailed("j1", "ValueError", "no such page", "Traceback …")

    assert str(error) == "job j1 failed: ValueError: no such page"
    assert (error.job_id, error.error_type, error.error_message) == ("j1", "ValueError", "no such page")
    assert error.traceback == "Traceback …"


def test_a_refusal_of_the_server_keeps_its_code() -> None:
    error = errors.JetStreamError(10077, "maximum messages exceeded")

    assert (error.code, error.description) == (10077, "maximum messages exceeded")
    assert "maximum messages exceeded (code 10077)" in str(error)


def test_the_first_picture_of_naq_top_waits_for_no_client_of_the_server() -> None:
    assert loaded_by("naq_tui.app, naq_tui.sources.live") & {"nats", "lark"} == set()
