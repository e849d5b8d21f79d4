"""Processes are killed at random while runs go on: none may be lost, run twice, or say what is not true."""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from benchmarks.figures import Figure, WentWrong, percentile
from benchmarks.site import Site
from benchmarks.soak.check import Claim, check
from benchmarks.soak.crew import Crew, runs_and_their_client
from benchmarks.soak.facts import asked_for, executions, stored
from benchmarks.soak.killer import Killer
from benchmarks.soak.run import Ground
from benchmarks.waiting import until
from store.models import FINAL, JobResult

JOBS = Path(__file__).parent / "jobs"

#: From the death of a process to the end of its run in the database.
MOST_SECONDS = 15.0

#: A worker that lives, but stands still, is given up after 60 seconds.
MOST_STOPPED_SECONDS = 75.0

#: No run takes longer than this on average, whatever is killed; and no end of them comes later than this.
SECONDS_FOR_A_RUN = 4.0
SECONDS_FOR_ALL = 300.0

#: When so few runs are left the killing ends: the last ones shall come to an end.
FEW = 4


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one seed came to."""

    seed: int
    ends: Counter[str]
    kills: Counter[str]
    #: {claim: how often it was broken}
    broken: Counter[str]
    seconds: Sequence[float]
    stopped_seconds: Sequence[float]
    #: Processes that ended by themselves, and processes that were still there after the end of all.
    deserters: int
    strays: int


def random_kills(ground: Ground) -> Iterable[Figure]:
    outcomes = []
    for seed in ground.plan.all_seeds:
        with ground.site(jobs=JOBS, plugins="examples.inventory") as site:
            outcomes.append(one_seed(site, ground, seed))
        ground.say(_in_words(outcomes[-1]))
    yield from figures(outcomes, ground.plan.runs)


def one_seed(site: Site, ground: Ground, seed: int) -> Outcome:
    runs = ground.plan.runs
    counter, answered = site.folder / "counter", site.folder / "answered"
    client = ("benchmarks.soak.asking", str(counter), str(answered), str(runs), str(seed))
    crew = Crew(site, runs_and_their_client(site, *client))
    chance = random.Random(seed)
    killer = Killer(site, crew, counter, chance, stop_seconds=ground.plan.stop_seconds)

    def all_ended() -> bool:
        crew.keep_up()
        killer.watch()
        ended, left = _count(site)
        if not crew.satisfied or left > FEW:
            killer.strike_in_time(ended)
        return crew.satisfied and not left and killer.at_rest

    # What has not ended by then is counted as lost.
    with suppress(WentWrong):
        until(all_ended, "all runs end", seconds=SECONDS_FOR_ALL + runs * SECONDS_FOR_A_RUN, pause=0.03)
    strays = crew.end()
    executed = executions(site, counter)
    rows = stored(site, executed)
    findings = list(check(asked_for(seed, runs, counter, answered), rows, executed))
    for finding in findings:
        ground.say(f"seed {seed}: {finding.claim}: {finding.what}")
    for deserter in crew.deserters:
        ground.say(f"seed {seed}: {deserter}")
    return Outcome(
        seed,
        ends=Counter(row.status for row in rows),
        kills=killer.done,
        broken=Counter(finding.claim for finding in findings),
        seconds=killer.seconds,
        stopped_seconds=killer.stopped_seconds,
        deserters=len(crew.deserters),
        strays=len(strays),
    )


def _count(site: Site) -> tuple[int, int]:
    """Return how many runs have ended, and how many have not."""
    query = select(JobResult.status, func.count()).group_by(JobResult.status)
    with site.platform.reading() as db:
        counts = db.execute(query).all()
    ended = sum(count for status, count in counts if status in FINAL)
    return ended, sum(count for _, count in counts) - ended


def figures(outcomes: Sequence[Outcome], runs: int) -> Iterable[Figure]:
    ends = sum((one.ends for one in outcomes), Counter[str]())
    kills = sum((one.kills for one in outcomes), Counter[str]())
    wanted = runs * len(outcomes)
    yield Figure(
        label="runs asked for that are stored",
        ours=ends.total(),
        unit="runs",
        must=f"{wanted:,}",
        held=ends.total() == wanted,
        details=dict(sorted(ends.items())),
    )
    yield Figure(
        label="kills", ours=kills.total(), unit="kills", must="> 0", held=bool(kills), details=dict(kills)
    )
    for claim, label in (
        (Claim.LOST, "runs lost"),
        (Claim.DOUBLE, "runs executed too often"),
        (Claim.UNTRUE, "untrue ends"),
        (Claim.GAP, "logs with gaps or wrong counts"),
    ):
        yield _none(label, {one.seed: one.broken[claim] for one in outcomes})
    yield _none("processes that ended by themselves", {one.seed: one.deserters for one in outcomes})
    yield _none("processes left at the end", {one.seed: one.strays for one in outcomes})
    yield _slowest("kill -> true end, slowest", [s for one in outcomes for s in one.seconds], MOST_SECONDS)
    yield _slowest(
        "worker stands still -> true end, slowest",
        [s for one in outcomes for s in one.stopped_seconds],
        MOST_STOPPED_SECONDS,
    )


def _none(label: str, by_seed: dict[int, int]) -> Figure:
    total = sum(by_seed.values())
    details = {f"seed {seed}": float(count) for seed, count in by_seed.items() if count}
    return Figure(label=label, ours=total, unit="", must="0", held=not total, details=details)


def _slowest(label: str, seconds: Sequence[float], most: float) -> Figure:
    slowest = max(seconds, default=0.0)
    return Figure(
        label=label,
        ours=slowest,
        unit="s",
        must=f"<= {most:g} s",
        held=slowest <= most,
        details={"seen": len(seconds), "p50": percentile(seconds, 50) if seconds else 0.0},
    )


def _in_words(one: Outcome) -> str:
    ends = ", ".join(f"{count} {status}" for status, count in sorted(one.ends.items()))
    broken = ", ".join(f"{count} {claim}" for claim, count in one.broken.items()) or "nothing broken"
    return f"seed {one.seed}: {ends}; {one.kills.total()} kills; {broken}"
