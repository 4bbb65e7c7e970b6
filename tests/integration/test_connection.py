"""Servers that cannot be used, and what is said of them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from naq_runtime import EmbeddedServer, NAQConfig, ServiceManager
from naq_runtime.errors import JetStreamUnavailable, MessageTooLarge, NotAuthorised, ServerUnreachable, StreamMissing
from naq_runtime.nats.connection import Msg
from naq_runtime.nats.publish import Outgoing
from tests.support.waiting import eventually

UNUSED = "nats://127.0.0.1:1"


def config_of(url: str, **settings: object) -> NAQConfig:
    return NAQConfig.load(
        arguments={"nats.url": url, **{k.replace("__", "."): v for k, v in settings.items()}}, environ={}
    )


async def test_a_server_that_is_down_is_an_error_at_once_that_says_what_to_do() -> None:
    config = config_of(UNUSED, nats__connect_timeout=600)  # so long a connection may take

    with pytest.raises(ServerUnreachable, match=r"127\.0\.0\.1:1: connection refused\. Start one with 'naq server'"):
        async with asyncio.timeout(30), ServiceManager(config):
            pass


async def test_the_password_of_a_url_never_reaches_the_message() -> None:
    with pytest.raises(ServerUnreachable) as caught:
        async with ServiceManager(config_of("nats://me:s3cret@127.0.0.1:1")):
            pass

    assert "s3cret" not in str(caught.value)


async def test_one_of_several_servers_that_answers_is_enough() -> None:
    async with EmbeddedServer() as server, ServiceManager(config_of(f"{UNUSED},{server.url}")) as services:
        assert services.connection.is_connected


async def test_a_server_that_does_not_speak_is_given_up_on_in_time() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        with pytest.raises(ServerUnreachable, match="cannot reach a NATS server"):
            async with ServiceManager(config_of(f"nats://127.0.0.1:{port}", nats__connect_timeout=1)):
                pass


async def test_services_that_cannot_be_entered_leave_no_connection_behind() -> None:
    async with EmbeddedServer() as server:
        port = int(server.url.rpartition(":")[2])

        with pytest.raises(StreamMissing, match="nothing of the namespace naq is on this server yet"):
            async with ServiceManager(config_of(server.url), may_found=False):
                pass

        assert [one for one in psutil.Process().net_connections("tcp") if one.raddr and one.raddr.port == port] == []


async def test_wrong_credentials_are_said_to_be_wrong() -> None:
    async with EmbeddedServer(config='authorization { user: "ada", password: "right" }') as server:
        with pytest.raises(NotAuthorised, match="refused the credentials"):
            async with ServiceManager(config_of(server.url, nats__user="ada", nats__password="wrong")):
                pass
        async with ServiceManager(config_of(server.url, nats__user="ada", nats__password="right")) as services:
            assert services.connection.is_connected


async def test_an_account_without_jetstream_is_said_to_have_none() -> None:
    accounts = 'accounts { PLAIN { users: [{user: "plain", password: "x"}] } }'
    async with EmbeddedServer(config=accounts) as server:
        with pytest.raises(JetStreamUnavailable, match="has no JetStream for this account"):
            async with ServiceManager(config_of(server.url, nats__user="plain", nats__password="x")):
                pass


async def test_a_flush_comes_behind_all_that_was_published() -> None:
    """Its answer would say nothing of a message that it has overtaken."""
    sent = bytearray()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: bytearray) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                kept += data
                writer.write(data)
        writer.close()

    async with EmbeddedServer() as server:

        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", urlsplit(server.url).port)
            await asyncio.gather(pass_on(reader, to_server, sent), pass_on(from_server, writer, bytearray()))

        async with await asyncio.start_server(relay, "127.0.0.1", 0) as listening:
            port = listening.sockets[0].getsockname()[1]
            async with ServiceManager(config_of(f"nats://127.0.0.1:{port}")) as services:
                sent.clear()
                await services.connection.publish("word", b"said")
                await services.connection.client.flush(timeout=30)

    assert bytes(sent).startswith(b"PUB word  4\r\nsaid\r\nPING\r\n")


async def test_many_messages_in_one_piece_arrive_like_one_by_one() -> None:
    async with EmbeddedServer() as server, ServiceManager(config_of(server.url)) as services:
        connection, heard = services.connection, list[tuple[str, str, bytes]]()

        async def hear(message: Msg) -> None:
            heard.append((message.subject, message.reply, message.data))

        await connection.subscribe("here.>", hear)
        messages = [("here.a", b"", ""), ("here.b", b"x" * 100_000, "back.1"), ("here.c", "é\r\n".encode(), "back.2")]

        await connection.publish_many(messages)
        for subject, payload, reply in messages:
            await connection.publish(subject, payload, reply)
        await connection.flush()

        await eventually(lambda: len(heard) == 6)
        assert heard[:3] == heard[3:] == [(subject, reply, payload) for subject, payload, reply in messages]


async def test_a_callback_that_fails_is_logged_with_its_traceback_and_hears_the_next_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with EmbeddedServer() as server, ServiceManager(config_of(server.url)) as services:
        connection, heard = services.connection, list[bytes]()

        async def hear(message: Msg) -> None:
            heard.append(message.data)
            raise ValueError(f"a fault of {message.data.decode()}")

        await connection.subscribe("here", hear)
        for payload in (b"one", b"two"):
            await connection.publish("here", payload)
        await eventually(lambda: len(heard) == 2)

    faults = [record for record in caplog.records if record.levelname == "ERROR"]
    assert [str(record.exc_info[1]) for record in faults if record.exc_info] == ["a fault of one", "a fault of two"]


async def test_many_messages_of_which_one_is_too_large_are_refused_before_any_is_sent() -> None:
    async with EmbeddedServer() as server, ServiceManager(config_of(server.url)) as services:
        large = b"x" * (services.connection.max_payload + 1)

        with pytest.raises(MessageTooLarge):
            await services.connection.publish_many([("here", b"", ""), ("here", large, "")])

        assert services.connection.is_connected


@pytest.mark.parametrize("way", ["request", "publish", "read"])
async def test_an_answer_that_is_lost_with_the_connection_is_not_waited_for(way: str) -> None:
    async with EmbeddedServer() as server, ServiceManager(config_of(server.url, nats__request_timeout=600)) as services:
        await services.topology.jobs()
        names, streams = services.names, services.streams
        asking: dict[str, Callable[[], Awaitable[object]]] = {
            "request": lambda: services.connection.request(names.job("default", "one"), b""),
            "publish": lambda: streams.publish([Outgoing(names.job("default", "one"), b"")]),
            "read": lambda: streams.last(names.jobs_stream, [names.job("*", "*")]),
        }
        os.kill(server.pid, signal.SIGSTOP)
        asked = asyncio.ensure_future(asking[way]())
        while (await asyncio.wait({asked}, timeout=0.5))[0]:  # it had not fallen silent yet
            asked = asyncio.ensure_future(asking[way]())
        os.kill(server.pid, signal.SIGKILL)

        (answer,) = await asyncio.wait_for(asyncio.gather(asked, return_exceptions=True), 20)

        (told,) = answer if isinstance(answer, list) else (answer,)
        assert isinstance(told, ServerUnreachable)


async def test_what_a_server_no_longer_reads_leaves_no_socket_behind() -> None:
    async with EmbeddedServer() as server:
        config = config_of(server.url, nats__pending_bytes=1 << 26)
        async with ServiceManager(config) as services:
            connection = services.connection
            transport: Any = connection.client._transport
            socket = transport._io_writer.get_extra_info("socket")
            os.kill(server.pid, signal.SIGSTOP)
            try:
                await connection.publish_many([("unread", b"x" * 500_000, "")] * 40)

                await connection.close()

                await eventually(lambda: socket.fileno() == -1)
            finally:
                os.kill(server.pid, signal.SIGCONT)
