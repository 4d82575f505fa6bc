"""Turns with images, for a model that takes none: they go to the model that ``models.vision`` names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import evolve

from ccp_core.protocol.events import Json
from ccp_core.route import Route, split_model


def shows_image(messages: Sequence[Json]) -> bool:
    """Whether the turn under way shows an image: the person's words, or a tool's results since then.

    A model that calls a tool has not finished the turn, and whoever works on an image has to see it to the end.
    Images of earlier turns do not count, so the conversation returns to the model that was chosen for it.
    """
    for message in reversed(messages):
        if message["role"] == "assistant":
            if not _calls_tool(message["content"]):
                return False
        elif _holds_image(message["content"]):
            return True
    return False


def seeing(route: Route, model: str) -> Route:
    """``route``, led to ``model`` (``provider/model``, blank for none); tier, thinking and fallbacks stay."""
    pair = split_model(model)
    return route if pair is None else evolve(route, provider_id=pair[0], model=pair[1])


def _calls_tool(content: Any) -> bool:
    return isinstance(content, list) and any(block.get("type") == "tool_use" for block in content)


def _holds_image(content: Any) -> bool:
    if not isinstance(content, list):
        return False
    for block in content:
        kind = block.get("type") if isinstance(block, dict) else None
        if kind == "image" or (kind == "tool_result" and _holds_image(block.get("content"))):
            return True
    return False
