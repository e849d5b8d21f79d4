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
    #: Of what is done over and over.
    seconds: float = 300.0
    #: How long a worker stands still once with each seed: by itself longer than others wait for it.
    stop_seconds: float = 65.0

    @property
    def all_seeds(self) -> range:
        return range(self.seed, self.seed + self.seeds)


FULL = Plan()
QUICK = Plan(seeds=1, runs=60, schedules=300, seconds=20.0, stop_seconds=2.0)
