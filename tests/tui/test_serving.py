"""The monitor in a browser: a real server, and its page and its socket as a browser uses them."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil
import pytest

from naq_runtime.errors import ConfigError
from naq_tui.cli.showing import options_for_pages
from naq_tui.serving import Address, address_of
from tests.support.processes import command_of, environment, naq_top
from tests.support.waiting import eventually
from tests.tui.test_replay import JOB, written


@dataclass
class Served:
    """A server that runs, and somebody who asks it."""

    process: asyncio.subprocess.Process
    url: str
    browser: aiohttp.ClientSession

    @asynccontextmanager
    async def page(self) -> AsyncIterator[Page]:
        """Open the page, and its socket where the page says it is."""
        async with self.browser.get(self.url) as response:
            text = await response.text()
        found = re.search(r'data-session-websocket-url="([^"]+)"', text)
        assert found
        origin = self.url.rstrip("/")
        async with self.browser.ws_connect(f"{found[1]}?width=100&height=30", origin=origin) as socket:
            yield Page(text, socket)

    async def status(self, **headers: str) -> int:
        async with self.browser.get(self.url, headers=headers) as response:
            return response.status

    def children(self) -> list[psutil.Process]:
        """The processes of naq-top behind the pages."""
        found = psutil.Process(self.process.pid).children(recursive=True)
        return [one for one in found if "naq_tui.cli.top" in command_of(one)]


@dataclass
class Page:
    """A page that is open."""

    text: str
    socket: aiohttp.ClientWebSocketResponse
    drawn: str = ""

    async def press(self, keys: str) -> None:
        await self.socket.send_json(["stdin", keys])

    async def shows(self, text: str) -> None:
        """Wait until this was drawn."""
        async with asyncio.timeout(30):
            while text not in self.drawn:
                message = await self.socket.receive()
                assert message.type is aiohttp.WSMsgType.BINARY, message
                self.drawn += message.data.decode()


@asynccontextmanager
async def serving(tmp_path: Path, *options: str) -> AsyncIterator[Served]:
    file = written(tmp_path / "events.jsonl", JOB)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "naq_tui.cli.top", "--serve", "0", "--replay", str(file), *options),
        env=environment(None, {"XDG_CONFIG_HOME": str(tmp_path)}),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout
    try:
        async with asyncio.timeout(30):
            said = (await process.stdout.readline()).decode()
        found = re.search(r"http://127\.0\.0\.1:\d+/", said)
        assert found, said
        async with aiohttp.ClientSession() as browser:
            yield Served(process, found[0], browser)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


class TestPage:
    async def test_it_shows_the_monitor_and_keys_reach_it(self, tmp_path: Path) -> None:
        async with serving(tmp_path) as served, served.page() as page:
            assert "<title>naq-top" in page.text
            await page.shows("events.jsonl")
            await page.press("?")
            await page.shows("Go to the next pane.")

    async def test_all_that_it_needs_comes_from_here(self, tmp_path: Path) -> None:
        async with serving(tmp_path) as served, served.browser.get(served.url) as response:
            text = await response.text()
            needed = re.findall(r'(?:href|src)="([^"]+)"|url\("([^"]+)"\)', text)
            paths = [one or other for one, other in needed]

            assert len(paths) == 3
            for path in paths:
                async with served.browser.get(served.url.rstrip("/") + path) as found:
                    assert found.status == 200

    async def test_each_page_has_a_process_that_ends_with_it(self, tmp_path: Path) -> None:
        async with serving(tmp_path) as served:
            async with served.page() as page:
                await page.shows("events.jsonl")
                assert served.children()
            await eventually(lambda: served.children() == [])

    @pytest.mark.parametrize(("options", "read_only"), [((), True), (("--writable",), False)])
    async def test_it_is_read_only_unless_told_otherwise(
        self, tmp_path: Path, options: tuple[str, ...], read_only: bool
    ) -> None:
        async with serving(tmp_path, *options) as served, served.page() as page:
            await page.shows("events.jsonl")
            [child] = served.children()
            assert ("--read-only" in child.cmdline()) is read_only

    async def test_what_is_changed_on_a_page_that_is_read_only_is_not_remembered(self, tmp_path: Path) -> None:
        async with serving(tmp_path) as served:
            async with served.page() as page:
                await page.shows("events.jsonl")
                await page.press("-")
                await page.shows("0.2 s")
            await eventually(lambda: served.children() == [])
            assert not (tmp_path / "naq").exists()

    async def test_other_pages_are_kept_out(self, tmp_path: Path) -> None:
        async with serving(tmp_path) as served:
            assert await served.status() == 200
            assert await served.status(Origin="http://elsewhere.example") == 403
            assert await served.status(Host="elsewhere.example") == 403
            with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
                await served.browser.ws_connect(f"{served.url}ws", origin="http://elsewhere.example")
            assert served.children() == []

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    async def test_it_ends_quietly_with_all_that_it_started(self, tmp_path: Path, number: signal.Signals) -> None:
        async with serving(tmp_path) as served, served.page() as page:
            await page.shows("events.jsonl")
            children = served.children()
            served.process.send_signal(number)
            said, _ = await served.process.communicate()

            assert said == b""
            assert served.process.returncode == 0
            await eventually(lambda: not any(one.is_running() for one in children))

    async def test_nothing_stays_when_it_is_killed(self, tmp_path: Path) -> None:
        async with serving(tmp_path) as served, served.page() as page:
            await page.shows("events.jsonl")
            children = served.children()
            served.process.kill()

            await eventually(lambda: not any(one.is_running() for one in children))


class TestOptions:
    @pytest.mark.parametrize(
        ("text", "url"),
        [
            ("8000", "http://127.0.0.1:8000/"),
            (":8000", "http://127.0.0.1:8000/"),
            ("0.0.0.0:80", "http://0.0.0.0:80/"),
            ("[::1]:8000", "http://[::1]:8000/"),
            ("localhost:8000", "http://localhost:8000/"),
        ],
    )
    def test_an_address_is_of_this_machine_unless_it_says_otherwise(self, text: str, url: str) -> None:
        address = address_of(text)

        assert address.url == url
        assert address.is_loopback is ("0.0.0.0" not in text)

    @pytest.mark.parametrize("text", ["", "http", "70000", "-1", "1.2.3:80", "host.example:80", "0.0.0.0"])
    def test_what_is_no_address_is_refused(self, text: str) -> None:
        with pytest.raises(ConfigError, match=r"--serve: expected PORT or ADDRESS:PORT"):
            address_of(text)

    def test_pages_get_the_options_that_we_got_but_not_those_about_serving(self) -> None:
        given = ["--server", "nats://a", "--serve", "80", "--ascii", "--serve=81", "--writable", "--demo"]

        assert options_for_pages(given, read_only=True) == ["--server", "nats://a", "--ascii", "--read-only"]
        assert options_for_pages(["--serve", "80"], read_only=False) == []

    async def test_a_port_that_is_taken_is_said(self, tmp_path: Path) -> None:
        async with serving(tmp_path) as served:
            port = served.url.rpartition(":")[2].rstrip("/")
            ended = await naq_top("--serve", port)

            assert ended.code == 2
            assert f"cannot listen on 127.0.0.1:{port}" in ended.err

    @pytest.mark.parametrize("options", [("--writable",), ("--serve", "0", "--once"), ("--serve", "x")])
    async def test_options_that_do_not_go_together_are_refused(self, options: tuple[str, ...]) -> None:
        ended = await naq_top(*options)

        assert ended.code == 2
        assert "--serve" in ended.err


def test_without_the_extra_it_says_how_to_install_it() -> None:
    code = "import sys; sys.modules['aiohttp'] = None; from naq_tui.cli.top import run; run()"
    ended = subprocess.run([sys.executable, "-c", code, "--serve", "0"], capture_output=True, text=True, check=False)

    assert ended.returncode == 2
    assert "pip install 'naq-top[web]'" in ended.stderr


def test_an_address_is_written_for_browsers() -> None:
    assert Address("::", 8000).url == "http://[::]:8000/"
