"""What is wrong with a configuration: where, and as a sentence."""

from collections.abc import Mapping
from typing import Any

#: Keys and positions from the top of `raw_config` down.
Place = tuple[str | int, ...]


class ConfigError(RuntimeError):
    """What is wrong, as a sentence, and where."""

    def __init__(self, place: Place, sentence: str) -> None:
        super().__init__(f"{named(place)}: {sentence}" if place else sentence)
        self.place = place


def named(place: Place) -> str:
    """Return a place as `test.slack[0].command`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return text.removeprefix(".")


def check_keys(
    place: Place, said: Mapping[str, Any], needed: frozenset[str], more: Mapping[str, Any] | None
) -> None:
    """more: which others there may be; None: any."""
    if missing := sorted(needed - said.keys()):
        raise ConfigError(place, f"missing keys: {', '.join(missing)}")
    if more is not None and (extra := sorted(map(str, said.keys() - needed - more.keys()))):
        known = ", ".join([*sorted(needed), *more])
        raise ConfigError(place, f"extra keys: {', '.join(extra)}. There are: {known}")


def check_kind(value: Any, kind: Any, place: Place, sentence: str) -> None:
    if not isinstance(value, kind):
        raise ConfigError(place, f"{sentence}, not {type(value).__name__}")
