"""Joining a cut text and its continuation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccp_core.protocol.seam import Seam, SeamLost, last_words

TEXT = (
    "The proxy keeps the protocol of the client stable. It reads a request once, sends it to the provider that was"
    " chosen, and passes on what comes back.\n\n1. Parse the request.\n2. Send it to the provider.\n"
)


def joined(sent: str, pieces: list[str]) -> str:
    """The text that a reader sees."""
    seam = Seam(sent)
    return sent + "".join([*(seam.feed(piece) for piece in pieces), seam.finish()])


@pytest.mark.parametrize(
    ("sent", "continuation", "whole"),
    [
        ("The quick br", "own fox", "The quick brown fox"),
        ("The quick br", "quick brown fox", "The quick brown fox"),
        ("The quick br", "The quick brown fox", "The quick brown fox"),
        ("The quick br", "…quick brown fox", "The quick brown fox"),
        ("The quick br", "\n\n... quick brown fox", "The quick brown fox"),
        ("The quick", " brown fox", "The quick brown fox"),
        ("The quick ", "quick brown", "The quick brown"),
        ("The quick ", "brown", "The quick brown"),
        ("The quick\n", "quick\nbrown", "The quick\nbrown"),
        ("The quick\n\n", "quick brown", "The quick\n\nquick brown"),
        ("The fox that was quick\n\n", "The fox that was quick\nbrown", "The fox that was quick\n\nbrown"),
        ("x:\n    print(1)\n  ", "  print(1)\nend", "x:\n    print(1)\n    print(1)\nend"),
        ("hel", "lo", "hello"),
        ("hel", "hello", "hello"),
        ("a list:\n- one\n- two\n", "- two\n- three", "a list:\n- one\n- two\n- three"),
        ("foo(", "foo)", "foo(foo)"),
        ("我们今天去公园散步，天气", "去公园散步，天气非常好", "我们今天去公园散步，天气非常好"),
        ("x", "", "x"),
        ("x", "x", "x"),
        ("x ", "\n\n", "x \n\n"),
        ("", "Hello", "Hello"),
        ("  \n", "Hello", "  \nHello"),
        ("That is it.", "That is it.", "That is it."),
        ("=" * 60, "=" * 50 + "**", "=" * 110 + "**"),
        ("Wait for it", "." * 60 + " for it", "Wait for it" + "." * 60 + " for it"),
    ],
)
def test_what_is_repeated_is_left_out_however_it_comes(sent: str, continuation: str, whole: str) -> None:
    splits = [[continuation], list(continuation)]
    splits += [[continuation[:at], continuation[at:]] for at in range(1, len(continuation))]
    for pieces in splits:
        assert joined(sent, pieces) == whole


@pytest.mark.parametrize("repeats", ["nothing", "the last words", "all of it"])
def test_a_text_cut_anywhere_comes_out_whole(repeats: str) -> None:
    """Whether the model goes on exactly, repeats what it is asked to repeat, or says it all again."""
    for cut in range(len(TEXT)):
        sent = TEXT[:cut]
        asked = len(sent.rstrip()) - len(last_words(sent))
        continuation = TEXT[{"nothing": cut, "the last words": asked, "all of it": 0}[repeats] :]
        for size in (1, 7, len(TEXT)):
            pieces = [continuation[at : at + size] for at in range(0, len(continuation), size)]
            assert joined(sent, pieces) == TEXT


def test_text_that_repeats_nothing_is_not_held_back() -> None:
    """It passes as soon as it differs from all that was sent."""
    seam = Seam(TEXT)
    assert seam.feed("xylo") == "xylo"
    assert seam.feed("phone") == "phone"


def test_another_answer_is_not_joined() -> None:
    """A model that begins again and says something else cannot be merged with what the client has."""
    seam = Seam(TEXT)
    with pytest.raises(SeamLost):
        joined(TEXT, [TEXT[:60], "but now in other words"])
    assert seam.feed("The proxy keeps the protocol") == ""


@given(st.text(max_size=40), st.lists(st.text(max_size=6), max_size=6))
def test_nothing_is_lost_but_repetition(sent: str, pieces: list[str]) -> None:
    """What comes out ends as the continuation does, and never depends on the pieces."""
    continuation = "".join(pieces)
    whole = joined(sent, pieces)
    assert whole == joined(sent, [continuation])
    assert whole.startswith(sent)
    new = whole[len(sent) :]
    assert continuation.endswith(new)


@given(st.text(min_size=1, max_size=300))
def test_the_last_words_are_the_end_of_the_text(text: str) -> None:
    """Without white space around them, and short."""
    words = last_words(text)
    assert len(words) <= 80
    assert text.strip().endswith(words)
    assert bool(words) == bool(text.strip())
