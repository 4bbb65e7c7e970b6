"""The log into a file, and back: by the commands, against a real server."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from naq_runtime import EventService, JobEvent, JobEventType, NAQConfig, Queue, ServiceManager
from naq_runtime.events.archive import ArchiveHeader, ArchiveReader, ArchiveWriter
from naq_runtime.events.codec import encode_event, event_subject
from naq_runtime.events.filters import EventFilter
from naq_runtime.events.models import StoredEvent
from naq_runtime.events.storage import NATSJobEventStorage
from naq_runtime.events.transfer import export_events, export_header
from naq_runtime.naming import Names
from naq_runtime.nats.direct import StoredMessage, stream_bounds
from naq_runtime.nats.publish import Outgoing, open_writer
from tests.conftest import MakeConfig
from tests.support import sample_tasks as tasks
from tests.support.history import all_events
from tests.support.processes import environment, naq, started
from tests.support.waiting import eventually
from tests.support.workers import running_worker


async def some_story(config: NAQConfig) -> list[StoredEvent]:
    """The log after some jobs."""
    async with Queue(config=config) as queue, running_worker(config):
        for handle in [await queue.enqueue(tasks.add, number) for number in range(5)]:
            await handle.result(timeout=30)
    return await all_events(config)


async def fill(config: NAQConfig, number: int) -> None:
    """Store many events."""
    async with ServiceManager(config, role="test") as services:
        stream = await services.topology.events()
        writer = await open_writer(services.connection, fast=stream.fast_ingest)
        for start in range(0, number, 500):
            events = [
                JobEvent(
                    event_type=JobEventType.LOG,
                    timestamp_ns=1_700_000_000_000_000_000 + place,
                    event_id=f"e-{place}",
                    job_id="j",
                    queue_name="q",
                    text="x" * 200,
                )
                for place in range(start, min(number, start + 500))
            ]
            await writer.store([Outgoing(event_subject(config.names, one), encode_event(one)) for one in events])
        await writer.close()


async def count_of(services: ServiceManager) -> int:
    """How many events were ever stored."""
    return (await stream_bounds(services.connection, services.names.events_stream)).last


def events_in(path: Path) -> list[StoredEvent]:
    reader = ArchiveReader(path)
    found = [one.stored for one in reader]
    reader.close()
    assert (reader.fault, reader.broken) == (None, 0)
    return found


@pytest.mark.parametrize("name", ["log.jsonl", "log.jsonl.zst"])
async def test_what_is_exported_and_imported_elsewhere_is_the_same_and_a_second_time_adds_nothing(
    config: NAQConfig, make_config: MakeConfig, tmp_path: Path, name: str
) -> None:
    told = await some_story(config)
    elsewhere = make_config()

    exported = await naq("events", "export", "-o", str(tmp_path / name), config=config)
    first = await naq("events", "import", str(tmp_path / name), config=elsewhere)
    second = await naq("events", "import", str(tmp_path / name), config=elsewhere)

    assert exported.err == f"naq: {len(told)} events exported\n"
    assert events_in(tmp_path / name) == told
    assert [one.event for one in await all_events(elsewhere)] == [one.event for one in told]
    assert first.err == f"naq: {len(told)} events imported, 0 were in the log already\n"
    assert second.err == f"naq: 0 events imported, {len(told)} were in the log already\n"


async def test_only_what_is_asked_for_goes_to_stdout(config: NAQConfig) -> None:
    told = await some_story(config)

    out = (await naq("events", "export", "--type", "completed", "--since", "1h", config=config)).out
    none = (await naq("events", "export", "--until", "1h", config=config)).out

    header, *lines, end = map(json.loads, out.splitlines())
    assert (header["naq_events"], header["namespace"]) == (1, config.namespace)
    assert (header["first_sequence"], header["last_sequence"]) == (told[0].sequence, told[-1].sequence)
    assert [line["event"]["event_type"] for line in lines] == ["completed"] * 5
    assert end == {"events": 5, "complete": True}
    assert len(none.splitlines()) == 2


async def test_an_export_has_only_what_a_filter_means_and_says_so(config: NAQConfig) -> None:
    told = await some_story(config)
    wanted = EventFilter("type:started OR result")

    finished = await naq(
        "events", "export", "--filter", "type:started OR result", "--type", "started", "--type", "result_stored",
        config=config,
    )  # fmt: skip

    header, *lines, end = map(json.loads, finished.out.splitlines())
    assert header["filter"] == "type:started OR result"
    expected = [
        one.sequence
        for one in told
        if wanted.matches(one.event) and one.event.event_type in ("started", "result_stored")
    ]
    assert [line["sequence"] for line in lines] == expected
    assert end == {"events": len(expected), "complete": True}
    assert finished.err == f"naq: {len(expected)} events exported\n"  # what was not wanted is no loss


@pytest.mark.parametrize("chosen", [{"filter": "job:rare"}, {"event_types": ["completed"]}, {"filter": "queue:rare"}])
async def test_what_a_filter_tells_by_subject_is_written_and_found_at_once(
    config: NAQConfig, chosen: dict[str, Any]
) -> None:
    await fill(config, 20_000)
    rare = JobEvent(
        event_type=JobEventType.COMPLETED, timestamp_ns=1, event_id="e-rare", job_id="rare", queue_name="rare"
    )
    async with ServiceManager(config, role="test") as services:
        storage = NATSJobEventStorage(services.connection, config, services.topology)
        await storage.store([Outgoing(event_subject(config.names, rare), encode_event(rare))])
        header = await export_header(services.connection, config.names, **chosen)
        writer = ArchiveWriter(io.BytesIO(), header, compress=False)
        seen: list[tuple[int, int]] = []
        gone = await export_events(
            services.connection, config.names, header, writer, lambda done, of: seen.append((done, of))
        )

    assert (writer.count, gone, seen) == (1, 0, [(20_001, 20_001)])


async def test_a_range_of_time_begins_and_ends_where_it_was_asked_to(config: NAQConfig) -> None:
    told = await some_story(config)
    middle = told[len(told) // 2]

    before = (await naq("events", "export", "--until", middle.stored_at, config=config)).out.splitlines()[1:-1]
    after = (await naq("events", "export", "--since", middle.stored_at, config=config)).out.splitlines()[1:-1]

    sequences = [json.loads(line)["sequence"] for line in (*before, *after)]
    assert sequences == [one.sequence for one in told]
    assert 0 < len(before) < len(told)


async def test_an_export_that_is_interrupted_leaves_a_file_that_can_be_read(config: NAQConfig, tmp_path: Path) -> None:
    await fill(config, 40_000)
    path = tmp_path / "log.jsonl.zst"
    async with started("naq_tui.cli.main", "events", "export", "-o", str(path), config=config) as process:
        await eventually(lambda: path.exists() and path.stat().st_size > 0)
        process.send_signal(signal.SIGINT)
        _, err = await asyncio.wait_for(process.communicate(), 20)

    reader = ArchiveReader(path)
    count = sum(1 for _ in reader)
    reader.close()
    assert process.returncode == 130
    assert 0 < count < 40_000
    assert reader.fault == f"its export was ended behind {count:,} events"
    assert f"{count:,} events exported, and then it was ended: the file can be read" in err.decode()


async def test_an_import_that_is_interrupted_and_done_again_leaves_every_event_once_and_in_order(
    config: NAQConfig, make_config: MakeConfig, tmp_path: Path
) -> None:
    await fill(config, 20_000)
    told = await all_events(config)
    path = tmp_path / "log"
    await naq("events", "export", "-o", str(path), config=config)
    elsewhere = make_config()

    async with started("naq_tui.cli.main", "events", "import", str(path), config=elsewhere) as process:
        async with ServiceManager(elsewhere, role="test") as services:
            await services.topology.events()
            await eventually(lambda: count_of(services), within=20)
        process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.communicate(), 20)
    again = await naq("events", "import", str(path), config=elsewhere)

    assert process.returncode == 130
    assert " 0 were in the log already" not in again.err
    assert [one.event for one in await all_events(elsewhere)] == [one.event for one in told]


async def test_an_event_that_is_too_large_for_the_server_does_not_hold_up_the_others(
    config: NAQConfig, tmp_path: Path
) -> None:
    events = [
        JobEvent(event_type=JobEventType.LOG, timestamp_ns=1, event_id=f"e-{n}", job_id="j", queue_name="q", text=text)
        for n, text in enumerate(["a", "x" * 10_000_000, "b"])
    ]
    with (tmp_path / "log").open("wb") as file:
        writer = ArchiveWriter(file, ArchiveHeader(naq_events=1, namespace="naq"), compress=False)
        writer.write([StoredMessage(event_subject(Names(), one), 1, encode_event(one), "") for one in events])
        writer.end(complete=True)

    finished = await naq("events", "import", str(tmp_path / "log"), config=config)

    assert "2 events imported" in finished.err
    assert "1 event is larger than this server accepts: left out" in finished.err
    assert [one.event for one in await all_events(config)] == [events[0], events[2]]


async def test_a_dash_is_stdout_and_stdin(config: NAQConfig, make_config: MakeConfig, tmp_path: Path) -> None:
    told = await some_story(config)
    elsewhere = make_config()
    exported = await naq("events", "export", "-o", "-", config=config, cwd=tmp_path)

    arguments = ("naq_tui.cli.main", "events", "import", "-")
    async with started(*arguments, config=elsewhere, stdin=asyncio.subprocess.PIPE) as process:
        await asyncio.wait_for(process.communicate(exported.out.encode()), 20)

    assert [one.event for one in await all_events(elsewhere)] == [one.event for one in told]
    assert not list(tmp_path.iterdir())


async def test_an_import_that_is_interrupted_says_how_far_it_came_and_goes_on_the_next_time(
    config: NAQConfig, make_config: MakeConfig, tmp_path: Path
) -> None:
    await fill(config, 40_000)
    path, elsewhere = tmp_path / "log.jsonl", make_config()
    await naq("events", "export", "-o", str(path), config=config)

    async def begun() -> bool:
        return len(await all_events(elsewhere, limit=1)) > 0

    arguments = ("naq_tui.cli.main", "events", "import", "-")
    async with started(*arguments, config=elsewhere, stdin=asyncio.subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(path.read_bytes()[: path.stat().st_size // 2])  # it cannot come to the end before us
        await eventually(begun)
        process.send_signal(signal.SIGINT)
        _, err = await asyncio.wait_for(process.communicate(), 30)
    again = await naq("events", "import", str(path), config=elsewhere)

    assert process.returncode == 130
    assert re.search(r"ended behind [\d,]+ events, which are in the log: do it again to go on", err.decode())
    stored, there = (int(number.replace(",", "")) for number in re.findall(r"([\d,]+) (?:events|were)", again.err))
    assert stored + there == 40_000
    assert 0 < stored < 40_000


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is always full")
async def test_a_disk_that_is_full_is_said_once_and_in_one_line(config: NAQConfig) -> None:
    await fill(config, 2_000)

    finished = await naq("events", "export", "-o", "/dev/full", config=config)

    assert (finished.code, finished.err.count("\n")) == (2, 1)
    assert finished.err.endswith(": cannot write /dev/full: No space left on device\n")


async def test_a_time_that_ends_before_it_begins_is_a_usage_error(config: NAQConfig, tmp_path: Path) -> None:
    arguments = ("--since", "1h", "--until", "2h", "-o", str(tmp_path / "log"))

    finished = await naq("events", "export", *arguments, config=config)

    assert finished.code == 2
    assert "the time ends before it begins" in finished.err
    assert not (tmp_path / "log").exists()


async def test_an_empty_log_is_exported_without_a_word_of_a_loss(config: NAQConfig) -> None:
    finished = await naq("events", "export", config=config)

    assert (finished.code, finished.err) == (0, "naq: 0 events exported\n")
    assert finished.out.splitlines()[1:] == ['{"events":0,"complete":true}']


@pytest.mark.parametrize("options", [(), ("--compress",)], ids=["plain", "compressed"])
async def test_an_export_is_piped_into_an_import(
    config: NAQConfig, make_config: MakeConfig, options: tuple[str, ...]
) -> None:
    told, elsewhere = await some_story(config), make_config()
    ours, theirs = os.pipe()
    export = [sys.executable, "-m", "naq_tui.cli.main", "events", "export", *options]
    read = [sys.executable, "-m", "naq_tui.cli.main", "events", "import", "-"]

    writing = await asyncio.create_subprocess_exec(*export, stdout=theirs, env=environment(config))
    reading = await asyncio.create_subprocess_exec(*read, stdin=ours, env=environment(elsewhere))
    os.close(ours)
    os.close(theirs)
    codes = [await asyncio.wait_for(process.wait(), 20) for process in (writing, reading)]

    assert codes == [0, 0]
    assert [one.event for one in await all_events(elsewhere)] == [one.event for one in told]


async def test_a_damaged_file_is_imported_as_far_as_it_goes_and_that_is_said(
    config: NAQConfig, make_config: MakeConfig, tmp_path: Path
) -> None:
    await some_story(config)
    path = tmp_path / "log.jsonl"
    await naq("events", "export", "-o", str(path), config=config)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:3], b'{"sequence":1,"subj\n', *lines[3:6], lines[6][:40]]))

    finished = await naq("events", "import", str(path), config=make_config())

    assert finished.code == 1
    assert "5 events imported" in finished.err
    assert "2 lines are no events, and were passed over" in finished.err
    assert "the file is not complete: it was cut off behind 5 events" in finished.err


async def test_a_file_of_another_version_and_one_that_is_none_are_refused(config: NAQConfig, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"naq_events":7,"namespace":"naq"}\n')
    foreign = await naq("events", "import", str(path), config=config)
    path.write_text("hello\n")
    none = await naq("events", "import", str(path), config=config)

    assert (foreign.code, none.code) == (2, 2)
    assert "of version 7 of files of events, and this naq reads version 1" in foreign.err
    assert "no file of events, such as 'naq events export' makes" in none.err


async def test_the_history_of_a_job_can_be_asked_for_after_an_import(
    config: NAQConfig, make_config: MakeConfig, tmp_path: Path
) -> None:
    told = await some_story(config)
    job_id = next(one.event.job_id for one in told if isinstance(one.event, JobEvent))
    elsewhere = make_config()
    await naq("events", "export", "-o", str(tmp_path / "log"), config=config)
    await naq("events", "import", str(tmp_path / "log"), config=elsewhere)

    async with ServiceManager(elsewhere, role="test") as services:
        history = await (await services.get_service(EventService)).get_job_event_history(job_id)

    assert {str(one.event.event_type) for one in history} >= {"enqueued", "started", "completed", "result_stored"}


async def test_a_type_that_there_is_not_is_a_usage_error(config: NAQConfig) -> None:
    finished = await naq("events", "export", "--type", "fialed", config=config)

    assert (finished.code, finished.out) == (2, "")
    assert "did you mean failed" in finished.err
