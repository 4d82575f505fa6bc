"""Models as lines for people: route, context window, price, abilities."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping

from attrs import frozen

from ccp_core.errors import ApiError
from ccp_core.gateway import Gateway
from ccp_core.provider import ModelCard
from ccp_core.server.errors import api_error
from ccp_core.upstream import catalogue
from ccp_core.upstream.client import AttemptFailed
from ccp_core.upstream.upstream import Upstream

HEADINGS = ("MODEL", "CONTEXT", "$ IN/OUT", "ABILITIES")


@frozen
class ModelRow:
    """One model of one provider."""

    provider_id: str
    card: ModelCard

    @property
    def route(self) -> str:
        """What a setting or a token names it by: ``provider/model``."""
        return f"{self.provider_id}/{self.card.id}"

    @property
    def columns(self) -> tuple[str, ...]:
        """The fields of HEADINGS; blank where the upstream does not tell."""
        return (self.route, window_text(self.card.context_window), _price(self.card), _abilities(self.card))


async def fetch_rows(
    upstreams: Iterable[Upstream], timeout: float = catalogue.LIST_TIMEOUT
) -> tuple[list[ModelRow], dict[str, str]]:
    """The models of all these providers, sorted within each; and by provider id why a list could not be had."""
    asked = list(upstreams)
    answers = await asyncio.gather(*(_fetch(upstream, timeout) for upstream in asked))
    rows: list[ModelRow] = []
    failures: dict[str, str] = {}
    for upstream, answer in zip(asked, answers, strict=True):
        if isinstance(answer, str):
            failures[upstream.provider.id] = answer
        else:
            upstream.set_models(answer)
            rows += [
                ModelRow(upstream.provider.id, card)
                for _, card in sorted(upstream.models.items(), key=lambda item: _in_order(item[0]))
            ]
    return rows, failures


def _in_order(model: str) -> list[str | int]:
    """A sorting key that puts v9 before v10."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", model.lower())]


def to_ask(gateway: Gateway) -> list[Upstream]:
    """The providers whose models a list shows: all that are configured, in the order of their ids."""
    return [u for _, u in sorted(gateway.upstreams.items()) if catalogue.is_configured(u)]


def worth_telling(gateway: Gateway, failures: Mapping[str, str]) -> dict[str, str]:
    """Failures but those of local servers that nobody has configured: they are simply not running."""
    return {
        name: text
        for name, text in failures.items()
        if name in gateway.settings.providers or not gateway.upstreams[name].provider.spec.local
    }


async def _fetch(upstream: Upstream, timeout: float) -> dict[str, ModelCard] | str:
    try:
        return await catalogue.fetch(upstream, timeout=timeout)
    except AttemptFailed as failed:
        verdict = upstream.lane.classify_error(failed.failure)
        model = "(the list of models)"
        error = api_error(
            verdict,
            provider=upstream.provider,
            model=model,
            keys=len(upstream.keys),
            redact=upstream.redact,
        )
        return error.message.replace(f"{upstream.provider.id}/{model}", "the list of models")
    except ApiError as error:
        return error.message


def window_text(tokens: int | None) -> str:
    """A number of tokens in short: 131k, 1M."""
    if not tokens:
        return ""
    if tokens >= 1_000_000:
        return f"{tokens / 1_000_000:.1f}".removesuffix(".0") + "M"
    return f"{tokens // 1000}k" if tokens >= 1000 else str(tokens)


def _price(card: ModelCard) -> str:
    if card.price_in is None and card.price_out is None:
        return ""
    if not card.price_in and not card.price_out:
        return "free"
    return "/".join("?" if price is None else f"{price:.2f}" for price in (card.price_in, card.price_out))


def _abilities(card: ModelCard) -> str:
    if card.tools is False:
        return "no tools"  # whatever else it can: Claude Code does everything with them
    return " ".join(name for name in ("tools", "vision", "thinking") if getattr(card, name))
