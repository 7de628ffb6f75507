"""ROS parameters from frozen dataclasses: name, default, unit and description live in one place.

    @dataclass(frozen=True)
    class CameraParameters:
        slop: float = parameter(0.02, "largest distance in time of color and depth", unit="s", minimum=0.0)

    config = declare(node, CameraParameters)

The parameter tables of the documentation and the files in ``config/`` come from :func:`describe` of the same
class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from rgbd_perception.errors import UserError

if TYPE_CHECKING:
    from rclpy.node import Node

Config = TypeVar("Config")


@dataclass(frozen=True)
class ParameterDescription:
    """One row of a parameter table."""

    name: str
    type: str
    default: Any
    unit: str
    description: str
    limits: str


def parameter(
    default: Any,
    description: str,
    *,
    unit: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    choices: Sequence[str] = (),
) -> Any:
    """Return a dataclass field for a bool, int, float, str, or tuple (of str or float) parameter.

    minimum, maximum  inclusive limits of a number
    choices           allowed values of a string
    """
    metadata = {
        "description": description,
        "unit": unit,
        "minimum": minimum,
        "maximum": maximum,
        "choices": tuple(choices),
    }
    return field(default=default, metadata=metadata)


def declare(node: Node, config_class: type[Config]) -> Config:
    """Declare every field of ``config_class`` on ``node`` and return the values it was started with.

    Parameters are read-only after the start. Raises UserError with name, what is expected, what came.
    """
    from rcl_interfaces.msg import ParameterDescriptor

    values = {}
    for row, item in zip(describe(config_class), fields(config_class), strict=True):  # type: ignore[arg-type]
        descriptor = ParameterDescriptor(
            name=row.name,
            description=f"{row.description} [{row.unit}]" if row.unit else row.description,
            additional_constraints=row.limits,
            read_only=True,
            # Typed declarations refuse `slop:=1` for a float and every empty list; `convert` is stricter
            # where it matters and says what is wrong.
            dynamic_typing=True,
        )
        default = list(row.default) if isinstance(row.default, tuple) else row.default
        given = node.declare_parameter(row.name, default, descriptor).value
        values[row.name] = convert(row, given, item.metadata)
    return config_class(**values)


def describe(config_class: type) -> list[ParameterDescription]:
    """The rows of the parameter table of ``config_class``, in the order of its fields."""
    hints = get_type_hints(config_class)
    rows = []
    for item in fields(config_class):
        if item.default is MISSING:
            raise TypeError(f"{config_class.__name__}.{item.name} needs a default")
        meta = item.metadata
        rows.append(
            ParameterDescription(
                name=item.name,
                type=_type_name(hints[item.name]),
                default=item.default,
                unit=meta.get("unit", ""),
                description=meta.get("description", ""),
                limits=_limits(meta),
            )
        )
    return rows


def convert(row: ParameterDescription, value: Any, metadata: Any) -> Any:
    """Return ``value`` in the type of ``row``; raises UserError where it has another or is out of limits."""
    converted = _CONVERTERS[row.type](value)
    if converted is None or not _within(converted, metadata):
        limits = f" ({row.limits})" if row.limits else ""
        unit = f" in {row.unit}" if row.unit else ""
        raise UserError(
            f"expected parameter {row.name} to be a {row.type}{unit}{limits}, got {value!r}: "
            f"set it as -p {row.name}:={_as_yaml(row.default)}"
        )
    return converted


def _to_bool(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _to_int(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _to_float(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _to_str(value: Any) -> str | None:
    # A value such as `model:=5` or `labels:=true` reaches us already parsed as YAML.
    return value if isinstance(value, str) else None


def _items(value: Any) -> list[Any] | None:
    if value is None:  # what ROS makes of `labels: []` in a parameter file
        return []
    if isinstance(value, str | bytes) or not hasattr(value, "__iter__"):
        return None
    return list(value)


def _to_strings(value: Any) -> tuple[str, ...] | None:
    items = _items(value)
    return tuple(items) if items is not None and all(isinstance(item, str) for item in items) else None


def _to_floats(value: Any) -> tuple[float, ...] | None:
    items = [_to_float(item) for item in _items(value) or ()] if _items(value) is not None else [None]
    return None if any(item is None for item in items) else tuple(items)  # type: ignore[arg-type]


_CONVERTERS = {
    "bool": _to_bool,
    "int": _to_int,
    "float": _to_float,
    "string": _to_str,
    "list of strings": _to_strings,
    "list of floats": _to_floats,
}


def _type_name(hint: Any) -> str:
    names = {bool: "bool", int: "int", float: "float", str: "string"}
    names |= {tuple[str, ...]: "list of strings", tuple[float, ...]: "list of floats"}
    if hint not in names:
        raise TypeError(f"a parameter cannot be a {hint}")
    return names[hint]


def _limits(meta: Any) -> str:
    if meta.get("choices"):
        return "one of " + ", ".join(meta["choices"])
    low, high = meta.get("minimum"), meta.get("maximum")
    parts = [f"at least {low:g}" if low is not None else "", f"at most {high:g}" if high is not None else ""]
    return ", ".join(part for part in parts if part)


def _within(value: Any, meta: Any) -> bool:
    if meta.get("choices"):
        return value in meta["choices"]
    low, high = meta.get("minimum"), meta.get("maximum")
    return (low is None or value >= low) and (high is None or value <= high)


def _as_yaml(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_as_yaml(item) for item in value) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value) or "''"
