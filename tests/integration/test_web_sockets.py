"""Over web sockets, which need a library that is loaded for nobody else."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from naq_runtime.config import NatsConfig
from naq_runtime.embedded import find_server
from naq_runtime.nats.dialling import Watcher, dialled

SETTINGS = """
listen: "127.0.0.1:-1"
websocket { listen: "127.0.0.1:-1", no_tls: true }
"""


@asynccontextmanager
async def server(folder: Path) -> AsyncIterator[str]:
    """A server, and its address for web sockets."""
    file = folder / "server.conf"
    file.write_text(SETTINGS)
    process = await asyncio.create_subprocess_exec(
        find_server(), "-c", file, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr
    try:
        async with asyncio.timeout(20):
            said = b""
            while not (found := re.search(rb"ws://127\.0\.0\.1:\d+", said)):
                said = await process.stderr.readline()
        yield found[0].decode()
    finally:
        process.kill()
        await process.communicate()


def test_what_they_need_is_not_loaded_with_the_client() -> None:
    code = "import sys; import naq_runtime.nats.connection; print('aiohttp' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ended.stdout.strip() == "False"


@pytest.mark.filterwarnings("ignore:parameter 'timeout' of type 'float':DeprecationWarning")  # of the client
async def test_a_server_is_reached_over_them(tmp_path: Path) -> None:
    async def nothing() -> None:
        """Nobody is told."""

    watcher = Watcher(failed=lambda error: None, lost=nothing, restored=nothing, closed=nothing)
    async with server(tmp_path) as url:
        client = await dialled(NatsConfig(url=url), "test", watcher)
        try:
            assert client.is_connected
            await client.flush(5)
        finally:
            await client.close()
