"""Frames: what goes in comes out, however the pipe cuts it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naq_runtime.errors import SerializationError
from naq_runtime.worker.frames import LIMIT, Frames, Kind, frame

KINDS = st.sampled_from(Kind)


@given(st.lists(st.tuples(KINDS, st.binary(max_size=40)), max_size=6), st.lists(st.integers(1, 12)))
def test_frames_come_out_as_they_went_in_however_they_are_cut(
    frames: list[tuple[Kind, bytes]], cuts: list[int]
) -> None:
    rest = b"".join(frame(kind, payload) for kind, payload in frames)
    reader, found = Frames(), list[tuple[Kind, bytes]]()
    for cut in cuts:
        found += reader.feed(rest[:cut])
        rest = rest[cut:]

    assert [*found, *reader.feed(rest)] == frames


def test_a_megabyte_is_one_frame() -> None:
    payload = bytes(1_000_000)
    assert list(Frames().feed(frame(Kind.VALUE, payload))) == [(Kind.VALUE, payload)]


def test_a_frame_that_is_not_whole_is_waited_for() -> None:
    assert list(Frames().feed(frame(Kind.VALUE, b"12345")[:-1])) == []


def test_a_payload_above_the_limit_is_refused() -> None:
    with pytest.raises(SerializationError, match=r"268,435,457 bytes are too many .* 268,435,456 can be handed over"):
        frame(Kind.VALUE, bytes(LIMIT + 1))


@pytest.mark.parametrize("data", [b"print() was here", b"\x0f\xff\xff\xff\xff", b"\x00\x00\x00\x00\x00"])
def test_anything_else_is_refused_at_its_first_bytes(data: bytes) -> None:
    with pytest.raises(SerializationError, match="is no frame"):
        list(Frames().feed(data))
