"""The few helpers that make sense outside of Nautobot."""

from collections.abc import Mapping
from typing import Any


def deepmerge(original: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return both as one; where both have a mapping, these are merged, else the new value counts."""
    merged = dict(original)
    for key, value in new.items():
        known = original.get(key)
        both = isinstance(known, Mapping) and isinstance(value, Mapping)
        merged[key] = deepmerge(known, value) if both else value  # type: ignore[arg-type]
    return merged


def flatten_dict(d: Mapping[str, Any], prefix: str = "", separator: str = ".") -> dict[str, Any]:
    """Return a mapping without mappings in it: {"a.b": 1} for {"a": {"b": 1}}."""
    flat: dict[str, Any] = {}
    for key, value in d.items():
        path = f"{prefix}{separator}{key}" if prefix else key
        flat.update(flatten_dict(value, path, separator) if isinstance(value, Mapping) else {path: value})
    return flat
