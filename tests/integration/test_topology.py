"""Streams, buckets and consumers: created, adopted, or refused with the reason."""

from __future__ import annotations

import pytest

from naq_runtime import NAQConfig, Queue, ServiceManager
from naq_runtime.errors import TopologyMismatch
from tests.conftest import MakeConfig


async def test_what_exists_is_adopted_as_it_is(config: NAQConfig, services: ServiceManager) -> None:
    await services.topology.jobs()
    before = await services.connection.api(f"STREAM.INFO.{config.names.jobs_stream}")

    async with Queue(config=config):
        pass

    after = await services.connection.api(f"STREAM.INFO.{config.names.jobs_stream}")
    assert after["config"] == before["config"]
    assert after["created"] == before["created"]


async def test_other_limits_of_an_existing_stream_are_its_owners_business(
    config: NAQConfig, make_config: MakeConfig, services: ServiceManager
) -> None:
    await services.topology.events()
    other = make_config(namespace=config.namespace, events__max_count=17)

    async with ServiceManager(other) as later:
        await later.topology.events()

    stream = await services.connection.api(f"STREAM.INFO.{config.names.events_stream}")
    assert stream["config"]["max_msgs"] == config.events.max_count


async def test_a_stream_that_would_lose_jobs_is_refused_by_the_field(
    config: NAQConfig, services: ServiceManager
) -> None:
    names = config.names
    await services.connection.api(
        f"STREAM.CREATE.{names.jobs_stream}", {"name": names.jobs_stream, "subjects": list(names.job_states)}
    )

    with pytest.raises(TopologyMismatch, match=r"has retention='limits', naq needs 'workqueue'"):
        await services.topology.jobs()


async def test_subjects_that_another_stream_takes_are_named(config: NAQConfig, services: ServiceManager) -> None:
    name = f"{config.namespace.upper()}_OTHER"
    await services.connection.api(f"STREAM.CREATE.{name}", {"name": name, "subjects": [f"{config.namespace}.>"]})

    with pytest.raises(
        TopologyMismatch, match=f"another stream already takes the subjects {config.names.job_states[0]}"
    ):
        await services.topology.jobs()


async def test_a_consumer_that_would_not_wait_for_outcomes_is_refused(
    config: NAQConfig, services: ServiceManager
) -> None:
    names = config.names
    await services.topology.jobs()
    consumer = names.queue_consumer("odd")
    await services.connection.api(
        f"CONSUMER.DURABLE.CREATE.{names.jobs_stream}.{consumer}",
        {
            "stream_name": names.jobs_stream,
            "config": {"durable_name": consumer, "filter_subject": names.job("odd", "*"), "ack_policy": "explicit"},
        },
    )
    await services.topology.queue("odd")  # the same but for limits: adopted

    await services.connection.api(f"CONSUMER.DELETE.{names.jobs_stream}.{consumer}")
    await services.connection.api(
        f"CONSUMER.DURABLE.CREATE.{names.jobs_stream}.{consumer}",
        {
            "stream_name": names.jobs_stream,
            "config": {"durable_name": consumer, "filter_subject": names.job("odd", "x"), "ack_policy": "explicit"},
        },
    )
    services.topology.forget("odd")

    with pytest.raises(TopologyMismatch, match="has filter_subject="):
        await services.topology.queue("odd")


async def test_a_server_without_room_for_a_stream_is_named_with_the_setting(make_config: MakeConfig) -> None:
    config = make_config(events__max_bytes=10**15)

    async with ServiceManager(config) as services:
        with pytest.raises(TopologyMismatch, match=r"no room for stream .*_EVENTS, which sets 1,000,000,000,000,000"):
            await services.topology.events()


async def test_two_namespaces_share_a_server_without_meeting(make_config: MakeConfig) -> None:
    from tests.support import sample_tasks as tasks
    from tests.support.workers import running_worker

    ours, theirs = make_config(), make_config()
    async with Queue(config=ours) as our_queue, Queue(config=theirs) as their_queue, running_worker(ours):
        await their_queue.enqueue(tasks.add, 1)

        assert await (await our_queue.enqueue(tasks.add, 2)).result(timeout=30) == 3
        async with ServiceManager(theirs) as services:
            stream = await services.connection.api(f"STREAM.INFO.{theirs.names.jobs_stream}")
            assert stream["state"]["messages"] == 1


async def test_the_first_queue_of_a_namespace_brings_the_stream_of_jobs_with_it(services: ServiceManager) -> None:
    name = await services.topology.queue("mail")

    assert name == services.names.queue_consumer("mail")
    assert (await services.topology.jobs()).name == services.names.jobs_stream
