"""Does soaks one after the other."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.run import Say, Taken, server, taken
from benchmarks.site import JOBS, Site, site
from benchmarks.soak.catalog import NO_DATABASE, SOAKS
from benchmarks.soak.plan import Plan


@dataclass(frozen=True, slots=True)
class Ground:
    """What a soak gets: its numbers, somebody who hears what is found, and sites to work on."""

    plan: Plan
    say: Say
    postgres_url: str | None = None
    #: The folder, and so the disk, in which the instances are made.
    inside: Path | None = None

    def site(self, *, jobs: Path = JOBS, plugins: str = "") -> AbstractContextManager[Site]:
        return site(postgres_url=self.postgres_url, inside=self.inside, jobs=jobs, plugins=plugins)


def soak(
    names: Sequence[str], databases: Sequence[str], plan: Plan, *, inside: Path | None, say: Say
) -> Iterator[Taken]:
    """Do what asks for a database on each of them, the others once."""
    # Alembic tells of every migration of every instance.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    on_databases = [name for name in names if SOAKS[name].on_databases]
    for database in databases if on_databases else ():
        with server(database) as (postgres_url, missing):
            for name in on_databases:
                if missing:
                    yield Taken(name, database, skipped=missing)
                else:
                    yield _soak_one(name, database, Ground(plan, say, postgres_url, inside))
    for name in names:
        if name not in on_databases:
            yield _soak_one(name, NO_DATABASE, Ground(plan, say, inside=inside))


def _soak_one(name: str, database: str, ground: Ground) -> Taken:
    ground.say(f"{database}: {name}, seed {ground.plan.seed}...")
    function: Callable[[Ground], Iterable[Figure]] = getattr(
        import_module(SOAKS[name].module), SOAKS[name].function
    )
    return taken(name, database, lambda: function(ground), ground.say)
