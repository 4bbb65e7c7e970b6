"""``naq stream``: the streams of a namespace, how full they are, and who reads them."""

from __future__ import annotations

import json

from naq_runtime import NAQConfig
from naq_runtime.nats.connection import Connection
from tests.conftest import MakeConfig
from tests.support.filled import QUEUE, filled
from tests.support.processes import naq


async def test_streams_are_listed_with_what_they_hold_and_shown_with_who_reads_them(config: NAQConfig) -> None:
    names = config.names
    jobs = names.jobs_stream
    async with filled(config):
        table = await naq("stream", "list", config=config)
        raw = await naq("stream", "list", "--format", "raw", config=config)
        found = json.loads((await naq("stream", "list", "--format", "json", config=config)).out)
        page = await naq("stream", "show", jobs, config=config)
        shown = json.loads((await naq("stream", "show", jobs, "--format", "json", config=config)).out)

    header, first, *_ = table.out.splitlines()
    assert header.split()[:5] == ["Stream", "Holds", "Messages", "Size", "Of"]
    assert first.split()[:2] == [jobs, "waiting"]
    assert "no limit" in first
    assert raw.out.splitlines()[0].split()[:2] == [jobs, f"messages={found[0]['messages']}"]
    assert {one["name"] for one in found} > {jobs, names.events_stream, names.dead_stream}
    assert {one["name"]: one["share"] is None for one in found}.items() >= {
        jobs: True,
        names.events_stream: False,
    }.items()
    assert f"queue-{QUEUE}  workers of queue {QUEUE}" in page.out
    assert "subjects    " in page.out
    assert {name: value for name, value in shown.items() if name in ("retention", "leader", "troubles")} == {
        "retention": "workqueue",
        "leader": "",
        "troubles": [],
    }
    assert [one["purpose"] for one in shown["readers"]] == [f"workers of queue {QUEUE}"]


async def test_a_stream_that_is_nearly_full_is_marked(make_config: MakeConfig) -> None:
    config = make_config()
    names = config.names
    async with await Connection.open(config.nats, name="test") as connection:
        small = {"name": names.dead_stream, "subjects": [names.dead_letters], "max_msgs": 10}
        await connection.api(f"STREAM.CREATE.{names.dead_stream}", small)
        for number in range(9):
            await connection.request(names.dead("mail", f"job-{number}"), b"{}")

        table = await naq("stream", "list", config=config)
        page = await naq("stream", "show", names.dead_stream, config=config)

    assert "! 90 %" in table.out
    assert "messages    9 of 10  ! 90 %" in page.out
    assert "when full   the oldest goes first" in page.out
    assert "nobody reads this stream by a consumer" in page.out
