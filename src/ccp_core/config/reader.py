"""Raw values by key, from every source, with their origin: what was written, whether it is allowed or not."""

from __future__ import annotations

import os.path
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import Factory, define, field, frozen

from ccp_core.config.catalog import SECTIONS, Key, setting_of, variables
from ccp_core.config.files import (
    DotenvFile,
    TomlFile,
    UnreadableFile,
    dotenv_candidates,
    read_dotenv,
    read_toml,
    toml_candidates,
)
from ccp_core.config.names import (
    CONFIG_VARIABLE,
    FLAGS,
    KNOWN_PROVIDERS,
    OTHER_PEOPLES_NAMES,
    REPLACED,
    prefix_of,
)
from ccp_core.config.problems import Origin, Problem, did_you_mean, place_of, unknown_key
from ccp_core.config.values import is_blank


@frozen
class Given:
    """A value as it was written. ``text``: it comes from the environment, where everything is a text."""

    raw: Any = field(repr=False)
    origin: Origin
    text: bool


@define
class Reader:
    """Reads the sources, the weakest first; a later value of a key takes the place of an earlier one."""

    cwd: Path
    home: Path | None
    given: dict[Key, Given] = Factory(dict)
    tables: dict[str, Origin] = Factory(dict)
    """The provider tables of ccp.toml, by provider id."""
    files: list[Path] = Factory(list)
    problems: list[Problem] = Factory(list)
    warnings: list[str] = Factory(list)

    def read(
        self,
        config_path: Path | None,
        environ: Mapping[str, str],
        flags: Mapping[str, object],
        prefixes: Mapping[str, Sequence[str]],
    ) -> None:
        """Read ccp.toml, .env files, the environment and the flags; see ``sources.load_settings``."""
        self._read_toml(config_path, environ)
        names = self._names(prefixes)
        paths = [path for path in dotenv_candidates(self.cwd, self.home) if os.path.isfile(path)]
        for file in reversed(self._dotenv_files(paths)):
            self._add_dotenv(file, names)
        self._add_variables(environ, names, {})
        self._warn_of_names(environ, names)
        for dotted, value in flags.items():
            key = tuple(dotted.split("."))
            option = FLAGS.get(dotted, f"--{key[-1].replace('_', '-')}")
            self._add(key, value, Origin("command line", option), text=False)

    def read_env_file(self, path: Path, prefixes: Mapping[str, Sequence[str]]) -> None:
        """Read one .env file, and nothing else."""
        for file in self._dotenv_files([path]):
            self._add_dotenv(file, self._names(prefixes))

    def _names(self, prefixes: Mapping[str, Sequence[str]]) -> dict[str, Key]:
        # Of equal prefixes the first counts: plugins, then tables, then known providers that may be absent.
        every_prefix = {
            **prefixes,
            **{name: (prefix_of(name),) for name in self.tables if name not in {*prefixes, *KNOWN_PROVIDERS}},
            **{name: known.prefixes for name, known in KNOWN_PROVIDERS.items() if name not in prefixes},
        }
        return variables(every_prefix)

    def _add(self, key: Key, raw: Any, origin: Origin, *, text: bool) -> None:
        setting = setting_of(key)
        if setting is None:
            self.problems.append(Problem(origin.place, unknown_key(key)))
        elif not is_blank(raw, setting, text=text):
            self.given[key] = Given(raw, origin, text)

    def _read_toml(self, config_path: Path | None, environ: Mapping[str, str]) -> None:
        named = str(config_path or environ.get(CONFIG_VARIABLE, "").strip())
        candidates = toml_candidates(self.cwd, self.home)
        if named:
            path = Path(os.path.abspath(self.cwd / os.path.expanduser(named)))
        elif found := [path for path in candidates if os.path.exists(path)]:
            path = found[0]
        else:
            return
        try:
            file = read_toml(path)
        except UnreadableFile as error:
            by = (
                (" (named by --config)" if config_path else f" (named by {CONFIG_VARIABLE})") if named else ""
            )
            self.problems.append(Problem(self._place(path, error.line) + by, str(error)))
            return
        self.files.append(path)
        for key, value in self._flat(file):
            self._add(key, value, self._toml_origin(file, key), text=False)

    def _flat(self, file: TomlFile) -> Iterator[tuple[Key, Any]]:
        for section, table in file.data.items():
            if section not in SECTIONS and section != "providers":
                yield (section,), table
            elif not isinstance(table, dict):
                self._no_table(file, (section,))
            elif section != "providers":
                yield from (((section, key), value) for key, value in table.items())
            else:
                for provider_id, entries in table.items():
                    if isinstance(entries, dict):
                        self.tables[provider_id] = self._toml_origin(file, ("providers", provider_id))
                        yield from (
                            (("providers", provider_id, key), value) for key, value in entries.items()
                        )
                    else:
                        self._no_table(file, ("providers", provider_id))

    def _no_table(self, file: TomlFile, key: Key) -> None:
        name = ".".join(key)
        place = self._toml_origin(file, key).place
        self.problems.append(Problem(place, f"{name} must be a table: a line [{name}] with its keys below."))

    def _toml_origin(self, file: TomlFile, key: Key) -> Origin:
        return Origin(self._place(file.path, file.lines.get(key)), ".".join(key))

    def _dotenv_files(self, paths: Sequence[Path]) -> list[DotenvFile]:
        files = []
        for path in paths:
            try:
                files.append(read_dotenv(path))
            except UnreadableFile as error:
                self.problems.append(Problem(self._place(path, error.line), str(error)))
        self.files += [file.path for file in files]
        return files

    def _add_dotenv(self, file: DotenvFile, names: dict[str, Key]) -> None:
        places = {name: self._place(file.path, line) for name, (_, line) in file.values.items()}
        texts = {name: text for name, (text, _) in file.values.items()}
        self._add_variables(texts, names, places)
        self._warn_of_names(texts, names, places)
        self.warnings += [
            f"{self._place(file.path, line)}: This is not NAME=value, and is not read."
            for line in file.broken_lines
        ]

    def _add_variables(
        self, texts: Mapping[str, str], names: dict[str, Key], places: Mapping[str, str]
    ) -> None:
        # A key can have two names in one source (LM_STUDIO_PROXY, LMSTUDIO_PROXY): the first is added last.
        for name, key in reversed(names.items()):
            if name in texts:
                self._add(key, texts[name], Origin(places.get(name, "environment"), name), text=True)

    def _warn_of_names(
        self, texts: Mapping[str, str], names: Mapping[str, Key], places: Mapping[str, str] | None = None
    ) -> None:
        """Tell of replaced and misspelled names. No ``places``: it is the environment, which others share."""
        for name, text in texts.items():
            if name in names or name == CONFIG_VARIABLE or not text.strip():
                continue
            place = places[name] if places else "environment"
            if name in REPLACED and (places or name not in OTHER_PEOPLES_NAMES):
                self.warnings.append(f"{place}: {name} is not read any more. {REPLACED[name]}")
            elif (places or name.startswith("CCP_")) and (hint := did_you_mean(name, names, cutoff=0.85)):
                self.warnings.append(f"{place}: {name} is not the name of a setting.{hint}")

    def _place(self, path: Path, line: int | None = None) -> str:
        return place_of(path, line, cwd=self.cwd)
