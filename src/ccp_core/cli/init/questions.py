"""The questions of ``ccp init``, in plain words."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import Sequence
from urllib.parse import urlsplit

import click
import questionary
from questionary import Choice as Option

from ccp_core.cli.init.draft import Draft, LocalServer, local_servers
from ccp_core.cli.model_rows import HEADINGS, ModelRow
from ccp_core.cli.picker import Choice, pick
from ccp_core.cli.start import counted, wrapped
from ccp_core.config import validators
from ccp_core.config.names import KNOWN_PROVIDERS, prefixes_of
from ccp_core.provider import ProviderSpec
from ccp_core.route import split_model
from ccp_core.routing import TIERS

_OWN = "another endpoint"


class Interview:
    """Asks, and puts the answers into a draft. Every question raises KeyboardInterrupt when it is left with Ctrl-C."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._chosen: list[str] = []
        self._rows: list[ModelRow] = []

    def run(self) -> None:
        """All questions."""
        self._providers()
        self._models()
        self._token()

    def _providers(self) -> None:
        click.echo("Looking for models that run on this machine …")
        found = asyncio.run(local_servers(self._draft))
        for server in found:
            if server.distribution:
                _tell(f"{server.name} runs here; to use it: pip install {server.distribution}")
        running = [server for server in found if not server.distribution]
        self._chosen = questionary.checkbox(
            "Which providers do you want to use?",
            choices=self._options(running),
            instruction="(space marks, Enter goes on)",
            validate=lambda answers: bool(answers) or "Mark at least one with the space bar.",
        ).unsafe_ask()
        for provider_id in list(self._chosen):
            if provider_id == _OWN:
                self._chosen.remove(_OWN)
                self._chosen.append(self._own_endpoint())
            elif provider_id in self._draft.plugins.providers:
                self._prepare(self._draft.plugins.providers[provider_id])
            else:
                self._listed([provider_id])

    def _options(self, running: Sequence[LocalServer]) -> list[Option]:
        here = {server.provider_id: server for server in running}
        specs = [spec for spec in self._draft.plugins.providers.values() if spec.transports]
        configured = self._draft.settings.providers or (
            [spec.id for spec in specs] if len(specs) == 1 else []
        )
        options = [
            Option(f"{server.name} (runs here, {counted(server.models, 'model')})", name, checked=True)
            for name, server in here.items()
        ]
        for spec in sorted(specs, key=lambda spec: (spec.local, spec.name.lower())):
            if spec.id not in here:
                what = "not running here now" if spec.local else "needs a key" if spec.needs_key else "no key"
                options.append(Option(f"{spec.name} ({what})", spec.id, checked=spec.id in configured))
        options += [
            Option(f"{name} ({own.base_url})", name, checked=True)
            for name, own in self._draft.settings.providers.items()
            if name not in self._draft.plugins.providers and own.base_url
        ]
        options.append(Option("Another endpoint that speaks OpenAI's or Anthropic's protocol", _OWN))
        absent = [
            known.distribution
            for name, known in KNOWN_PROVIDERS.items()
            if name not in self._draft.plugins.providers
        ]
        if absent:
            _tell(f"Further providers can be added with pip install: {', '.join(absent)}")
        return options

    def _prepare(self, spec: ProviderSpec) -> None:
        """What a provider needs: a hosted one a key, a local one that is not found its address."""
        if spec.needs_key:
            self._key(spec)
            return
        self._draft.set_provider(spec.id)
        if spec.local and self._listed([spec.id], quiet=True) is not None:
            usual = self._draft.complete.providers[spec.id].base_url or spec.base_url
            _tell(f"{spec.name} does not answer at {usual}. {spec.start_hint}".rstrip())
            address = questionary.text(
                f"Address of {spec.name} (Enter keeps {usual}):", validate=_base_url_or_nothing
            ).unsafe_ask()
            if address.strip():
                self._draft.set_provider(spec.id, base_url=address.strip())
            self._listed([spec.id])

    def _key(self, spec: ProviderSpec) -> None:
        variable = f"{(spec.env_prefixes or prefixes_of(spec.id))[0]}_API_KEY"
        in_environment = os.environ.get(variable, "").strip()
        if (
            in_environment
            and questionary.confirm(
                f"{variable} is set in the environment. Use that key, without writing it down?"
            ).unsafe_ask()
        ):
            self._draft.environment_keys[spec.id] = in_environment
            self._draft.set_provider(spec.id)
            if self._listed([spec.id]) is None:
                return
            self._draft.environment_keys.pop(spec.id)
        before = self._draft.settings.providers.get(spec.id)
        where = f", from {spec.keys_url}" if spec.keys_url else ""
        question, allowed = f"Key of {spec.name}{where}:", _key
        if before is not None and before.keys:
            question, allowed = f"Key of {spec.name} (Enter keeps the one that is there):", _key_or_nothing
        while True:
            if key := questionary.password(question, validate=allowed).unsafe_ask().strip():
                self._draft.set_provider(spec.id, api_key=key)
            if self._listed([spec.id]) is None:
                return
            if not questionary.confirm("Try another key? (No keeps this one.)").unsafe_ask():
                return

    def _own_endpoint(self) -> str:
        address = name = ""
        while True:
            address = questionary.text(
                "Address of the endpoint, up to /v1:", default=address, validate=_base_url
            ).unsafe_ask()
            name = (
                name
                or questionary.text(
                    "A short name for it:", default=_name_from(address), validate=self._free_name
                ).unsafe_ask()
            )
            transport = questionary.select(
                "What does it speak?",
                choices=[
                    Option("OpenAI chat completions (/chat/completions)", "openai"),
                    Option("Anthropic Messages (/messages)", "anthropic"),
                ],
            ).unsafe_ask()
            key = questionary.password("Its key (Enter if it needs none):", validate=_key_or_nothing)
            self._draft.set_provider(
                name, base_url=address.strip(), transport=transport, api_key=key.unsafe_ask().strip()
            )
            if self._listed([name]) is None:
                return name
            if not questionary.confirm("Answer these again? (No keeps them as they are.)").unsafe_ask():
                return name

    def _free_name(self, name: str) -> bool | str:
        if not name.replace("-", "").replace("_", "").isalnum():
            return "Letters, digits, - and _ are allowed."
        return name not in self._draft.plugins.providers or "A plugin has this name."

    def _listed(self, provider_ids: Sequence[str], *, quiet: bool = False) -> str | None:
        """Fetch the models of providers and tell how it went; None when they could be had, otherwise why not."""
        if not quiet:
            _tell("asking for the models …")
        rows, failures = asyncio.run(self._draft.models(provider_ids))
        self._rows = [row for row in self._rows if row.provider_id not in provider_ids] + rows
        problem = next(iter(failures.values()), None)
        if problem is None and any(asyncio.run(self._draft.is_key_untold(name)) for name in provider_ids):
            _tell(
                f"{counted(len(rows), 'model')}; everybody gets this list, so it does not tell whether the key is"
                " right; ccp doctor does"
            )
        elif problem is None:
            _tell(f"it works: {counted(len(rows), 'model')}")
        elif not quiet:
            _tell(problem)
        return problem

    def _models(self) -> None:
        missing = [name for name in self._chosen if not any(row.provider_id == name for row in self._rows)]
        if missing:
            rows, _ = asyncio.run(self._draft.models(missing))
            self._rows += rows
        self._rows.sort(key=lambda row: self._chosen.index(row.provider_id))
        route = self._pick("Which model should answer?")
        self._draft.set_section("models", default=route)
        click.echo(f"Model: {route}")
        tiers = questionary.checkbox(
            "Another model for some of Claude Code's tiers?",
            choices=list(TIERS),
            instruction="(space marks, Enter goes on)",
        ).unsafe_ask()
        # What an earlier configuration said of the tiers goes with its default.
        chosen = {tier: self._pick(f"Model for {tier}?") if tier in tiers else "" for tier in TIERS}
        self._draft.set_section("models", **chosen)
        for tier in tiers:
            click.echo(f"{tier}: {chosen[tier]}")

    def _pick(self, title: str) -> str:
        if not self._rows:
            return str(
                questionary.text(
                    f"{title} (provider/model, for example {self._chosen[0]}/NAME)", validate=self._route
                )
                .unsafe_ask()
                .strip()
            )
        choices = [Choice(row.route, f"{row.route} {row.card.name}", row.columns) for row in self._rows]
        route = pick(
            title,
            choices,
            headings=HEADINGS,
            as_typed=lambda text: text.strip() if self._route(text) is True else None,
        )
        if route is None:
            raise KeyboardInterrupt
        return route

    def _route(self, text: str) -> bool | str:
        pair = split_model(text.strip())
        if pair is None or pair[0] not in self._chosen:
            return f"It begins with one of: {', '.join(f'{name}/' for name in self._chosen)}"
        return True

    def _token(self) -> None:
        if self._draft.settings.server.auth_token:
            return
        wanted = questionary.confirm(
            "Protect the proxy with a token against other programs on this machine?"
        ).unsafe_ask()
        if wanted:
            self._draft.set_section("server", auth_token=new_token())


def new_token() -> str:
    """A token for the proxy."""
    return f"ccp-{secrets.token_urlsafe(18)}"


def _tell(text: str) -> None:
    click.echo(wrapped(text, "  ", on=sys.stdout))


def _key(text: str) -> bool | str:
    return _key_or_nothing(text) if text.strip() else "Paste the key, or leave with Ctrl-C."


def _key_or_nothing(text: str) -> bool | str:
    return validators.key.test(text.strip()) or "A key is printable text without blanks."


def _base_url(text: str) -> bool | str:
    usual = "It begins with http:// or https://, and has no user, query or fragment."
    return validators.base_url.test(text.strip()) or usual


def _base_url_or_nothing(text: str) -> bool | str:
    return not text.strip() or _base_url(text)


def _name_from(address: str) -> str:
    host = urlsplit(address).hostname or "own"
    parts = [part for part in host.split(".") if part not in ("www", "api", "com", "org", "net", "io", "ai")]
    return parts[0] if parts and not parts[0].isdigit() else "own"
