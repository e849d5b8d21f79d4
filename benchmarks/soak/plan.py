"""How long, how often, and from which seed on."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    #: The first seed; further ones follow it.
    seed: int = 1
    seeds: int = 5
    #: Runs that are asked for with each seed.
    runs: int = 500
    #: Schedules whose slots come in `seconds`.
    schedules: int = 10_000
    #: Runs that one run asks for.
    children: int = 10_000
    #: Of what is done over and over.
    seconds: float = 300.0
    #: Made-up requests to each operation of the API, and to each form, at least; of each who asks.
    examples: int = 200
    #: How long a worker stands still once with each seed: by itself longer than others wait for it.
    stop_seconds: float = 65.0
    #: Rows of the table of protections in docs/security.md; none: all of them.
    rows: tuple[int, ...] = ()
    #: The commit whose code is the version before; empty: that before the last migration.
    before: str = ""

    @property
    def all_seeds(self) -> range:
        return range(self.seed, self.seed + self.seeds)


FULL = Plan()
QUICK = Plan(seeds=1, runs=60, schedules=300, children=600, seconds=20.0, examples=20, stop_seconds=2.0)
