"""The soaks there are. Light: the command reads it for its help, before anything is imported."""

from collections.abc import Mapping
from typing import NamedTuple


class Soak(NamedTuple):
    """Where a soak is defined, and what `--help` says of it."""

    module: str
    function: str
    help: str
    #: False: no database has a part in it.
    on_databases: bool = True


#: In the order in which they are done.
SOAKS: Mapping[str, Soak] = {
    "random-kills": Soak(
        "benchmarks.soak.random_kills", "random_kills", "Kill processes at random while runs go on."
    ),
    "schedules": Soak(
        "benchmarks.soak.schedules", "schedules", "Kill schedulers at random while schedules fire."
    ),
    "fan-out": Soak(
        "benchmarks.soak.fan_out",
        "fan_out",
        "Kill workers at random while thousands of runs of one run go on.",
    ),
    "hosts": Soak(
        "benchmarks.soak.hosts", "hosts", "Cut off a host of workers in mid-run, and have it come back."
    ),
    "versions": Soak(
        "benchmarks.soak.versions", "versions", "Upgrade while the version before goes on beside the new one."
    ),
    "poison": Soak("benchmarks.soak.poison", "poison", "Jobs that do what no job should, again and again."),
    "calls": Soak("benchmarks.soak.calls", "calls", "Made-up requests to all that the API's document names."),
    "junk": Soak("benchmarks.soak.junk", "junk", "Broken requests to every address there is."),
    "forms": Soak("benchmarks.soak.forms", "forms", "Made-up values in every form of the pages."),
    "guards": Soak(
        "benchmarks.soak.guards",
        "guards",
        "Each protection is taken out of a copy: a test has to fail.",
        on_databases=False,
    ),
    "packages": Soak(
        "benchmarks.soak.packages", "packages", "Known weaknesses of the packages.", on_databases=False
    ),
    "fuzz-rendering": Soak(
        "benchmarks.soak.fuzz",
        "fuzz",
        "Made-up texts: what is rendered fast against the long way.",
        on_databases=False,
    ),
}

#: Stands where the name of a database would.
NO_DATABASE = "no database"
