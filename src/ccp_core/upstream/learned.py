"""What a provider's answers taught about its models; forgotten when the process ends."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from attrs import define

from ccp_core.errors import Verdict, VerdictKind

MAX_MODELS = 256
"""Models remembered of one provider; the one used longest ago is forgotten first."""

_WEIGHT = 0.25
"""Weight of the newest answer in a ratio's moving average."""

_BOUNDS = (0.25, 4.0)
"""A ratio outside of these is somebody's wrong usage figure, not a tokenizer."""

_MIN_TOKENS = 200
"""Prompts below these say more about a template's overhead than about the tokenizer."""

_COUNTED_FIRST = 3
_COUNTED_EVERY = 256
"""A model's first prompts are all counted, later ones at this interval."""


@define(kw_only=True)
class Facts:
    """What is known of one model. To be read: Learned alone writes it."""

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
    answered: int = 0
    """How many of its prompts were answered."""


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
            self._kept(model).context_window = verdict.context_window
        change = verdict.adjustment
        if change is None or change.for_this_request or verdict.kind in _OF_ONE_REQUEST:
            return
        known = self._kept(model)
        known.omit |= change.omit
        known.replace = {**known.replace, **change.replace}
        caps = [cap for cap in (known.max_tokens, change.max_tokens) if cap is not None]
        known.max_tokens = min(caps, default=None)

    def wants_count(self, model: str) -> bool:
        """Whether the next prompt is to be counted: of a model's prompts the first ones, and now and then one."""
        answered = self.facts(model).answered
        return answered < _COUNTED_FIRST or answered % _COUNTED_EVERY == 0

    def note_usage(self, model: str, estimated: int, counted: Callable[[], int], reported: int) -> None:
        """Compare the estimate and the count of a prompt with the tokens that were reported, cached ones included.

        To count takes time, so ``counted`` is called only where ``wants_count``.
        """
        wants_count, known = self.wants_count(model), self._kept(model)
        known.answered += 1
        size_ratio = _average(known.size_ratio, estimated, reported)
        if size_ratio is None:
            return
        known.size_ratio = size_ratio
        if wants_count:
            known.ratio = _average(known.ratio, counted(), reported) or known.ratio

    def tokens(self, model: str, counted: int) -> int:
        """A count, corrected by what the model's earlier prompts turned out to be."""
        return round(counted * (self.facts(model).ratio or 1.0))

    def tokens_of_size(self, model: str, estimated: int) -> int:
        """An estimate from a request's size, corrected in the same way."""
        return round(estimated * (self.facts(model).size_ratio or 1.0))

    def _kept(self, model: str) -> Facts:
        """What is known of ``model``, to be added to."""
        facts = self._models.get(model)
        if facts is None:
            facts = self._models[model] = Facts()
            if len(self._models) > MAX_MODELS:
                self._models.popitem(last=False)
        self._models.move_to_end(model)
        return facts


def _average(known: float | None, expected: int, reported: int) -> float | None:
    """The ratio of reported to expected tokens, in an average with the known one; None for an absurd one."""
    if min(expected, reported) < _MIN_TOKENS:
        return None
    ratio = reported / expected
    if not _BOUNDS[0] <= ratio <= _BOUNDS[1]:
        return None
    return ratio if known is None else known + _WEIGHT * (ratio - known)
