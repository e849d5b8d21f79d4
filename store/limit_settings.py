"""How much of the portal one person, or one program, may take: from the environment, else more than people need."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from store.given import SettingsError

LIMIT_VARIABLES = (
    "ERRAND_RATES",
    "ERRAND_QUEUE_DEPTH",
    "ERRAND_KEPT_FILES",
    "ERRAND_KEPT_MB",
    "ERRAND_SCHEDULES",
)

#: {what is counted: how often in a minute}: for each person; of a program that signs what it sends, for each of its addresses.
PER_MINUTE = MappingProxyType({"submit": 6_000, "search": 300, "download": 600, "webhook": 3_000})

_MEGABYTE = 1024 * 1024
_NUMBER = re.compile(r"[0-9]{1,7}")


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """Of every number, 0 stands for any number."""

    rates: Mapping[str, int] = field(default_factory=lambda: PER_MINUTE, hash=False)
    #: Runs that may wait for workers before nobody may ask for another one.
    queue_depth: int = 50_000
    #: The files that came with one person's runs and are kept with them: how many, and how large together.
    kept_files: int = 20_000
    kept_bytes: int = 20_480 * _MEGABYTE
    #: Schedules of one person: each may ask for a run every minute, for ever.
    schedules: int = 6_000


def limit_settings(environ: Mapping[str, str]) -> LimitSettings:
    """Read them. Raises SettingsError."""
    standing = LimitSettings()
    return LimitSettings(
        rates=_rates(environ),
        queue_depth=_number(environ, "ERRAND_QUEUE_DEPTH", standing.queue_depth),
        kept_files=_number(environ, "ERRAND_KEPT_FILES", standing.kept_files),
        kept_bytes=_number(environ, "ERRAND_KEPT_MB", standing.kept_bytes // _MEGABYTE) * _MEGABYTE,
        schedules=_number(environ, "ERRAND_SCHEDULES", standing.schedules),
    )


def _rates(environ: Mapping[str, str]) -> Mapping[str, int]:
    rates = dict(PER_MINUTE)
    for part in environ.get("ERRAND_RATES", "").replace(",", " ").split():
        name, _, number = part.partition("=")
        if name not in rates or not _NUMBER.fullmatch(number):
            known = " ".join(f"{each}={most}" for each, most in PER_MINUTE.items())
            raise SettingsError(f"ERRAND_RATES has {part!r}; write how often in a minute, such as {known}.")
        rates[name] = int(number)
    return rates


def _number(environ: Mapping[str, str], name: str, default: int) -> int:
    given = environ.get(name, "").strip() or str(default)
    if not _NUMBER.fullmatch(given):
        raise SettingsError(f"{name} is {given!r}; write a whole number, such as {default}, or 0.")
    return int(given)
