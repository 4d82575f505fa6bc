"""From what a file or a variable holds to a value of the setting's type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

import orjson
from cattrs import Converter

from ccp_core.config.catalog import OFF_WORDS, Setting

_TRUE = ("true", "1", "yes", "on")
_FALSE = ("false", "0", "no", "off")


def _exactly(kind: type, *also: type) -> Any:
    def structure(value: Any, _: Any) -> Any:
        if type(value) not in (kind, *also):  # a bool is no number here, and a number no text
            raise TypeError
        return kind(value.strip() if kind is str else value)

    return structure


def _one_of(value: Any, kind: Any) -> Any:
    word = value.strip().lower() if isinstance(value, str) else value
    if word not in get_args(kind):
        raise ValueError
    return word


def _is(origin: Any) -> Any:
    return lambda kind: get_origin(kind) is origin


def _typed() -> Converter:
    """Values that have types already: those of TOML, and of the command line."""
    converter = Converter(detailed_validation=False)
    converter.register_structure_hook(bool, _exactly(bool))
    converter.register_structure_hook(int, _exactly(int))
    converter.register_structure_hook(float, _exactly(float, int))
    converter.register_structure_hook(str, _exactly(str))

    def items(value: Any, kind: Any) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise TypeError
        texts = (converter.structure(item, str) for item in value)
        return tuple(text for text in texts if text)

    def table(value: Any, kind: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise TypeError
        return {str(name): converter.structure(item, get_args(kind)[1]) for name, item in value.items()}

    converter.register_structure_hook_func(_is(Literal), _one_of)
    converter.register_structure_hook_func(_is(tuple), items)
    converter.register_structure_hook_func(_is(Mapping), table)
    return converter


def _textual(typed: Converter) -> Converter:
    """Values that are texts: those of the environment."""
    converter = Converter(detailed_validation=False)

    def truth(text: str, _: Any) -> bool:
        word = text.strip().lower()
        if word not in (*_TRUE, *_FALSE):
            raise ValueError
        return word in _TRUE

    converter.register_structure_hook(bool, truth)
    converter.register_structure_hook(int, lambda text, _: int(text))
    converter.register_structure_hook(float, lambda text, _: float(text))
    converter.register_structure_hook(str, lambda text, _: text.strip())
    converter.register_structure_hook_func(_is(Literal), _one_of)
    converter.register_structure_hook_func(_is(tuple), lambda text, _: tuple(text.replace(",", " ").split()))
    converter.register_structure_hook_func(
        _is(Mapping), lambda text, kind: typed.structure(orjson.loads(text), kind)
    )
    return converter


_TYPED = _typed()
_TEXTUAL = _textual(_TYPED)


def is_blank(raw: Any, setting: Setting, *, text: bool) -> bool:
    """Whether a value stands for "not set"."""
    if not isinstance(raw, str):
        return raw is None
    # A key of asterisks is a blank of an example file. In ccp.toml a blank can switch off what can be off.
    bare = raw.strip("*, \t\n") if setting.secret else raw.strip()
    return not bare and (text or not setting.can_be_off)


def structure(raw: Any, setting: Setting, *, text: bool) -> Any:
    """The value of ``setting``. ``text``: it comes from the environment, where everything is a text.

    Raises ValueError when the value is not allowed.
    """
    allowed = setting.allowed
    if text and get_origin(setting.type) is Mapping:
        allowed = f"JSON: {allowed}"
    if setting.can_be_off and str(raw).strip().lower() in ("", *OFF_WORDS, "false"):
        return setting.attribute.metadata["off"]
    try:
        value = (_TEXTUAL if text else _TYPED).structure(raw, setting.type)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(allowed) from error
    if setting.attribute.validator is not None:
        try:
            setting.attribute.validator(None, setting.attribute, value)
        except (ValueError, OverflowError) as error:
            raise ValueError(allowed) from error
    return value
