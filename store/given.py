"""What stands in the environment, read as it is meant."""

from collections.abc import Mapping


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
