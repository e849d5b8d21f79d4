"""How schedules are made that come by the API of ndscheduler: its own options, as the environment says them."""

from collections.abc import Mapping
from dataclasses import dataclass

from store.given import SettingsError, flag
from store.timing.zones import BadZone, zone_named

NDSCHEDULER_VARIABLES = (
    "ERRAND_NDSCHEDULER_COALESCE",
    "ERRAND_NDSCHEDULER_MISFIRE",
    "ERRAND_NDSCHEDULER_MAX_INSTANCES",
    "ERRAND_NDSCHEDULER_TIMEZONE",
)


@dataclass(frozen=True, slots=True)
class NdschedulerSettings:
    #: Whether one run stands for all that were missed.
    coalesce: bool = True
    #: Seconds after which a missed run is dropped; of these only 0 is kept to: none is made up for.
    misfire_seconds: int = 3600
    #: How many runs of one schedule may go on at once; of these only 1 is kept to.
    max_instances: int = 3
    time_zone: str = "UTC"

    @property
    def missed(self) -> str:
        """What becomes of slots that passed while nobody looked, as schedules have it."""
        if not self.misfire_seconds:
            return "skip"
        return "once" if self.coalesce else "all"

    @property
    def overlap(self) -> str:
        """What becomes of a slot while an earlier run goes on, as schedules have it."""
        return "skip" if self.max_instances == 1 else "allow"


def ndscheduler_settings(environ: Mapping[str, str], time_zone: str) -> NdschedulerSettings:
    """Read them. time_zone: of schedules that say none. Raises SettingsError."""
    coalesce = flag(environ, "ERRAND_NDSCHEDULER_COALESCE")
    return NdschedulerSettings(
        coalesce=True if coalesce is None else coalesce,
        misfire_seconds=_number(environ, "ERRAND_NDSCHEDULER_MISFIRE", 3600, least=0),
        max_instances=_number(environ, "ERRAND_NDSCHEDULER_MAX_INSTANCES", 3, least=1),
        time_zone=_zone(environ.get("ERRAND_NDSCHEDULER_TIMEZONE", "").strip() or time_zone),
    )


def _number(environ: Mapping[str, str], name: str, default: int, *, least: int) -> int:
    given = environ.get(name, "").strip() or str(default)
    if not (given.isascii() and given.isdecimal() and len(given) < 9 and int(given) >= least):
        raise SettingsError(f"{name} is {given!r}; write a whole number from {least}, such as {default}.")
    return int(given)


def _zone(name: str) -> str:
    try:
        return zone_named(name).key
    except BadZone as error:
        raise SettingsError(f"ERRAND_NDSCHEDULER_TIMEZONE: {error}") from error
