"""Finding and reading configuration files, with the line of each value."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from attrs import frozen
from dotenv.parser import parse_stream

USER_FOLDER = Path(".config", "claude-code-proxy")
"""Below the person's home folder, on every platform."""

_DOTENV_FOLDERS = (USER_FOLDER, Path(".config", "free-claude-code"))

_PART = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_DOTTED = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"\s*\[\s*({_DOTTED})\s*\]")
_ASSIGNMENT = re.compile(rf"\s*({_DOTTED})\s*=")


_TOML_CURES = {
    "Invalid value": " A text needs quotes.",
    "Expected newline or end of document after a statement": " A text needs quotes.",
    "Cannot overwrite a value": " The key stands there twice.",
}
"""What to do, for some of the TOML reader's reasons."""


class UnreadableFile(Exception):
    """A configuration file that cannot be read or is broken. ``line`` is known for broken ones."""

    def __init__(self, text: str, line: int | None = None) -> None:
        super().__init__(text)
        self.line = line


@frozen
class TomlFile:
    """What ``ccp.toml`` holds. ``lines`` has the line of each table and key."""

    path: Path
    data: Mapping[str, Any]
    lines: Mapping[tuple[str, ...], int]


@frozen
class DotenvFile:
    """What a ``.env`` file holds: value and line of each name, the last one of equal names."""

    path: Path
    values: Mapping[str, tuple[str, int]]
    broken_lines: tuple[int, ...]


def home_folder() -> Path | None:
    """The person's; None for an account without one, as services have."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def toml_candidates(cwd: Path, home: Path | None) -> list[Path]:
    """Where ``ccp.toml`` is looked for when nobody names one; the first that exists counts."""
    return [cwd / "ccp.toml", *([home / USER_FOLDER / "ccp.toml"] if home else [])]


def dotenv_candidates(cwd: Path, home: Path | None) -> list[Path]:
    """Where ``.env`` files are looked for; all are read, and the first that has a name counts."""
    return [cwd / ".env", *(home / folder / ".env" for folder in _DOTENV_FOLDERS if home)]


def read_toml(path: Path) -> TomlFile:
    """Read ``ccp.toml``. Raises UnreadableFile."""
    text = _read_text(path)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        where = re.search(r"\s*\(at line (\d+), column \d+\)", str(error))
        line = int(where.group(1)) if where else text.count("\n") + 1
        reason = str(error)[: where.start()] if where else str(error).removesuffix(" (at end of document)")
        cure = _TOML_CURES.get(reason, "")
        # The reader names a table as Python writes it: ('providers', 'groq').
        reason = re.sub(r"\('(.+?)',?\)", lambda keys: "[" + keys[1].replace("', '", ".") + "]", reason)
        raise UnreadableFile(f"This is not TOML: {reason}.{cure}", line) from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, lists in lists in lists
        raise UnreadableFile(f"This is not TOML that can be read: {error}.") from error
    return TomlFile(path, data, _line_numbers(text))


def read_dotenv(path: Path) -> DotenvFile:
    """Read a ``.env`` file; ``$NAME`` in a value stays as it is. Raises UnreadableFile."""
    values: dict[str, tuple[str, int]] = {}
    broken: list[int] = []
    for binding in parse_stream(StringIO(_read_text(path))):
        before = re.match(r"\s*", binding.original.string)
        line = binding.original.line + (before.group().count("\n") if before else 0)
        if binding.error:
            broken.append(line)
        elif binding.key is not None:
            values[binding.key] = (binding.value or "", line)
    return DotenvFile(path, values, tuple(broken))


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")  # editors on Windows put a byte order mark first
    except UnicodeDecodeError as error:
        raise UnreadableFile("The file is not UTF-8 text; save it as UTF-8.") from error
    except FileNotFoundError as error:
        raise UnreadableFile("There is no such file.") from error
    except (IsADirectoryError, PermissionError) as error:  # Windows says the second of a folder, too
        if path.is_dir():
            raise UnreadableFile("This is a folder; name the file in it.") from error
        raise UnreadableFile("You may not read the file: change its permissions or its owner.") from error
    except OSError as error:
        raise UnreadableFile(f"The file cannot be read: {error.strerror or error}.") from error


def _line_numbers(text: str) -> dict[tuple[str, ...], int]:
    """Lines of tables and keys, for error messages; a key inside a text of several lines may mislead it."""
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            path = table = _parts(header.group(1))
        elif assignment := _ASSIGNMENT.match(line):
            path = (*table, *_parts(assignment.group(1)))
        else:
            continue
        for length in range(1, len(path) + 1):
            lines.setdefault(path[:length], number)
    return lines


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(_PART, dotted))
