"""Bytes into events, however the network cuts them."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.sse import MAX_EVENT_BYTES, EventTooLarge, ServerEvent, SSESplitter

STREAM = (
    '\ufeffdata: {"a": "ü世👋"}\n\n: comment\n\nevent: error\r\ndata: one\r\ndata:two\r\n\r\n'
    "id: 7\nretry: 10\ndata:  spaced\n\ndata\ndata: [DONE]\r\r"
).encode()
EVENTS = [
    ServerEvent(b"", '{"a": "ü世👋"}'.encode()),
    ServerEvent(b"error", b"one\ntwo"),
    ServerEvent(b"", b" spaced"),
    ServerEvent(b"", b"[DONE]"),
]


def split(chunks: list[bytes]) -> list[ServerEvent]:
    splitter = SSESplitter()
    return [event for chunk in chunks for event in splitter.feed(chunk)] + splitter.finish()


def test_a_stream_in_one_piece_gives_its_events() -> None:
    assert split([STREAM]) == EVENTS


def test_a_stream_byte_by_byte_gives_the_same_events() -> None:
    assert split([bytes([byte]) for byte in STREAM]) == EVENTS


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_a_stream_cut_anywhere_gives_the_same_events(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    assert split([STREAM[start:end] for start, end in itertools.pairwise(edges)]) == EVENTS


def test_an_event_is_given_out_with_the_read_that_completes_it() -> None:
    splitter = SSESplitter()
    assert splitter.feed(b"data: a\n") == []
    assert splitter.feed(b"\ndata: b") == [ServerEvent(b"", b"a")]
    assert splitter.finish() == [ServerEvent(b"", b"b")]


def test_an_event_without_end_does_not_fill_the_memory() -> None:
    piece = b"x" * 65_536
    for read in (piece, b"data: " + piece + b"\n"):
        endless = itertools.repeat(read, MAX_EVENT_BYTES // len(piece) + 2)
        with pytest.raises(EventTooLarge):
            split(list(endless))
