"""What stands in the environment, read as it is meant."""

from collections.abc import Iterable, Mapping, MutableMapping
from pathlib import Path


class SettingsError(Exception):
    """A setting that cannot work, as a sentence for the person who set it."""


def flag(environ: Mapping[str, str], name: str) -> bool | None:
    """Return what `name` says; None where nobody said anything. Raises SettingsError."""
    given = environ.get(name, "").strip().lower()
    if given in ("1", "true", "yes", "on"):
        return True
    if given in ("0", "false", "no", "off"):
        return False
    if given:
        raise SettingsError(f"{name} is {given!r}; write 1 or 0.")
    return None


def take_from_files(environ: MutableMapping[str, str], names: Iterable[str]) -> None:
    """Set each name to what the file holds that `<name>_FILE` names, as containers are given their secrets.

    The blanks at its end are none of it. Raises SettingsError.
    """
    for name in names:
        path = environ.pop(f"{name}_FILE", "")
        if not path:
            continue
        if environ.get(name):
            raise SettingsError(f"Both {name} and {name}_FILE are set; set one of them.")
        try:
            environ[name] = Path(path).read_text("utf-8").strip()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise SettingsError(f"{name}_FILE is {path}, which cannot be read: {reason}.") from None
