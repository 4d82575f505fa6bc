"""Reading the configuration again, and what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeAlias

import structlog
from attrs import evolve, frozen

from ccp_core import logs
from ccp_core.config.problems import ConfigError
from ccp_core.config.secrets import secrets_of
from ccp_core.config.settings import ModelSettings, Settings
from ccp_core.config.sources import LoadedSettings
from ccp_core.upstream.storage import StorageError

Load: TypeAlias = Callable[[], LoadedSettings]
"""Reads the configuration. Raises ConfigError."""

log = structlog.get_logger("ccp.server")

AT_START_ALONE = {
    "server": ("host", "port", "workers", "max_body_bytes", "insecure"),
    "logging": ("level", "file"),
}
"""Settings that take effect only when the proxy starts."""


# A file that is just being saved is empty for a moment: sessions would go on without its models and its token.
_NO_MODEL_LEFT = (
    "no model is configured any more. If that is meant, start the proxy anew;"
    " otherwise look at ccp.toml and reload again"
)


@frozen
class Reloaded:
    """Whether the new configuration is in force, and lines for the person: what was wrong, or has to be known."""

    in_force: bool
    lines: tuple[str, ...] = ()


Reload: TypeAlias = Callable[[], Coroutine[Any, Any, Reloaded]]
"""Reads the configuration again; raises nothing."""


class Reloader:
    """Called, it reads the configuration with ``load`` and hands it to ``apply``; a wrong one changes nothing."""

    def __init__(self, load: Load, settings: Settings, apply: Callable[[Settings], Awaitable[None]]) -> None:
        self._load = load
        self._settings = settings
        self._apply = apply
        self._turn = asyncio.Lock()

    async def __call__(self) -> Reloaded:
        """Reload. Raises nothing."""
        async with self._turn:
            try:
                loaded = await asyncio.to_thread(self._load)
                if _is_emptied(loaded.settings, self._settings):
                    return _refused(_NO_MODEL_LEFT)
                settings, notes = _for_running(loaded.settings, self._settings)
                logs.learn(secrets_of(settings))
                await self._apply(settings)
            except ConfigError as error:
                return _refused(*map(str, error.problems))
            except StorageError as error:
                return _refused(str(error))
            except Exception as error:
                return _refused(f"it could not be put in force ({type(error).__name__})")
            self._settings = settings
            log.info("configuration_reloaded", notes=notes)
            return Reloaded(True, (*loaded.warnings, *notes))


def _refused(*problems: str) -> Reloaded:
    log.error("configuration_not_reloaded", problems=problems, effect="the one before stays in force")
    return Reloaded(False, problems)


def _is_emptied(new: Settings, old: Settings) -> bool:
    """Whether all models are gone, even where the environment still names providers, or everything is."""
    return new.models == ModelSettings() != old.models or (new.is_blank and not old.is_blank)


def _for_running(new: Settings, old: Settings) -> tuple[Settings, tuple[str, ...]]:
    """``new`` as far as it can take effect now, and a note for each setting that cannot."""
    notes = []
    for section, names in AT_START_ALONE.items():
        before, after = getattr(old, section), getattr(new, section)
        kept = {
            name: getattr(before, name) for name in names if getattr(before, name) != getattr(after, name)
        }
        notes += [f"{section}.{name} takes effect at the next start" for name in kept]
        new = evolve(new, **{section: evolve(after, **kept)})
    return new, tuple(notes)
