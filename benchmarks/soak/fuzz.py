"""Made-up texts, rendered fast and the long way (see benchmarks.fuzz_rendering)."""

from collections.abc import Iterable

from benchmarks import fuzz_rendering
from benchmarks.figures import Figure
from benchmarks.soak.run import Ground


def fuzz(ground: Ground) -> Iterable[Figure]:
    found = fuzz_rendering.main(ground.plan.seconds, ground.plan.seed, say=ground.say)
    yield Figure(
        label="made-up texts rendered",
        ours=found.texts,
        unit="texts",
        must="> 0",
        held=found.texts > 0,
        details={"rendered_fast": found.fast, "seed": ground.plan.seed},
    )
    problems = len(found.problems)
    yield Figure(label="rendered wrongly", ours=problems, unit="texts", must="0", held=not problems)
