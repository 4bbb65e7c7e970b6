"""A serializer of the user's own is named in the settings, and used by all."""

from __future__ import annotations

import pytest

from naq_runtime import JobFailed, NAQConfig, Queue, ServiceManager
from naq_runtime.errors import ConfigError
from tests.conftest import MakeConfig
from tests.support import sample_tasks as tasks
from tests.support.workers import running_worker

REVERSED = "tests.support.own_serializer:Reversed"


@pytest.fixture
def reversing(make_config: MakeConfig) -> NAQConfig:
    """Settings that name it."""
    return make_config(jobs__serializer=REVERSED)


async def test_results_and_errors_come_back_through_it(reversing: NAQConfig) -> None:
    async with Queue(config=reversing) as queue, running_worker(reversing):
        assert await (await queue.enqueue(tasks.add, 40, 2)).result(timeout=30) == 42
        with pytest.raises(JobFailed, match="boom"):
            await (await queue.enqueue(tasks.fail)).result(timeout=30)


async def test_a_process_of_a_worker_uses_it_too(reversing: NAQConfig) -> None:
    async with Queue(config=reversing) as queue, running_worker(reversing):
        assert await (await queue.enqueue(tasks.pid_of_child)).result(timeout=20) > 0


@pytest.mark.parametrize("path", ["no_such_module:Thing", "tests.support.own_serializer:Missing", "math:pi"])
def test_one_that_cannot_be_made_is_named(path: str) -> None:
    with pytest.raises(ConfigError, match=rf"jobs\.serializer: {path} cannot be made"):
        ServiceManager(NAQConfig.load(arguments={"jobs.serializer": path}, environ={}))


def test_one_that_lacks_a_method_is_refused_when_it_is_made() -> None:
    path = "tests.support.own_serializer:Forgetful"
    with pytest.raises(ConfigError, match="it has no method decode_outcome"):
        ServiceManager(NAQConfig.load(arguments={"jobs.serializer": path}, environ={}))
