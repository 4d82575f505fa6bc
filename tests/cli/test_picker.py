"""Choosing by typing: with the keys that a person presses."""

from __future__ import annotations

import os

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from ccp_core.cli.model_rows import HEADINGS, ModelRow
from ccp_core.cli.picker import Choice, Picker, pick
from ccp_core.provider import ModelCard

UP, DOWN, PAGE_DOWN, PAGE_UP, ENTER, ESC, BACK = (
    "\x1b[A",
    "\x1b[B",
    "\x1b[6~",
    "\x1b[5~",
    "\r",
    "\x1b",
    "\x7f",
)
NAMES = ["groq/openai/gpt-oss-120b", "nvidia_nim/z-ai/glm-4.7", "nvidia_nim/moonshotai/kimi-k2.5"]
CHOICES = [Choice(name, name, (name, "200k")) for name in NAMES]
MANY = [Choice(number, f"model-{number}", (f"model-{number}",)) for number in range(100)]


def choose(keys, choices=CHOICES, **options):
    with create_pipe_input() as keyboard, create_app_session(input=keyboard, output=DummyOutput()):
        keyboard.send_text(keys)
        return pick("Model:", choices, **options)


@pytest.mark.parametrize(
    ("keys", "chosen"),
    [
        (ENTER, NAMES[0]),
        (DOWN + ENTER, NAMES[1]),
        (DOWN * 9 + ENTER, NAMES[2]),
        (DOWN + DOWN + UP + ENTER, NAMES[1]),
        (UP + ENTER, NAMES[0]),
        ("kim" + ENTER, NAMES[2]),
        ("KIM" + ENTER, NAMES[2]),
        ("nim" + DOWN + ENTER, NAMES[2]),
        ("gl47" + ENTER, NAMES[1]),
        ("kimx" + ENTER + BACK + ENTER, NAMES[2]),
        ("\x03", None),
        ("\x04", None),
        (ESC, None),
    ],
)
def test_keys_choose(keys, chosen):
    """Enter on nothing does nothing; Esc, Ctrl-C and Ctrl-D leave."""
    assert choose(keys) == chosen


def test_letters_can_be_typed_beforehand():
    assert choose(ENTER, query="glm") == NAMES[1]


def test_what_is_typed_moves_the_mark_back_to_the_best_match():
    assert choose(DOWN + DOWN + "nim" + ENTER) == NAMES[1]


def test_pages_go_through_a_long_list():
    height = Picker(MANY).height
    assert choose(PAGE_DOWN + ENTER, MANY) == height
    assert choose(PAGE_DOWN + PAGE_UP + ENTER, MANY) == 0
    assert choose(PAGE_DOWN * 50 + ENTER, MANY) == 99


def test_the_marked_line_is_always_to_be_seen(monkeypatch):
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((40, 10)))
    picker = Picker(MANY)
    for step in (1, 1, 50, -20, 100, -100):
        picker.move(step)
        shown = "".join(text for _, text in picker.lines())
        assert f"> model-{picker.marked}\n" in shown
        assert shown.count("\n") == picker.height


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (120, f"> groq/{'o' * 40}-120b  131k     tools thinking"),
        (70, f"> groq/{'o' * 9}…{'o' * 22}-120b  131k     tools thinking"),
        (50, f"> groq/{'o' * 8}…{'o' * 19}-120b  131k"),
        (20, f"> groq/o…{'o' * 5}-120b"),
    ],
)
def test_where_there_is_little_room_names_lose_their_middle_and_the_last_columns_go(
    columns, line, monkeypatch
):
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((columns, 24)))
    name = f"groq/{'o' * 40}-120b"
    headings = ("MODEL", "CONTEXT", "ABILITIES")
    picker = Picker([Choice(1, name, (name, "131k", "tools thinking"))], headings=headings)
    shown = [text.rstrip("\n") for _, text in picker.lines()]
    assert shown[1] == line
    assert max(map(len, shown)) < columns
    assert shown[0].split() == list(headings[: len(line.split()[1:4])])


def test_eighty_columns_have_room_for_what_a_model_can(monkeypatch):
    """The widest that lists have: a price of three figures, and a model that sees and thinks."""
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((80, 24)))
    cards = [
        ModelCard(
            id="openai/" + "x" * 60,
            context_window=200_000,
            price_in=150.0,
            price_out=600.0,
            tools=tools,
            vision=True,
            thinking=True,
        )
        for tools in (True, False)
    ]
    rows = [ModelRow("open_router", card) for card in cards]
    picker = Picker([Choice(row, row.route, row.columns) for row in rows], headings=HEADINGS)
    heading, able, unable = (text.rstrip("\n") for _, text in picker.lines())
    assert heading.endswith("ABILITIES")
    assert able.endswith("200k     150.00/600.00  tools vision thinking")
    assert unable.endswith("150.00/600.00  no tools")  # nothing else helps Claude Code then
    assert max(map(len, (heading, able, unable))) < 80


def test_a_filter_without_a_match_says_so():
    picker = Picker(CHOICES, "nothing like it")
    assert picker.chosen is None
    assert "nothing matches" in picker.lines()[0][1]


def test_what_matches_nothing_can_be_a_choice_of_its_own():
    """A provider's list may lack the very model that the person wants."""

    def as_typed(text):
        return text if "/" in text else None

    assert choose("own/new" + ENTER, as_typed=as_typed) == "own/new"
    assert choose("new" + ENTER + BACK * 3 + ENTER, as_typed=as_typed) == NAMES[0]
    assert "Enter takes it as it is typed" in Picker(CHOICES, "own/new", as_typed=as_typed).lines()[0][1]
