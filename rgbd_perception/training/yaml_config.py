"""Frozen dataclasses from YAML and back: mistakes are named, with what was probably meant."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from rgbd_perception.errors import UserError

Config = TypeVar("Config")

KIND = "kind"
"""Key that chooses among several dataclasses; each of them has its name as a class attribute ``kind``."""


def read_values(path: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Nested plain values of a YAML file, with ``overrides`` such as ``budget.minutes=5`` in their places.

    Raises UserError where the file or an override cannot be read.
    """
    import yaml

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"cannot read the configuration {path}: {error}") from error
    if not isinstance(values, dict):
        raise UserError(f"{path}: expected names and values, got {values!r}")
    for override in overrides:
        _override(values, override)
    return values


def _override(values: dict[str, Any], text: str) -> None:
    """Put one ``a.b=value`` in its place; the value is read as YAML."""
    import yaml

    name, equals, value = text.partition("=")
    *sections, last = name.split(".")
    if not equals or not all((*sections, last)):
        raise UserError(f"expected key=value, for instance budget.minutes=5, got {text!r}")
    place = values
    for section in sections:
        inner = place.setdefault(section, {})
        if not isinstance(inner, dict):
            raise UserError(f"{text!r}: {section} has no values of its own, it is {inner!r}")
        place = inner
    try:
        place[last] = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise UserError(f"{text!r}: cannot read the value: {error}") from error


def write_values(config: Any) -> str:
    """The YAML text of a configuration, every value spelt out: ``build`` makes an equal one of it."""
    import yaml

    return yaml.safe_dump(plain_values(config), sort_keys=False, width=110)


def plain_values(config: Any) -> Any:
    """Nested dictionaries, lists, numbers and texts."""
    if dataclasses.is_dataclass(config):
        fields = {item.name: plain_values(getattr(config, item.name)) for item in dataclasses.fields(config)}
        kind = getattr(type(config), KIND, None)
        return fields if kind is None else {KIND: kind, **fields}
    if isinstance(config, Mapping):
        return {name: plain_values(value) for name, value in config.items()}
    if isinstance(config, tuple | list):
        return [plain_values(item) for item in config]
    return config


def build(kind: type[Config], values: Any, where: str) -> Config:
    """``kind`` (a dataclass) from nested plain values; UserError for unknown names and wrong types."""
    if not isinstance(values, dict):
        raise UserError(f"{where}: expected names and values, got {values!r}")
    values = {name: value for name, value in values.items() if name != KIND or not hasattr(kind, KIND)}
    hints = typing.get_type_hints(kind)
    names = [item.name for item in dataclasses.fields(kind)]  # type: ignore[arg-type]
    if unknown := sorted(map(str, set(values) - set(names))):
        raise UserError(f"{where}: {_unknown(unknown, names)}")
    converted = {name: _convert(hints[name], value, f"{where}: {name}") for name, value in values.items()}
    try:
        return kind(**converted)
    except TypeError as error:
        raise UserError(f"{where}: {error}") from error


def _unknown(unknown: Sequence[str], names: Sequence[str]) -> str:
    """What is wrong with names that do not exist: the one that was meant, else all that there are."""
    meant = {name: difflib.get_close_matches(name, names, n=1) for name in unknown}
    if all(meant.values()):
        hints = ", ".join(f"{near[0]} in place of {name}" for name, near in meant.items())
        return f"unknown {', '.join(unknown)}: did you mean {hints}?"
    return f"unknown {', '.join(unknown)}: expected some of {', '.join(names)}"


def _convert(hint: Any, value: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint):
        return build(typing.cast(type, hint), value, where)
    if origin in (types.UnionType, typing.Union):
        return _convert_union(arguments, value, where)
    if origin is typing.Literal:
        return _convert_choice(arguments, value, where)
    if origin is tuple:
        return _convert_tuple(arguments, value, where)
    if origin is not None and issubclass(origin, Mapping):
        return _convert_mapping(arguments, value, where)
    if hint is float:
        return _convert_float(value, where)
    if hint is Any or type(value) is hint:
        return value
    raise UserError(f"{where}: expected {getattr(hint, '__name__', hint)}, got {value!r}")


def _convert_float(value: Any, where: str) -> float:
    """Also of ``6e-5``, which YAML 1.1 takes for a text because it has no point."""
    if not isinstance(value, bool):
        try:
            return float(value)
        except (TypeError, ValueError):
            pass
    raise UserError(f"{where}: expected float, got {value!r}")


def _convert_union(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    """One of several dataclasses, which the key ``kind`` names; or None, or the one other type."""
    if value is None and type(None) in kinds:
        return None
    kinds = tuple(kind for kind in kinds if kind is not type(None))
    if len(kinds) == 1:
        return _convert(kinds[0], value, where)
    by_name = {getattr(kind, KIND): kind for kind in kinds}
    if not isinstance(value, dict):
        raise UserError(f"{where}: expected names and values, got {value!r}")
    name = _convert_choice(tuple(by_name), value.get(KIND), f"{where}: {KIND}")
    return build(by_name[name], value, where)


def _convert_choice(choices: tuple[Any, ...], value: Any, where: str) -> Any:
    if value in choices:
        return value
    near = difflib.get_close_matches(str(value), [str(choice) for choice in choices], n=1)
    said = f": did you mean {near[0]}?" if near else ""
    raise UserError(f"{where}: expected one of {', '.join(map(str, choices))}, got {value!r}{said}")


def _convert_mapping(kinds: tuple[Any, ...], value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UserError(f"{where}: expected names and values, got {value!r}")
    return {str(name): _convert(kinds[1], item, f"{where}: {name}") for name, item in value.items()}


def _convert_tuple(kinds: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise UserError(f"{where}: expected a list, got {value!r}")
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return tuple(_convert(kinds[0], item, f"{where}[{index}]") for index, item in enumerate(value))
    if len(value) != len(kinds):
        raise UserError(f"{where}: expected {len(kinds)} values, got {value!r}")
    return tuple(_convert(kind, item, where) for kind, item in zip(kinds, value, strict=True))
