"""A webhook against a real receiver, well and badly behaved."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from naq_runtime.errors import ConfigError, ProcessingError, Rejected, Unavailable
from naq_runtime.processors import webhook as module
from naq_runtime.processors.http import Target
from naq_runtime.processors.settings import WebhookConfig
from naq_runtime.processors.webhook import Webhook
from tests.support.receiver import Receiver, Reply, receiving
from tests.support.waiting import eventually


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WAIT_S", 0.01)


@dataclass
class Peer:
    """The other side of a connection."""

    url: str
    came: threading.Event = field(default_factory=threading.Event)
    hung_up: threading.Event = field(default_factory=threading.Event)


@contextmanager
def raw_server(answer: bytes, *, trickle: bytes = b"") -> Iterator[Peer]:
    """Answers anything with some bytes, then with more of them one by one."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        other = Peer(f"http://127.0.0.1:{listening.getsockname()[1]}/")

        def serve() -> None:
            try:
                peer, _ = listening.accept()
            except OSError:
                return
            with peer:
                peer.recv(65_536)
                other.came.set()
                try:
                    peer.sendall(answer)
                    while trickle:
                        peer.sendall(trickle)
                        time.sleep(0.02)
                except OSError:
                    other.hung_up.set()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield other
        listening.close()
        thread.join(5)


async def test_it_posts_json_with_its_headers_and_a_signature_that_can_be_checked(receiver: Receiver) -> None:
    config = WebhookConfig(
        url=f"{receiver.url}/hook?x=1",
        headers={"Authorization": "Bearer ${TOKEN}"},
        secret="whsec_" + base64.b64encode(b"a shared key").decode(),
    )
    webhook = Webhook(config, environ={"TOKEN": "tok-123"})

    await webhook.post({"text": "queue mail is late"}, message_id="m-1")

    (request,) = receiver.requests
    assert (request.path, request.json) == ("/hook?x=1", {"text": "queue mail is late"})
    assert request.headers["authorization"] == "Bearer tok-123"
    assert request.headers["content-type"] == "application/json"
    signed = f"m-1.{request.headers['webhook-timestamp']}.".encode() + request.body
    expected = base64.b64encode(hmac.new(b"a shared key", signed, hashlib.sha256).digest()).decode()
    assert request.headers["webhook-id"] == "m-1"
    assert request.headers["webhook-signature"] == f"v1,{expected}"
    assert abs(int(request.headers["webhook-timestamp"]) - time.time()) < 60


async def test_what_is_not_taken_at_first_is_posted_again_under_the_same_id(receiver: Receiver) -> None:
    receiver.replies = [Reply(500), Reply(503, (("Retry-After", "0"),)), Reply(429)]

    await Webhook(WebhookConfig(url=receiver.url)).post([1])

    assert [request.json for request in receiver.requests] == [[1]] * 4
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1


@pytest.mark.parametrize("after", ["1", "date"])
async def test_it_waits_for_as_long_as_it_is_asked_to(receiver: Receiver, after: str) -> None:
    if after == "date":
        after = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 2))
    receiver.replies = [Reply(503, (("Retry-After", after),))]
    begun = time.monotonic()

    await Webhook(WebhookConfig(url=receiver.url)).post([1])

    assert len(receiver.requests) == 2
    assert time.monotonic() - begun > 0.9


@pytest.mark.parametrize("status", [400, 404, 410, 413, 422])
async def test_what_will_never_be_taken_is_posted_once(receiver: Receiver, status: int) -> None:
    receiver.replies = [Reply(status, body=b"no\x1b[31m such\nthing")]

    with pytest.raises(Rejected, match=f"{receiver.url} answered {status}") as raised:
        await Webhook(WebhookConfig(url=f"{receiver.url}/T0KEN")).post([1])

    assert str(raised.value).endswith(": no\N{REPLACEMENT CHARACTER}[31m such thing")
    assert "T0KEN" not in str(raised.value)

    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("status", "error"), [(500, ProcessingError), (401, Unavailable), (408, Unavailable), (503, Unavailable)]
)
async def test_out_of_tries_the_last_answer_is_told(
    receiver: Receiver, status: int, error: type[ProcessingError]
) -> None:
    receiver.judge = lambda request: Reply(status)

    with pytest.raises(error, match=f"answered {status}") as raised:
        await Webhook(WebhookConfig(url=receiver.url, retries=2)).post([1])

    assert type(raised.value) is error
    assert len(receiver.requests) == 3


async def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.replies = [Reply(307, (("Location", f"{receiver.url}/elsewhere"),))]

    with pytest.raises(Rejected, match="redirects are not followed"):
        await Webhook(WebhookConfig(url=receiver.url)).post([1])

    assert [request.path for request in receiver.requests] == ["/"]


async def test_nobody_there_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    with pytest.raises(Unavailable, match=rf"http://127.0.0.1:{port} cannot be reached"):
        await Webhook(WebhookConfig(url=f"http://127.0.0.1:{port}", retries=1)).post([1])


@pytest.mark.parametrize(
    ("answer", "trickle"),
    [(b"", b"x"), (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x")],
)
async def test_one_that_answers_slowly_without_end_is_hung_up_on(answer: bytes, trickle: bytes) -> None:
    with raw_server(answer, trickle=trickle) as peer:
        begun = time.monotonic()

        with pytest.raises(Unavailable):
            await Webhook(WebhookConfig(url=peer.url, timeout=0.3, retries=0)).post([1])

        assert time.monotonic() - begun < 20
        await eventually(peer.hung_up.is_set, within=20)


async def test_of_an_endless_answer_only_the_beginning_is_read() -> None:
    with raw_server(b"HTTP/1.1 200 OK\r\n\r\n", trickle=b"x" * 10_000) as peer:
        await Webhook(WebhookConfig(url=peer.url, timeout=5)).post([1])

        await eventually(peer.hung_up.is_set, within=20)


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n"])
async def test_what_is_no_answer_of_http_is_unavailable(answer: bytes) -> None:
    with raw_server(answer) as peer:
        with pytest.raises(Unavailable):
            await Webhook(WebhookConfig(url=peer.url, retries=0, timeout=20)).post([1])


async def test_one_that_is_cancelled_lets_go_of_the_connection() -> None:
    with raw_server(b"", trickle=b"\r\n") as peer:
        posting = asyncio.create_task(Webhook(WebhookConfig(url=peer.url, timeout=60)).post([1]))
        await eventually(peer.came.is_set)
        posting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await posting

        await eventually(peer.hung_up.is_set, within=20)


async def test_it_goes_through_the_proxy_of_the_environment(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", receiver.url.replace("://", "://user:pa%24s@"))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)

    await Webhook(WebhookConfig(url="http://hooks.invalid/x")).post([1])

    (request,) = receiver.requests
    assert request.path == "http://hooks.invalid:80/x"
    assert request.headers["proxy-authorization"] == f"Basic {base64.b64encode(b'user:pa$s').decode()}"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"url": "ftp://example.com"}, r"processors.hook.url: expected an address .* got ftp://example.com"),
        ({"url": "https://example.com/${GONE}"}, "processors.hook.url: the environment variable GONE is not set"),
        ({"url": "https://user:S3CRET/9@example.com"}, r"hook.url: the host or the port of this address is none, got"),
        (
            {"url": "https://example.com/\xe4"},
            r"hook.url: an address has no spaces and printable ASCII characters only",
        ),
        ({"url": "http://x", "secret": "whsec_%"}, "processors.hook.secret: what follows whsec_ must be base64"),
        ({"url": "http://x", "headers": {"X": "a\r\nb"}}, "processors.hook.headers.X: a header has printable"),
        ({"url": "http://x", "headers": {"X:": "a"}}, "processors.hook.headers.X:: 'X:' is no name"),
    ],
)
def test_what_cannot_be_used_is_refused_by_its_key(settings: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says) as raised:
        Webhook(WebhookConfig(**settings), key="processors.hook", environ={})  # type: ignore[arg-type]

    assert "S3CRET" not in str(raised.value)


def test_no_secret_is_shown() -> None:
    secrets = ("s3cret", "t0ken", "hush", "pass")
    config = WebhookConfig(url="https://u:pass@host/s3cret?k=t0ken", headers={"Authorization": "t0ken"}, secret="hush")

    shown = f"{config!r} {Webhook(config)!r}"

    assert "https://host" in shown
    assert [secret for secret in secrets if secret in shown] == []


async def test_what_the_receiver_repeats_of_secrets_is_hidden(receiver: Receiver) -> None:
    body = b"Cannot POST /services/T0KEN-1?key=K3Y-22: no user with T0KEN-1 and Bearer H34DER-3, whsec S1GNED-4"
    receiver.replies = [Reply(404, body=body)]
    config = WebhookConfig(
        url=f"{receiver.url}/services/T0KEN-1?key=K3Y-22",
        headers={"Authorization": "Bearer H34DER-3"},
        secret="S1GNED-4",
    )

    with pytest.raises(Rejected, match=r"Cannot POST \(hidden\): no user with") as raised:
        await Webhook(config).post([1])

    assert not [secret for secret in ("T0KEN", "K3Y", "H34DER", "S1GNED") if secret in str(raised.value)]


@pytest.mark.parametrize("after", ["Mon, 99999999999999999999 Jan 2020 00:00:00 GMT", "soon"])
async def test_a_wait_that_is_none_is_passed_over(receiver: Receiver, after: str) -> None:
    receiver.replies = [Reply(503, (("Retry-After", after),))]

    with pytest.raises(Unavailable, match="answered 503"):
        await Webhook(WebhookConfig(url=receiver.url, retries=0)).post([1])


async def test_an_address_with_a_user_says_who_we_are(receiver: Receiver) -> None:
    await Webhook(WebhookConfig(url=receiver.url.replace("://", "://bob:pa%24s@"))).post([1])

    (request,) = receiver.requests
    assert request.headers["authorization"] == f"Basic {base64.b64encode(b'bob:pa$s').decode()}"


def test_a_header_takes_the_place_of_ours_however_it_is_written() -> None:
    webhook = Webhook(WebhookConfig(url="http://x", headers={"content-type": "application/cloudevents+json"}))

    assert [name for name in webhook._headers if name.lower() == "content-type"] == ["content-type"]


def test_whom_we_trust_is_read_once() -> None:
    first, second = (Target.of("https://localhost/x").connection(1)[0] for _ in range(2))

    assert first._context is second._context  # type: ignore[attr-defined]
