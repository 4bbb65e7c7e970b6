"""A server of our own, and programs that end with their owner."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from naq_runtime import EmbeddedServer, guard
from naq_runtime.embedded import Guard
from naq_runtime.errors import ServerError
from tests.support.processes import is_gone
from tests.support.waiting import eventually

OWNER = """
import asyncio, sys
from naq_runtime import EmbeddedServer, guard

async def main():
    async with EmbeddedServer() as server:
        print(server.pid, server.log.parent, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_it_takes_connections_on_a_free_port_and_leaves_nothing_behind() -> None:
    async with EmbeddedServer() as server:
        pid, folder = server.pid, server.log.parent
        host, _, port = server.url.removeprefix("nats://").rpartition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.close()
        await writer.wait_closed()

    assert is_gone(pid)
    assert not folder.exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
async def test_it_ends_with_its_owner_whatever_happens_to_the_owner(number: signal.Signals) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert owner.stdout is not None
    pid, folder = (await asyncio.to_thread(owner.stdout.readline)).split()
    assert not is_gone(int(pid))

    owner.send_signal(number)

    await eventually(lambda: is_gone(int(pid)))
    await eventually(lambda: not Path(folder).exists())
    owner.stdout.close()
    owner.wait()


async def test_two_servers_on_one_store_would_lose_messages_so_the_second_is_refused(tmp_path: Path) -> None:
    async with EmbeddedServer(store=tmp_path):
        with pytest.raises(ServerError, match="another server is using the store"):
            async with EmbeddedServer(store=tmp_path):
                pass

    async with EmbeddedServer(store=tmp_path) as later:
        assert later.is_alive


async def test_a_port_that_is_taken_is_said_to_be() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(ServerError, match="address already in use"):
            async with EmbeddedServer(port=port):
                pass


async def test_its_data_stay_in_the_store_it_was_given(tmp_path: Path) -> None:
    from naq_runtime import NAQConfig, ServiceManager

    for _ in range(2):
        async with EmbeddedServer(store=tmp_path) as server:
            config = NAQConfig.load(arguments={"nats.url": server.url}, environ={})
            async with ServiceManager(config) as services:
                await services.topology.jobs()
                await services.connection.request(config.names.job("default", os.urandom(4).hex()), b"{}")
                state = (await services.connection.api("STREAM.INFO.NAQ_JOBS"))["state"]

    assert state["messages"] == 2


async def test_a_program_that_does_not_end_when_asked_is_killed() -> None:
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    async with Guard() as running:
        pid = await running.start([sys.executable, "-c", stubborn], grace_s=0.2)
        await eventually(lambda: not is_gone(pid))

    assert is_gone(pid)


async def test_each_program_has_the_grace_that_it_was_started_with(tmp_path: Path) -> None:
    mark, ready = tmp_path / "mark", tmp_path / "ready"
    slow = (
        "import pathlib, signal, sys, time\n"
        f"signal.signal(signal.SIGTERM, lambda *_: (time.sleep(1), pathlib.Path({str(mark)!r}).touch(), sys.exit()))\n"
        f"pathlib.Path({str(ready)!r}).touch()\n"
        "time.sleep(60)"
    )
    async with Guard() as running:
        await running.start([sys.executable, "-c", slow], grace_s=30)
        await running.start([sys.executable, "-c", "import time; time.sleep(60)"], grace_s=0.1)
        await eventually(ready.exists)

    assert mark.exists(), "it was killed before its grace was over"


async def test_a_lock_ends_with_its_program(tmp_path: Path) -> None:
    async with Guard() as running:
        pid = await running.start([sys.executable, "-c", "import time; time.sleep(60)"], lock=tmp_path / "lock")
        with pytest.raises(BlockingIOError):
            await running.start([sys.executable, "-c", ""], lock=tmp_path / "lock")
        os.kill(pid, signal.SIGKILL)
        await eventually(lambda: is_gone(pid))

        assert await running.start([sys.executable, "-c", ""], lock=tmp_path / "lock")


async def test_an_owner_that_dies_before_it_hears_the_answer_leaves_nothing_behind() -> None:
    deaf_end, answers = os.pipe()
    os.close(deaf_end)
    order = json.dumps({"command": [sys.executable, "-c", "import time; time.sleep(60)"]})

    with subprocess.Popen(
        [sys.executable, guard.__file__],
        stdin=subprocess.PIPE,
        stdout=answers,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        os.close(answers)
        _, errors = await asyncio.to_thread(process.communicate, order.encode() + b"\n", 10)

    assert (process.returncode, errors) == (0, b"")
    assert [other for other in psutil.pids() if _session_of(other) == process.pid] == []


async def test_a_program_that_cannot_be_started_is_an_error_of_the_caller() -> None:
    async with Guard() as running:
        with pytest.raises(OSError, match="No such file"):
            await running.start(["/no/such/program"])


def _session_of(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0
