"""Fixtures of all tests."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from naq_runtime.config import NAQConfig
from naq_runtime.services.manager import ServiceManager
from tests.support.server import SharedServer, config_for

os.environ["TZ"] = "UTC"
time.tzset()
os.environ["XDG_CONFIG_HOME"] = os.devnull
"""What whoever runs the tests has set is no matter of theirs, and stays as it is."""
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # or each process that a test starts would compile all of us

MakeConfig = Callable[..., NAQConfig]


def pytest_collection_finish() -> None:
    """Look for garbage among what tests make, and not each time among all that is loaded: a fifth of their time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


@pytest.fixture(scope="session")
def server() -> Iterator[SharedServer]:
    """A running nats-server."""
    with SharedServer() as running:
        yield running


@pytest.fixture
def make_config(server: SharedServer) -> MakeConfig:
    """Makes settings for the running server, in a namespace of this test."""

    def make(**settings: object) -> NAQConfig:
        return config_for(server.url, **settings)

    return make


@pytest.fixture
def config(make_config: MakeConfig) -> NAQConfig:
    """The usual settings."""
    return make_config()


@pytest.fixture
async def services(config: NAQConfig) -> AsyncIterator[ServiceManager]:
    """The services of one process."""
    async with ServiceManager(config, role="test") as running:
        yield running
