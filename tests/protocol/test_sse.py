"""What the SSE decoder makes of an upstream's bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccp_core.protocol.sse import EventTooLarge, SSEDecoder, SSEEvent
from ccp_core.testing import every_split

CASES = {
    "one data line": (b"data: {}\n\n", [("", b"{}")]),
    "no space after the colon": (b"data:{}\n\n", [("", b"{}")]),
    "an event name": (b"event: ping\ndata: {}\n\n", [("ping", b"{}")]),
    "CRLF line ends": (b"event: ping\r\ndata: {}\r\n\r\n", [("ping", b"{}")]),
    "CR line ends": (b"data: 1\r\rdata: 2\r\r", [("", b"1"), ("", b"2")]),
    "several data lines are joined by a newline": (b"data: a\ndata: b\n\n", [("", b"a\nb")]),
    "comments say nothing": (b": hello\n\n: again\n\ndata: 1\n\n:\n\n", [("", b"1")]),
    "a comment inside an event": (b"data: 1\n: x\ndata: 2\n\n", [("", b"1\n2")]),
    "a byte order mark": (b"\xef\xbb\xbfdata: 1\n\n", [("", b"1")]),
    "several blank lines": (b"\n\n\ndata: 1\n\n\n\n\ndata: 2\n\n", [("", b"1"), ("", b"2")]),
    "an end without a blank line": (b"data: 1\n\ndata: 2", [("", b"1"), ("", b"2")]),
    "an end in the middle of a line end": (b"data: 1\r\n\r\ndata: 2\r", [("", b"1"), ("", b"2")]),
    "an event without data is none": (b"event: ping\n\ndata: 1\n\n", [("", b"1")]),
    "other fields are passed over": (b"id: 7\nretry: 10\ndata: 1\n\n", [("", b"1")]),
    "characters of several bytes": ("data: é漢🎉\n\n".encode(), [("", "é漢🎉".encode())]),
}


def decode(pieces):
    decoder = SSEDecoder()
    events = [event for piece in pieces for event in decoder.feed(piece)]
    return events + decoder.finish()


@pytest.mark.parametrize("name", CASES)
def test_every_split_of_the_bytes_gives_the_same_events(name):
    data, expected = CASES[name]
    for pieces in every_split(data):
        assert decode(pieces) == [SSEEvent(*pair) for pair in expected], pieces


def test_an_event_beyond_the_bound_is_refused():
    decoder = SSEDecoder(max_event=100)
    decoder.feed(b"data: " + b"x" * 80)
    with pytest.raises(EventTooLarge, match="100 bytes"):
        decoder.feed(b"x" * 80)


@pytest.mark.parametrize("lines", [1, 4000])
def test_a_large_event_may_come_in_small_reads(lines):
    """It is the same event, however many lines it has."""
    line = b"data: " + b"x" * (4_000_000 // lines) + b"\n"
    data = line * lines + b"\n"
    decoder = SSEDecoder()
    events = [event for at in range(0, len(data), 1000) for event in decoder.feed(data[at : at + 1000])]
    assert [len(event.data) for event in events] == [4_000_000 + lines - 1]


@given(st.lists(st.sampled_from([b"data: 1", b"\n", b"\r\n", b"\r", b":", b"event: a", b" ", b"data:"])))
def test_any_sequence_of_lines_decodes_the_same_in_one_piece_and_in_bytes(parts):
    data = b"".join(parts)
    assert decode([data]) == decode([data[i : i + 1] for i in range(len(data))])
