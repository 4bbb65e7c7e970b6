"""The doctor with servers and namespaces that are broken: what is wrong is found, named, and nothing is touched."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from naq_runtime import EmbeddedServer, Job, NAQConfig, Queue, SchedulerService, ServiceManager
from naq_runtime.clock import SYSTEM_CLOCK, Clock
from naq_runtime.doctor.check import Check, State
from naq_runtime.doctor.examination import can_be_used, examine
from naq_runtime.nats.state import queue_states
from tests.acceptance.test_commands import worker_process
from tests.conftest import MakeConfig
from tests.integration.test_identity import needs_openssl, tls
from tests.integration.test_permissions import SERVER, config_of, ready, running_scheduler
from tests.support import sample_tasks as tasks
from tests.support.certificates import made_in
from tests.support.clocks import WrongClock
from tests.support.processes import naq
from tests.support.waiting import eventually
from tests.support.workers import running_worker

OK, WARN, BAD, SKIPPED = State
AFTER_THE_SERVER = ["streams", "limits", "clock", "clocks", "queues", "workers", "scheduler"]
AFTER_THE_SERVER += ["dead-letters", "alerts", "rules", "processors"]


@pytest.fixture
def config(make_config: MakeConfig) -> NAQConfig:
    """Nobody is late who is only busy."""
    return make_config(worker__heartbeat_interval=1)


async def examined(config: NAQConfig, *, role: str = "monitor", clock: Clock = SYSTEM_CLOCK) -> Mapping[str, Check]:
    """All checks, by name."""
    return {check.name: check for check in await examine(config, role=role, environ={}, clock=clock)}


def wrong(checks: Mapping[str, Check]) -> dict[str, State]:
    """Those that are not as they should be."""
    return {name: check.state for name, check in checks.items() if check.state is not OK}


async def streams_of(services: ServiceManager) -> list[str]:
    """The streams of the namespace."""
    answer = await services.connection.api("STREAM.NAMES")
    prefix = services.config.namespace.upper()
    return [name for name in answer["streams"] or () if prefix in name]


async def test_before_the_first_use_all_is_well_and_stays_as_it_is(config: NAQConfig, services: ServiceManager) -> None:
    checks = await examined(config)

    assert wrong(checks) == {"clock": SKIPPED}
    assert await streams_of(services) == []


async def test_where_work_is_done_all_is_well_and_nothing_is_stored(
    config: NAQConfig, services: ServiceManager
) -> None:
    async with running_worker(config, "default"), Queue(services=services) as queue:
        assert await (await queue.enqueue(tasks.add, 1, 2)).result(timeout=30) == 3
        names = config.names
        quiet = (names.jobs_stream, names.results_stream, names.bucket_stream(names.leader_bucket))
        before = {name: await state_of(services, name) for name in await streams_of(services) if name in quiet}

        checks = await examined(config)

        assert wrong(checks) == {}
        assert "suffice for: monitor, producer, worker, scheduler, processor, operator" in checks["permissions"].found
        assert {name: await state_of(services, name) for name in before} == before


async def state_of(services: ServiceManager, stream: str) -> Any:
    """How far a stream is."""
    return (await services.connection.api(f"STREAM.INFO.{stream}"))["state"]["last_seq"]


async def test_without_jetstream_nothing_can_be_used() -> None:
    accounts = 'accounts { A { users: [ {user: "ada", password: "x"} ] } }'
    async with EmbeddedServer(config=accounts) as server:
        config = NAQConfig.load(
            environ={}, arguments={"nats.url": server.url, "nats.user": "ada", "nats.password": "x"}
        )
        checks = await examined(config)

    assert not can_be_used(list(checks.values()))
    assert [checks[name].state for name in ("server", "version", "jetstream")] == [OK, OK, BAD]
    assert "has no JetStream for this account" in checks["jetstream"].found
    assert "jetstream: enabled" in checks["jetstream"].remedy
    assert [checks[name].state for name in AFTER_THE_SERVER] == [SKIPPED] * len(AFTER_THE_SERVER)


async def test_credentials_that_are_refused_are_told_from_a_server_that_is_away() -> None:
    async with EmbeddedServer(config=SERVER) as server:
        stranger = await examined(config_of(server.url, "stranger"))
    away = await examined(config_of("nats://127.0.0.1:1", "monitor"))

    assert (stranger["server"].state, away["server"].state) == (BAD, BAD)
    assert "refused the credentials" in stranger["server"].found
    assert "use other credentials" in stranger["server"].remedy
    assert "connection refused" in away["server"].found
    assert "start the server" in away["server"].remedy
    assert away["jetstream"].found == away["queues"].found == "see server"


@needs_openssl
async def test_a_certificate_that_nobody_vouches_for_is_told(tmp_path: Path) -> None:
    certificates = made_in(tmp_path)
    async with EmbeddedServer(config=tls(certificates)) as server:
        config = NAQConfig.load(environ={}, arguments={"nats.url": server.url})
        trusting = NAQConfig.load(
            environ={}, arguments={"nats.url": server.url, "nats.tls_ca": str(certificates.authority)}
        )
        untrusted, trusted = await examined(config), await examined(trusting)

    assert untrusted["server"].state is BAD
    assert "is not trusted" in untrusted["server"].found
    assert trusted["server"].state is OK


async def test_each_role_is_found_to_have_the_permissions_of_the_page_and_no_others() -> None:
    """The users are those of the tests of permissions; one has none at all."""
    users = SERVER.replace("users: [", 'users: [ {user: "nobody", password: "x", permissions: {publish: ["x"]} },')
    async with EmbeddedServer(config=users) as server:
        async with ServiceManager(config_of(server.url, "admin")) as admin:
            await ready(admin)
            before = {name: await state_of(admin, name) for name in await streams_of(admin)}
            for role in ("monitor", "producer", "worker", "scheduler", "processor", "operator"):
                checks = await examined(config_of(server.url, role, **{"nats.request_timeout": 0.2}), role=role)
                assert checks["permissions"].state is OK, checks["permissions"]
            monitor = await examined(config_of(server.url, "monitor"), role="worker")
            quick = {"nats.request_timeout": 0.3}
            nobody = await examined(config_of(server.url, "nobody", **quick))
            after = {name: await state_of(admin, name) for name in before}

    assert wrong(monitor) == {"permissions": BAD}
    assert "publish naq.jobs.>" in monitor["permissions"].details
    assert "suffice for: monitor" in monitor["permissions"].meaning
    assert "does not let us publish to $JS.API.INFO" in nobody["jetstream"].found
    assert "publish $JS.API.INFO" in nobody["permissions"].details
    assert nobody["streams"].state is SKIPPED
    assert after == before


async def test_a_stream_that_would_lose_jobs_and_one_that_is_nearly_full_are_named(
    config: NAQConfig, services: ServiceManager
) -> None:
    names = config.names
    api = services.connection.api
    await api(f"STREAM.CREATE.{names.jobs_stream}", {"name": names.jobs_stream, "subjects": list(names.job_states)})
    small = {"name": names.dead_stream, "subjects": [names.dead_letters], "max_msgs_per_subject": 1, "max_msgs": 10}
    await api(f"STREAM.CREATE.{names.dead_stream}", small | {"allow_direct": True})
    for number in range(9):
        await services.connection.request(names.dead("mail", f"job-{number}"), b"{}")

    checks = await examined(config)

    assert wrong(checks) == {"streams": BAD, "limits": WARN, "dead-letters": WARN}
    assert f"{names.jobs_stream} has retention='limits', naq needs 'workqueue'" in checks["streams"].details
    assert f"{names.jobs_stream} has allow_atomic=False, naq needs True" in checks["streams"].details
    assert checks["limits"].details == (f"{names.dead_stream}: 9 of 10 messages (90%)",)
    assert checks["dead-letters"].found == "9 more in the last hour, 9 in all"

    await services.connection.request(names.dead("mail", "job-9"), b"{}")
    assert (await examined(config))["limits"].state is BAD


async def test_clocks_that_are_wrong_are_told_from_those_that_are_right(make_config: MakeConfig) -> None:
    config = make_config(events__metrics_interval=0.2)
    async with running_worker(config, "default", clock=WrongClock(300)), running_worker(config, "default"):

        async def told() -> bool:
            return (await examined(config))["clocks"].state is BAD

        await eventually(told)
        clocks = (await examined(config))["clocks"]
        behind = (await examined(config, clock=WrongClock(-300)))["clock"]
        ahead = await examined(config, clock=WrongClock(300))

    assert clocks.found == "the clocks of 1 process are wrong"
    assert clocks.details[0].startswith("worker ")
    assert clocks.details[0].endswith("is 5 m 00 s ahead of the server")
    assert (behind.state, behind.found) == (BAD, "this machine is 5 m 00 s behind the server")
    assert ahead["clock"].found == "this machine is 5 m 00 s ahead of the server"
    assert ahead["clocks"].found == clocks.found  # what was said lately counts by the clock of the server


async def test_jobs_without_a_worker_and_schedules_without_a_scheduler_are_bad_until_there_is_one(
    config: NAQConfig, services: ServiceManager
) -> None:
    async with Queue("mail", services=services) as queue:
        await queue.enqueue(tasks.add, 1, 2)
        await (await services.get_service(SchedulerService)).schedule_job(Job(tasks.add, (1,)), {"every": 3600})
        alone = await examined(config)
        async with (
            ServiceManager(config, role="scheduler") as other,
            running_scheduler(other),
            running_worker(config, "mail"),
        ):
            helped = await examined(config)

    assert wrong(alone) == {"queues": BAD, "scheduler": BAD}
    assert alone["queues"].details == ("mail: 1 job waiting",)
    assert wrong(helped) == {}


async def test_a_worker_that_was_killed_is_named_with_what_it_held(config: NAQConfig, services: ServiceManager) -> None:
    arguments = ("default", "-m", "tests.support.sample_tasks", "--name", "anna")
    async with worker_process(config, *arguments) as process, Queue(services=services) as queue:
        await queue.enqueue(tasks.nap, 60)

        async def holds() -> bool:
            return any(state.running for state in await queue_states(services.connection, config.names))

        await eventually(holds)
        process.kill()

        async def is_lost() -> bool:
            return "was lost" in " ".join((await examined(config))["workers"].details)

        await eventually(is_lost, within=15)
        checks = await examined(config)

    (line,) = checks["workers"].details
    assert line.startswith("anna was lost ")
    assert line.endswith(" with 1 job")
    assert wrong(checks) == {"workers": WARN, "queues": BAD}


async def test_scripts_learn_by_the_exit_code_how_it_stands(config: NAQConfig, make_config: MakeConfig) -> None:
    well, away = await asyncio.gather(
        naq("doctor", "--format", "json", config=config),
        naq("doctor", "--server", "nats://127.0.0.1:1", "--format", "json", config=config),
    )
    async with Queue("mail", config=config) as queue:
        await queue.enqueue(tasks.add, 1, 2)
    ill, mistaken = await asyncio.gather(
        naq("doctor", config=config),
        naq("doctor", config=config, extra={"NAQ_NATS_REQUEST_TIMEOUT": "x"}),
    )

    assert [well.code, away.code, ill.code, mistaken.code] == [0, 3, 5, 2]
    documents = {one["check"]: one for one in json.loads(well.out)}
    assert documents["server"].keys() == {"check", "state", "found", "meaning", "remedy", "details"}
    assert list(documents)[:4] == ["settings", "server", "version", "jetstream"]
    assert [one["state"] for one in json.loads(away.out)][:3] == ["ok", "bad", "skipped"]
    assert "✗ queues        1 queue with jobs and no worker\n                · mail: 1 job waiting\n" in ill.out
    assert "mend   start one: naq run-worker mail" in ill.out


async def test_rules_of_alerts_that_cannot_be_are_told_and_the_rest_is_examined_all_the_same(
    config: NAQConfig, tmp_path: Path
) -> None:
    (tmp_path / "naq.toml").write_text('[alerts.odd]\nrule = "failed_rate >"\n[worker]\nconcurrency = 0\n')

    found = await naq("doctor", "--format", "raw", config=config, cwd=tmp_path)

    assert found.code == 5
    assert "bad settings 2 mistakes" in found.out.splitlines()
    assert "ok queues there is none yet" in found.out.splitlines()
