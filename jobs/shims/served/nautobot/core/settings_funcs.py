"""How settings are read."""

from typing import Any


def is_truthy(value: Any) -> bool:
    """Tell whether a value, or a text, means yes. Raises ValueError for a text that means nothing."""
    if not isinstance(value, str):
        return bool(value)
    if value.lower() in ("y", "yes", "t", "true", "on", "1"):
        return True
    if value.lower() in ("n", "no", "f", "false", "off", "0"):
        return False
    raise ValueError(f"{value!r} is neither yes nor no.")
