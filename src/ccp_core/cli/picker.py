"""Choosing one of many lines by typing a few letters; on any terminal, Windows too."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from attrs import frozen
from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout import HSplit, Layout, VSplit, Window
from prompt_toolkit.layout.controls import BufferControl, FormattedTextControl
from prompt_toolkit.styles import Style

from ccp_core.cli.fuzzy import ranked
from ccp_core.cli.table import line_of, narrowed, widths_of

T = TypeVar("T")

_MOST_ROWS = 15
_STYLE = Style.from_dict(
    {"title": "bold", "heading": "ansibrightblack", "chosen": "reverse", "footer": "ansibrightblack"}
)


@frozen
class Choice(Generic[T]):
    """A line to choose. ``name`` is what letters are looked for in, ``columns`` what is shown."""

    value: T
    name: str
    columns: Sequence[str]


class Picker(Generic[T]):
    """The state of the list: what was typed, what matches, which line is marked."""

    def __init__(
        self,
        choices: Sequence[Choice[T]],
        query: str = "",
        headings: Sequence[str] = (),
        as_typed: Callable[[str], T | None] = lambda _: None,
    ) -> None:
        self._choices = choices
        self._as_typed = as_typed
        self._headings = headings
        self._widths = widths_of([*([headings] if headings else []), *(choice.columns for choice in choices)])
        self.height = max(1, min(_MOST_ROWS, shutil.get_terminal_size().lines - 5, len(choices)))
        self.filter(query)

    def filter(self, query: str) -> None:
        """Show what matches ``query``, the best first, and mark it."""
        self._query = query
        self.matches = ranked(query, self._choices, lambda choice: choice.name)
        self.marked = self.top = 0

    def move(self, lines: int) -> None:
        """Move the mark, as far as there are lines."""
        self.marked = max(0, min(len(self.matches) - 1, self.marked + lines))
        self.top = min(self.top, self.marked)
        self.top = max(self.top, self.marked - self.height + 1)

    @property
    def chosen(self) -> T | None:
        """The marked one; where nothing matches, what the typed words stand for by themselves, if they do."""
        return self.matches[self.marked].value if self.matches else self._as_typed(self._query)

    @property
    def count(self) -> str:
        """How many of how many match."""
        return f"{len(self.matches)} of {len(self._choices)}"

    def lines(self) -> StyleAndTextTuples:
        """What is to be seen of the list, in the width that the terminal has now."""
        widths = narrowed(self._widths, shutil.get_terminal_size().columns - 3)
        visible = self.matches[self.top : self.top + self.height]
        shown: StyleAndTextTuples = []
        if self._headings:
            shown.append(("class:heading", f"  {line_of(self._headings, widths)}\n"))
        for position, choice in enumerate(visible, self.top):
            mark, style = ("> ", "class:chosen") if position == self.marked else ("  ", "")
            shown.append((style, f"{mark}{line_of(choice.columns, widths)}\n"))
        if not visible:
            is_choice = self.chosen is not None
            advice = "Enter takes it as it is typed" if is_choice else "delete some letters"
            shown.append(("", f"  nothing matches; {advice}\n"))
        return shown


def pick(
    title: str,
    choices: Sequence[Choice[T]],
    *,
    headings: Sequence[str] = (),
    query: str = "",
    as_typed: Callable[[str], T | None] = lambda _: None,
) -> T | None:
    """Let the person choose; None when they leave with Esc, Ctrl-C or Ctrl-D.

    ``headings`` stand above the columns, ``query`` is typed already. ``as_typed`` gives the value of a text that
    matches nothing, None where it has none.
    """
    picker = Picker(choices, query, headings, as_typed)
    typed = Buffer(multiline=False, on_text_changed=lambda buffer: picker.filter(buffer.text))
    typed.insert_text(query)
    application: Application[T | None] = Application(
        layout=Layout(_layout(title, picker, typed)),
        key_bindings=_keys(picker),
        style=_STYLE,
        erase_when_done=True,
        mouse_support=False,
    )
    return application.run()


def _layout(title: str, picker: Picker[Any], typed: Buffer) -> HSplit:
    def status() -> StyleAndTextTuples:
        keys = f"  {picker.count} | type to filter, arrows to move, Enter to choose, Esc to leave"
        return [("class:footer", keys[: shutil.get_terminal_size().columns - 1])]

    prompt = f"{title} "
    question = VSplit(
        [
            Window(FormattedTextControl([("class:title", prompt)]), width=len(prompt), height=1),
            Window(BufferControl(typed), height=1),
        ]
    )
    return HSplit(
        [
            question,
            Window(FormattedTextControl(picker.lines), height=picker.height + 1),
            Window(FormattedTextControl(status), height=1),
        ]
    )


def _keys(picker: Picker[Any]) -> KeyBindings:
    keys = KeyBindings()
    steps = {
        "up": lambda: -1,
        "c-p": lambda: -1,
        "down": lambda: 1,
        "c-n": lambda: 1,
        "pageup": lambda: -picker.height,
        "pagedown": lambda: picker.height,
    }
    for name, step in steps.items():
        keys.add(name)(lambda event, step=step: picker.move(step()))

    @keys.add("enter")
    def choose(event: KeyPressEvent) -> None:
        if picker.chosen is not None:
            event.app.exit(result=picker.chosen)

    @keys.add("escape", eager=True)
    @keys.add("c-c")
    @keys.add("c-d")
    def leave(event: KeyPressEvent) -> None:
        event.app.exit(result=None)

    return keys
