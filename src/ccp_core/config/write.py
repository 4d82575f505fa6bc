"""Writing ``ccp.toml``: short comments, nothing that says what is so anyway, readable by its owner alone."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import tomli_w

from ccp_core.config.catalog import PROVIDER_SETTINGS, SECTIONS, SETTINGS, Setting
from ccp_core.config.settings import Settings


def write_settings(
    path: Path, settings: Settings, *, defaults: bool = False, overwrite: bool = False
) -> None:
    """Write ``settings`` to ``path``, in one step: a reader sees the old file or the new one.

    The file gets mode 0600 where the platform has modes, for it may hold keys. ``defaults`` also writes what
    equals the default. Raises FileExistsError when the file exists and ``overwrite`` is false, OSError when
    it cannot be written.
    """
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists already")
    write_in_one_step(path, render(settings, defaults=defaults).encode())


def write_in_one_step(path: Path, content: bytes, *, keep_mode: bool = False) -> None:
    """Write a file that may hold secrets: for its owner alone, or with ``keep_mode`` for whoever could read it before.

    Raises OSError, and then leaves what was there.
    """
    target = path.resolve()  # a link stays one
    target.parent.mkdir(parents=True, exist_ok=True)
    # mkstemp makes the file with mode 0600, so that at no time anybody else can open it.
    descriptor, name = tempfile.mkstemp(prefix=".ccp-", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if keep_mode and target.exists():
            os.chmod(name, target.stat().st_mode & 0o777)
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise


def render(settings: Settings, *, defaults: bool = False) -> str:
    """The text of a ``ccp.toml`` that holds ``settings``; with ``defaults``, also those nobody changed."""
    blocks = []
    for section in SECTIONS:
        of_section = [setting for setting in SETTINGS.values() if setting.section == section]
        lines = list(_lines(getattr(settings, section), of_section, defaults=defaults))
        if lines:
            blocks.append([f"[{section}]", *lines])
    for provider_id, provider in settings.providers.items():
        lines = list(_lines(provider, PROVIDER_SETTINGS.values(), defaults=defaults))
        blocks.append([f"[providers.{quoted(provider_id)}]", *lines])
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def assignment(key: str, value: Any) -> str:
    """``key = value`` in TOML, on one line."""
    return f"{key} = {_literal(value)}"


def quoted(key: str) -> str:
    """A key in TOML, with quotes where it needs them."""
    return tomli_w.dumps({key: 0}).rpartition(" = ")[0]


def _literal(value: Any) -> str:
    if isinstance(value, Mapping):
        items = ", ".join(assignment(quoted(name), item) for name, item in value.items())
        return f"{{ {items} }}" if items else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_literal, value))}]"
    return tomli_w.dumps({"x": value}).strip().removeprefix("x = ")


def _lines(values: object, settings: Iterable[Setting], *, defaults: bool) -> Iterator[str]:
    for setting in settings:
        value = getattr(values, setting.key)
        if value is not None and (value != setting.default or defaults):
            yield f"# {setting.help}"
            yield assignment(setting.key, value)
