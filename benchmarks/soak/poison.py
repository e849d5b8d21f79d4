"""Jobs that do what no job should, in random order on one worker, and a healthy run after each of them."""

import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from uuid import UUID

from benchmarks.figures import Figure, NotMeasured, WentWrong, median
from benchmarks.processes import Program
from benchmarks.site import JOBS, Site
from benchmarks.soak.run import Ground
from benchmarks.waiting import until
from store.models import JobResult, Status
from store.settings import PROJECT_ROOT
from worker.host import kill_processes, memory_bytes

#: Tests keep these jobs; here they are data.
POISON = PROJECT_ROOT / "tests" / "fixture_jobs" / "poison.py"

#: {job: {variable: values}}, each combination once in a round. Left out is what kills its worker, which no worker
#: survives, and what waits for a person.
DOSES: Mapping[str, Mapping[str, Sequence[object]]] = {
    "Hangs": {
        "how": (
            *("sleeps", "catches all", "in C", "blocks signals", "ignores signals", "joins", "regex"),
            "stops",
        )
    },
    "SoftThenHard": {"cleans_up": (False, True)},
    "SoftOnly": {},
    "AllocatesAtOnce": {},
    "Grows": {"where": ("here", "in a child process")},
    "TakesMemory": {"keeps": (False, True)},
    "Leaves": {"what": ("process", "daemon", "ignorant", "writer")},
    "LeavesAThread": {},
    "ForkBomb": {},
    "Dies": {"how": ("exits 0", "segfault", "kill", "parent", "group", "abort")},
    "RaisesWithoutText": {},
    "BreaksWhenMade": {},
    "Returns": {"what": ("set", "huge", "deep", "very deep", "circle", "undecided", "surrogate")},
    "Prints": {
        "how": (
            *("no_newline", "order", "long_line", "long_line_of_a_program", "many_lines", "garbage"),
            *(
                "terminal",
                "past_python",
                "by_libraries",
                "warns",
                "in_a_thread",
                "replaced",
                "closed",
                "reads",
            ),
        )
    },
    "LogsByAHandlerOfItsModule": {},
    "Closes": {"what": ("others", "output", "line and sleeps", "all and returns")},
    "Writes": {"frames": ("garbage", "[[]]", '["end"]', "[" * 5_000), "everywhere": (False, True)},
    "WritesALargeFile": {},
    "Changes": {
        "what": ("nothing", "all_that_can_be_put_back", "seed", "module", "priority", "hard_limit", "thread")
    },
}

#: They are given a folder, and note there the pids of what they leave behind.
WITH_FOLDER = frozenset({"Leaves", "ForkBomb", "WritesALargeFile", "Changes"})

#: What a run may take beyond its time limit, and what one may take that has none of its own.
MORE_SECONDS = 15.0
UNLIMITED_SECONDS = 60.0

#: Redis, the worker, its nursery, a child and a spare.
PROCESSES = 5
SETTLE_SECONDS = 5.0

MOST_GROWTH_PERCENT = 20.0


@dataclass
class Seen:
    """What came of all the runs."""

    ends: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    late: int = 0
    without_cause: int = 0
    healthy: int = 0
    ill: int = 0
    deaths: int = 0
    left: int = 0
    #: Of the worker, after each healthy run.
    memory: list[int] = field(default_factory=list)


def poison(ground: Ground) -> Iterable[Figure]:
    with _jobs() as jobs, ground.site(jobs=jobs) as site:
        seen = _Feeder(site, ground).feed()
    yield from figures(seen)


@contextmanager
def _jobs() -> Iterator[Path]:
    """Give a folder with the poisonous jobs and a healthy one."""
    if not POISON.exists():
        raise NotMeasured("The jobs that are poison come with the tests, and those are not installed.")
    with tempfile.TemporaryDirectory(prefix="errand-poison-") as folder:
        for file in (POISON, JOBS / "noop.py"):
            shutil.copy(file, folder)
        yield Path(folder)


class _Feeder:
    def __init__(self, site: Site, ground: Ground) -> None:
        self._site = site
        self._ground = ground
        self._chance = random.Random(ground.plan.seed)
        self._seen = Seen()
        self._worker: Program = site.start_worker()

    def feed(self) -> Seen:
        """Give one dose after the other, each as often as any other, until the time is over."""
        end = time.monotonic() + self._ground.plan.seconds
        self._see_healthy_run("the start")
        while time.monotonic() < end:
            doses = [(job, dose) for job in DOSES for dose in _doses(job)]
            self._chance.shuffle(doses)
            for job, dose in doses:
                if time.monotonic() >= end:
                    break
                self._give(job, dose)
        self._worker.process.terminate()
        self._worker.process.wait(SETTLE_SECONDS * 3)
        self._count_left("the end", most=1)
        return self._seen

    def _give(self, job: str, dose: dict[str, object]) -> None:
        name = f"{job} {dose or ''}".rstrip()[:100]
        with tempfile.TemporaryDirectory(dir=self._site.folder) as folder:
            data = {**dose, "folder": folder} if job in WITH_FOLDER else dose
            self._judge(name, self._site.submit(job, data))
            self._see_healthy_run(name)
            left = _noted(Path(folder)) & set(self._site.processes())
            self._blame(name, f"{len(left)} processes that it has started are alive", bool(left))
            self._seen.left += len(left)
        self._count_left(name, most=PROCESSES)

    def _judge(self, name: str, result_id: UUID) -> None:
        """Wait for the end of a poisonous run; whatever it is, it comes in time and has a cause."""
        asked_at = time.monotonic()
        limit = min(self._site.result(result_id).time_limit, UNLIMITED_SECONDS) + MORE_SECONDS
        ended = self._end_of(result_id, 2 * limit)
        seconds = time.monotonic() - asked_at
        self._seen.slowest = max(self._seen.slowest, seconds)
        self._seen.ends[ended.status if ended else "never ended"] += 1
        late = ended is None or seconds > limit
        self._seen.late += late
        self._blame(name, f"took {seconds:.1f} of {limit:g} seconds", late)
        without_cause = ended is None or not (ended.cause or "").strip()
        self._seen.without_cause += without_cause
        self._blame(name, "ended without a cause", without_cause)

    def _see_healthy_run(self, after: str) -> None:
        if not self._worker.running():
            self._seen.deaths += 1
            self._blame(after, f"killed the worker: {self._worker.last_words()}", True)
            self._worker.end()
            self._worker = self._site.start_worker()
        ended = self._end_of(self._site.submit("NoOp"), UNLIMITED_SECONDS)
        well = ended is not None and ended.status == Status.COMPLETED and ended.last_seq == 3
        self._seen.healthy += well
        self._seen.ill += not well
        said = f"{ended.status}: {ended.cause}" if ended else "no end"
        self._blame(after, f"made the healthy run after it end as {said}", not well)
        self._seen.memory.append(memory_bytes([self._worker.pid]))

    def _end_of(self, result_id: UUID, seconds: float) -> JobResult | None:
        try:
            return until(lambda: self._site.finished(result_id), "a run ends", seconds=seconds)
        except WentWrong:
            return None

    def _count_left(self, after: str, *, most: int) -> None:
        """Count, and end, what should be gone."""
        try:
            until(lambda: len(self._site.processes()) <= most, "they are gone", seconds=SETTLE_SECONDS)
        except WentWrong:
            left = len(self._site.processes()) - most
            self._seen.left += left
            self._blame(after, f"{left} processes too many", True)
        if most == 1:
            kill_processes(pid for pid in self._site.processes() if pid != self._site.redis.pid)

    def _blame(self, name: str, what: str, happened: bool) -> None:
        if happened:
            self._ground.say(f"{name}: {what}")


def _doses(job: str) -> list[dict[str, object]]:
    variables = DOSES[job]
    return [dict(zip(variables, values, strict=True)) for values in product(*variables.values())]


def _noted(folder: Path) -> set[int]:
    return {int(file.name.removeprefix("pid-")) for file in folder.glob("pid-*")}


def figures(seen: Seen) -> Iterable[Figure]:
    given = seen.ends.total()
    yield Figure("poisonous runs", given, "runs", must="> 0", held=given > 0, details=dict(seen.ends))
    yield Figure("healthy runs between them", seen.healthy, "runs", must="all", held=not seen.ill)
    for label, count in (
        ("ends without a cause", seen.without_cause),
        ("ends later than allowed", seen.late),
        ("deaths of the worker", seen.deaths),
        ("processes left behind", seen.left),
    ):
        yield Figure(label, count, "", must="0", held=not count)
    yield Figure("slowest poisonous run", seen.slowest, "s", must="", held=True)
    yield _growth(seen.memory)


def _growth(memory: Sequence[int]) -> Figure:
    """Compare the worker's memory in the last quarter of the time with that in the second one."""
    quarter = max(1, len(memory) // 4)
    before, after = median(memory[quarter : 2 * quarter] or memory), median(memory[-quarter:])
    growth = (after / before - 1) * 100
    return Figure(
        label="growth of the worker's memory",
        ours=growth,
        unit="%",
        must=f"<= {MOST_GROWTH_PERCENT:g} %",
        held=growth <= MOST_GROWTH_PERCENT,
        details={"before_mb": before / 1024**2, "after_mb": after / 1024**2},
    )
