"""Files of events: what is written is read again, and whatever else is in a file hurts nobody."""

from __future__ import annotations

import io
import json
import os
import resource
import threading
from pathlib import Path

import pytest
import zstandard
from hypothesis import given

from naq_runtime.errors import ArchiveError
from naq_runtime.events.archive import FORMAT_VERSION, ArchiveHeader, ArchiveReader, ArchiveWriter
from naq_runtime.events.codec import encode_event, event_subject
from naq_runtime.events.models import Event
from naq_runtime.naming import Names
from naq_runtime.nats.direct import StoredMessage
from tests.unit.samples import a_job_event, any_event

HEADER = ArchiveHeader(naq_events=FORMAT_VERSION, namespace="naq", first_sequence=1, last_sequence=9)
STORED = "2026-03-01T14:02:11.123456789Z"


def messages(*events: Event) -> list[StoredMessage]:
    return [
        StoredMessage(event_subject(Names(), event), sequence, encode_event(event), STORED)
        for sequence, event in enumerate(events, 1)
    ]


def written(*stored: StoredMessage, compress: bool = False, complete: bool = True) -> bytes:
    file = io.BytesIO()
    writer = ArchiveWriter(file, HEADER, compress=compress)
    writer.write(list(stored))
    writer.end(complete=complete)
    return file.getvalue()


def read(path: Path, content: bytes) -> tuple[ArchiveReader, list[Event]]:
    path.write_bytes(content)
    reader = ArchiveReader(path)
    events = [one.stored.event for one in reader]
    reader.close()
    return reader, events


THREE = [a_job_event(event_id=f"e-{number}") for number in range(3)]


@pytest.mark.parametrize("compress", [False, True])
def test_what_is_written_is_read_again(tmp_path: Path, compress: bool) -> None:
    path = tmp_path / "events"
    path.write_bytes(written(*messages(*THREE), compress=compress))

    reader = ArchiveReader(path)
    found = list(reader)
    reader.close()

    assert reader.header == HEADER
    assert [one.stored.event for one in found] == THREE
    assert [(one.stored.sequence, one.stored.stored_at) for one in found] == [(n, STORED) for n in (1, 2, 3)]
    assert [one.payload for one in found] == [encode_event(event) for event in THREE]
    assert f"naq.events.{found[0].subject}" == event_subject(Names(), THREE[0])
    assert (reader.broken, reader.fault) == (0, None)


@given(event=any_event())
def test_any_event_survives(tmp_path_factory: pytest.TempPathFactory, event: Event) -> None:
    _, events = read(tmp_path_factory.mktemp("any") / "events", written(*messages(event)))

    assert events == [event]


def test_what_is_no_event_is_left_out_and_counted_and_other_people_s_layout_makes_one_line() -> None:
    (message,) = messages(THREE[0])
    laid_out = StoredMessage(message.subject, 2, json.dumps(json.loads(message.data), indent=2).encode(), STORED)
    nothing = StoredMessage("naq.events.job.a.b.c.d", 3, b"hello", STORED)
    file = io.BytesIO()
    writer = ArchiveWriter(file, HEADER, compress=False)

    writer.write([laid_out, nothing])

    assert (writer.count, writer.left_out, file.getvalue().count(b"\n")) == (1, 1, 2)


def test_other_people_s_layout_is_all_that_is_changed_of_an_event() -> None:
    event = b'{"category": "new",\n "event_type": "x", "timestamp_ns": 1, "n": 12345678901234567890123, "f": 1.10}'

    file = written(StoredMessage("naq.events.new.a.x.e-1", 1, event, STORED))

    assert b'"event":{"category":"new","event_type":"x","timestamp_ns":1,"n":12345678901234567890123,"f":1.10}' in file


@pytest.mark.parametrize("compress", [False, True])
def test_a_file_that_was_cut_off_gives_what_is_there_and_says_so(tmp_path: Path, compress: bool) -> None:
    many = messages(*[a_job_event(event_id=f"e-{number}", text="x" * (number % 97)) for number in range(5_000)])
    content = written(*many, compress=compress)

    reader, events = read(tmp_path / "events", content[: len(content) * 2 // 3])

    assert len(events) < 5_000
    assert reader.fault is not None
    assert "cut off" in reader.fault


def test_one_changed_byte_of_a_packed_file_does_not_pass_unnoticed(tmp_path: Path) -> None:
    content = written(*messages(*[a_job_event(text=os.urandom(20).hex()) for _ in range(200)]), compress=True)

    for place in range(200, len(content), len(content) // 60):
        changed = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
        try:
            reader, _ = read(tmp_path / "events", changed)
        except ArchiveError:
            continue
        assert reader.fault is not None, place


@pytest.mark.parametrize("compress", [False, True])
def test_a_pipe_is_read_like_a_file_however_little_comes_at_first(tmp_path: Path, compress: bool) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    content = written(*messages(*THREE), compress=compress)

    def write() -> None:
        with pipe.open("wb", buffering=0) as file:
            for start, end in ((0, 1), (1, 3), (3, len(content))):
                file.write(content[start:end])

    writing = threading.Thread(target=write)
    writing.start()
    reader = ArchiveReader(pipe)
    events = [one.stored.event for one in reader]
    reader.close()
    writing.join()

    assert (events, reader.fault) == (THREE, None)


def test_what_comes_behind_the_end_is_read_and_said(tmp_path: Path) -> None:
    whole = written(*messages(*THREE))

    reader, events = read(tmp_path / "events", whole + whole)

    assert events == THREE + THREE
    assert reader.fault == "it goes on behind its end: 3 events were to be in it, and 6 are"


def test_an_export_that_was_ended_says_so(tmp_path: Path) -> None:
    reader, events = read(tmp_path / "events", written(*messages(*THREE), complete=False))

    assert events == THREE
    assert reader.fault == "its export was ended behind 3 events"


def test_broken_lines_are_passed_over_and_counted(tmp_path: Path) -> None:
    lines = written(*messages(*THREE)).splitlines(keepends=True)
    hostile = [
        b"{\n",
        b"\xff\xfe\n",
        b"[" * 100_000 + b"\n",
        b'{"sequence":1,"subject":"job.>.q.started.1","event":{}}\n',
        b'{"sequence":1,"subject":">","event":{"timestamp_ns":1,"event_type":"x","category":"y"}}\n',
    ]
    wrong = lines[1].replace(b'"subject":"job.', b'"subject":"jobs.*.')

    reader, events = read(tmp_path / "events", b"".join([*lines[:2], *hostile, wrong, *lines[2:]]))

    assert events == THREE
    assert (reader.broken, reader.fault) == (6, None)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"hello\n", "no file of events"),
        (b"\x28\xb5\x2f\xfdrubbish", "no file of events"),
        (b'{"naq_events":2,"namespace":"naq"}\n', "of version 2 .* use a newer naq"),
    ],
)
def test_what_is_no_file_of_events_is_refused_with_a_reason(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "events"
    path.write_bytes(content)

    with pytest.raises(ArchiveError, match=said):
        ArchiveReader(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"cannot read .*nowhere: No such file"):
        ArchiveReader(tmp_path / "nowhere")


def test_a_line_without_end_that_unpacks_to_gigabytes_costs_no_such_memory(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zstandard.ZstdCompressor(level=1).stream_writer(file, closefd=False) as packed:
        packed.write(b'{"naq_events":1,"namespace":"naq"}\n')
        for _ in range(2_000):
            packed.write(b" " * 1_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    reader, events = read(tmp_path / "bomb", file.getvalue())

    assert (events, reader.broken) == ([], 1)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000  # kilobytes
