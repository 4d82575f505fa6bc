"""What a provider's answers taught about its models; forgotten when the process ends."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve, frozen

from ccp_core.errors import Verdict, VerdictKind

MAX_MODELS = 256
"""Models remembered of one provider; the one used longest ago is forgotten first."""

_WEIGHT = 0.25
"""Of the newest answer in the ratio's average."""

_BOUNDS = (0.25, 4.0)
"""A ratio outside of these is somebody's wrong usage figure, not a tokenizer."""

_MIN_TOKENS = 200
"""Prompts below these say more about a template's overhead than about the tokenizer."""

_COUNTED_FIRST = 3
_COUNTED_EVERY = 256
"""Of a model's prompts so many are counted at first, and one of so many later."""


@frozen(kw_only=True)
class Facts:
    """What is known of one model."""

    omit: frozenset[str] = frozenset()
    """Body members that it refused."""
    replace: Mapping[str, Any] = {}
    """Body members that it takes with these values only."""
    max_tokens: int | None = None
    """Cap on the tokens of its answers."""
    context_window: int | None = None
    """Tokens that prompt and answer may have together, as the latest overflow said."""
    ratio: float | None = None
    """Tokens it reported for each one counted (tokens.count), a moving average."""
    size_ratio: float | None = None
    """The same for each one estimated from a request's size (tokens.estimate)."""
    compared: int = 0
    """How many prompts the two ratios come from."""


_NOTHING = Facts()

_OF_ONE_REQUEST = (VerdictKind.OVERFLOW, VerdictKind.BILLING, VerdictKind.RATE_LIMIT)


class Learned:
    """The models of one provider. Bounded in size."""

    def __init__(self) -> None:
        self._models: OrderedDict[str, Facts] = OrderedDict()

    def facts(self, model: str) -> Facts:
        """What is known of ``model``."""
        return self._models.get(model, _NOTHING)

    def note(self, model: str, verdict: Verdict) -> None:
        """Remember a verdict's adjustment, except one that fits only this request, its length or purse.

        Of an overflow the context window is remembered.
        """
        if verdict.kind is VerdictKind.OVERFLOW and verdict.context_window is not None:
            self._keep(model, evolve(self.facts(model), context_window=verdict.context_window))
        change = verdict.adjustment
        if change is None or change.for_this_request or verdict.kind in _OF_ONE_REQUEST:
            return
        known = self.facts(model)
        caps = [cap for cap in (known.max_tokens, change.max_tokens) if cap is not None]
        self._keep(
            model,
            evolve(
                known,
                omit=known.omit | change.omit,
                replace={**known.replace, **change.replace},
                max_tokens=min(caps, default=None),
            ),
        )

    def note_usage(self, model: str, estimated: int, counted: Callable[[], int], reported: int) -> None:
        """Compare the estimate and the count of a prompt with the tokens that were reported, cached ones included.

        To count takes time, so ``counted`` is called for a model's first prompts and now and then.
        """
        known = self.facts(model)
        size_ratio = _average(known.size_ratio, estimated, reported)
        if size_ratio is None:
            return
        ratio = known.ratio
        if known.compared < _COUNTED_FIRST or known.compared % _COUNTED_EVERY == 0:
            ratio = _average(ratio, counted(), reported) or ratio
        self._keep(model, evolve(known, ratio=ratio, size_ratio=size_ratio, compared=known.compared + 1))

    def tokens(self, model: str, counted: int) -> int:
        """A count, corrected by what the model's earlier prompts turned out to be."""
        return round(counted * (self.facts(model).ratio or 1.0))

    def tokens_of_size(self, model: str, estimated: int) -> int:
        """An estimate from a request's size, corrected in the same way."""
        return round(estimated * (self.facts(model).size_ratio or 1.0))

    def _keep(self, model: str, facts: Facts) -> None:
        self._models[model] = facts
        self._models.move_to_end(model)
        if len(self._models) > MAX_MODELS:
            self._models.popitem(last=False)


def _average(known: float | None, expected: int, reported: int) -> float | None:
    """The ratio of reported to expected tokens, in an average with the known one; None for an absurd one."""
    if min(expected, reported) < _MIN_TOKENS:
        return None
    ratio = reported / expected
    if not _BOUNDS[0] <= ratio <= _BOUNDS[1]:
        return None
    return ratio if known is None else known + _WEIGHT * (ratio - known)
