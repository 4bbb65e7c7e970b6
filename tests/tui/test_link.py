"""When the link is lost the last state stays, greyed and dated; when it is back nothing jumps."""

from __future__ import annotations

from naq_runtime.errors import ServerUnreachable
from naq_tui.source import Batch, ConnectionState, Link
from naq_tui.widgets.queues import Queues
from tests.tui.builders import NOW_NS, SECOND, alerts, batch, job_event, link, queue, snapshot, worker
from tests.tui.harness import Watched, watching

BUSY = batch(
    *(job_event("completed", f"job-{number}", ago_s=number / 10) for number in range(200, 0, -1)),
    snapshot=snapshot([queue("default", 7, 2)], [worker("w-1", beat_ago_s=1)]),
)


async def lose_link(watched: Watched, *, for_s: float) -> None:
    """The link is lost, and then so much time passes."""
    lost = Link(ConnectionState.RECONNECTING, watched.clock.time_ns(), "connection refused")
    await watched.feed(Batch(lost))
    await watched.pass_time(for_s)


async def test_the_last_state_stays_with_its_age() -> None:
    async with watching(BUSY) as watched:
        before = watched.lines[2:]
        await lose_link(watched, for_s=12)
        assert watched.lines[2:] == before
        assert "○ reconnecting 12 s" in watched.lines[0]
        assert "shown as of 12 s ago" in watched.lines[0]


async def test_the_address_that_cannot_be_reached_stays_even_where_alerts_fire() -> None:
    async with watching(batch(snapshot=snapshot(alerts=alerts())), size=(100, 30)) as watched:
        assert "⚑" in watched.lines[0]
        await lose_link(watched, for_s=12)
        assert "nats://127.0.0.1:4222" in watched.lines[0]
        assert "○ reconnecting 12 s" in watched.lines[0]


async def test_the_figures_of_the_strip_stay_too() -> None:
    async with watching(BUSY) as watched:
        before = watched.lines[1]
        await lose_link(watched, for_s=60)
        assert watched.lines[1] == before


async def test_it_is_greyed_until_the_link_is_back() -> None:
    async with watching(BUSY) as watched:
        queues = watched.app.screen.query_one(Queues)
        await lose_link(watched, for_s=1)
        assert queues.styles.text_opacity < 1
        await watched.feed(batch())
        assert queues.styles.text_opacity == 1


async def test_why_it_is_lost_is_said_where_there_is_room() -> None:
    async with watching(BUSY, size=(200, 60)) as watched:
        await lose_link(watched, for_s=1)
        assert "connection refused" in watched.lines[0]


async def test_no_worker_is_lost_or_late_because_the_link_is() -> None:
    async with watching(BUSY) as watched:
        await lose_link(watched, for_s=120)
        assert "● busy" in watched.line_with("│ w-1 ")


async def test_what_happened_meanwhile_makes_no_spike() -> None:
    async with watching(BUSY) as watched:
        await lose_link(watched, for_s=60)
        meanwhile = [job_event("completed", f"late-{number}", ago_s=-number / 200) for number in range(8_000)]
        await watched.feed(batch(*meanwhile, first=201, link=link(ConnectionState.CATCHING_UP)), batch())
        assert "jobs 0/s" in watched.lines[1]
        assert watched.app.dashboard.throughput(NOW_NS + 60 * SECOND).completed[-40:-20] == [200] * 20


async def test_another_pane_can_be_looked_at_meanwhile() -> None:
    async with watching(BUSY, size=(80, 24)) as watched:
        await lose_link(watched, for_s=30)
        await watched.press("shift+tab")
        assert "● busy" in watched.text


async def test_a_source_that_gives_up_says_why() -> None:
    async with watching(BUSY) as watched:
        watched.source.fail(ServerUnreachable("nothing answers at nats://127.0.0.1:4222"))
        await watched.source.taken()
        await watched.settle()
        assert "✗ failed: nothing answers at nats://127.0.0.1:4222" in watched.lines[0]
        assert watched.app.is_running
        assert not watched.source.is_open


async def test_the_first_connection_is_awaited_in_words() -> None:
    connecting = Link(ConnectionState.CONNECTING, NOW_NS - 4 * SECOND, "nats://127.0.0.1:4222")
    async with watching(Batch(connecting)) as watched:
        assert "◌ connecting 4 s" in watched.lines[0]
        assert "nats://127.0.0.1:4222" in watched.lines[0]
        assert "connecting …" in watched.text


async def test_before_anything_was_reached_no_figure_is_claimed() -> None:
    refused = Link(ConnectionState.RECONNECTING, NOW_NS, "cannot reach a NATS server at nats://127.0.0.1:1")
    async with watching(Batch(refused)) as watched:
        assert "none missed" not in watched.text
        for title in ("Queues -", "Workers -", "Events -"):
            assert title in watched.text
        assert "nothing was reached yet" in watched.text
        assert "cannot reach a NATS server at nats://127.0.0.1:1" in watched.text
        assert "it is tried again every second" in watched.text
        assert "first event" not in watched.text

        await watched.feed(batch(snapshot=snapshot()))
        assert "none missed" in watched.text
        assert "Queues 0" in watched.text


async def test_an_empty_moment_of_the_past_says_that_nothing_was_there() -> None:
    async with watching(batch(snapshot=snapshot(), link=link(ConnectionState.REPLAYING))) as watched:
        assert "nothing was told of any queue by this moment" in watched.text
        assert "no worker was there at this moment" in watched.text
        assert "nothing had happened by this moment" in watched.text
        assert "naq enqueue" not in watched.text


async def test_without_a_server_the_first_pane_says_why_and_what_to_do() -> None:
    reason = "cannot reach a NATS server at nats://127.0.0.1:1: connection refused. Start one with 'naq server'"
    async with watching(Batch(Link(ConnectionState.RECONNECTING, NOW_NS, reason)), size=(60, 20)) as watched:
        said = " ".join(watched.text.replace("│", " ").split())

        assert "connection refused. Start one with 'naq server'" in said
