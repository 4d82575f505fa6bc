"""Taking secrets out of texts that people or logs get to see.

Known secrets are removed wherever they stand. What looks like a secret is removed too, since an upstream may
name somebody else's: usual key formats, authorization headers, keys in addresses, passwords of proxies.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote

REDACTED = "[redacted]"

SECRET_HEADERS = frozenset(
    {"authorization", "x-api-key", "api-key", "anthropic-auth-token", "proxy-authorization", "cookie"}
)
"""Headers whose values are secrets, whatever they look like; in lower case."""

_HARMLESS = frozenset({int, float, bool, type(None)})

# Shorter ones would tear ordinary words apart; they are removed only where they stand alone.
_SAFE_LENGTH = 6

_KEY = (
    r"(?<![A-Za-z0-9])(?:sk|pk|rk|csk|nvapi|gsk|fw|flp|hf|xai|tgp|ghp|gho|ak)[-_][A-Za-z0-9_\-]{8,}"
    r"|(?<![A-Za-z0-9])AIza[\w-]{20,}"
)
_JWT = r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"
_AUTHORIZATION = r"(?P<scheme>\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{6,}"
_NAMED = (
    r"(?P<name>\b(?:(?:x-|x-goog-)?api[-_]?key|(?:anthropic-)?auth[-_]token|access[-_]token|authorization"
    r"|password|secret|key(?==))[\"']?\s*[:=]\s*[\"']?)(?!bearer\b|basic\b)[^\s\"'&,;<>{}]{4,}"
)
_USERINFO = r"(?P<slashes>://)[^\s/@:\"']*:[^\s/@\"']+(?=@)"
LOOKS_SECRET = re.compile("|".join((_KEY, _JWT, _AUTHORIZATION, _NAMED, _USERINFO)), re.IGNORECASE)

_MARKS = (
    *("sk-", "sk_", "pk-", "pk_", "rk-", "rk_", "ak-", "ak_", "fw-", "fw_", "hf-", "hf_"),
    *("nvapi", "flp", "xai", "tgp", "ghp", "gho", "aiza", "eyj", "bearer", "basic"),
    *("key", "token", "authorization", "password", "secret", "://"),
)
"""One of these is in every text that ``LOOKS_SECRET`` matches; to look for them is many times faster."""


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """``text`` without ``secrets`` and without anything that looks like one."""
    return Redactor(secrets)(text)


class Redactor:
    """Removes known secrets, and what looks like one. A call is two searches."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: frozenset[str] = frozenset()
        self._forms: tuple[str, ...] = ()
        self._known: re.Pattern[str] | None = None
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """Remove these as well, from now on."""
        self._secrets |= {secret for secret in secrets if secret}
        self._forms, self._known = _known(self._secrets)

    def __call__(self, text: str) -> str:
        """``text`` without the secrets; the same object when there is nothing to remove."""
        if self._known is not None and any(form in text for form in self._forms):
            text = self._known.sub(REDACTED, text)
        folded = text.casefold()
        if any(mark in folded for mark in _MARKS):
            text = LOOKS_SECRET.sub(_replacement, text)
        return text

    def is_clean(self, members: Mapping[str, Any]) -> bool:
        """Whether ``members`` hold texts and numbers alone, and no secret: one look where ``clean`` takes many."""
        texts: list[str] = []
        for value in members.values():
            if type(value) is str:
                texts.append(value)
            elif type(value) not in _HARMLESS:
                return False
        text = "\n".join(texts)
        return not any(name.lower() in SECRET_HEADERS for name in members) and self(text) == text

    def clean(self, value: Any, name: str = "") -> Any:
        """A value of any kind without the secrets: the same structure, with texts for what JSON has no form for.

        ``name`` is the member that holds it: of a secret header nothing is left, whatever it looks like.
        """
        if name.lower() in SECRET_HEADERS:
            return REDACTED
        if isinstance(value, str):
            return self(value)
        if isinstance(value, int | float | bool | None):
            return value
        if isinstance(value, Mapping):
            return {self(str(key)): self.clean(item, str(key)) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.clean(item) for item in value]
        return self(str(value))

    def __repr__(self) -> str:
        return "Redactor()"


def _replacement(match: re.Match[str]) -> str:
    kept = match["scheme"] or match["name"] or match["slashes"] or ""
    return kept + REDACTED


@lru_cache(maxsize=256)
def _known(secrets: frozenset[str]) -> tuple[tuple[str, ...], re.Pattern[str] | None]:
    """All forms in which the secrets may stand in a text, and a pattern that finds them."""
    forms = {form for secret in secrets for form in (secret, quote(secret, safe=""), repr(secret)[1:-1])}
    if not forms:
        return (), None
    # The longest first, so that a secret which begins with another one disappears whole.
    ordered = sorted(forms, key=lambda form: (-len(form), form))
    return tuple(ordered), re.compile("|".join(map(_known_form, ordered)))


def _known_form(secret: str) -> str:
    escaped = re.escape(secret)
    return escaped if len(secret) >= _SAFE_LENGTH else rf"(?<!\w){escaped}(?!\w)"
