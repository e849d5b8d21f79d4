"""Kills at random: workers and what they consist of, the scheduler, Redis, whoever asks for runs."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import UUID

from sqlalchemy import ColumnElement, select

from benchmarks.site import Site
from benchmarks.soak.crew import CLIENT, REDIS, SCHEDULER, WORKERS, Crew
from benchmarks.soak.facts import lines_of
from store.models import JobResult, Status
from worker.host import descendants

#: Runs that end between two kills, on average: a slow machine must get somewhere, too. Some kills wait for none.
RUNS_BETWEEN = 2.0
ONE_IN_AT_ONCE = 6

#: Then a kill waits for up to this long, so that it meets runs in all their moments.
MOST_PAUSE_SECONDS = 0.5

#: What is not a worker is away for up to this long.
MOST_AWAY_SECONDS = 2.0

#: A worker that stands still for as short as this is not missed.
MOMENT_SECONDS = 2.0

#: After so many kills of a seed, one worker stands still for long.
LONG_STOP = 12
STOPPED_FOR_LONG = "a worker, stopped for long"


class Killer:
    def __init__(
        self, site: Site, crew: Crew, counter: Path, chance: random.Random, *, stop_seconds: float
    ) -> None:
        self._site = site
        self._crew = crew
        self._counter = counter
        self._chance = chance
        self._stop_seconds = stop_seconds
        #: {what: (how often compared to the others, what does it)}
        self._ways: dict[str, tuple[int, Callable[[], bool]]] = {
            "a job's process": (30, self._kill_working_child),
            "a spare process": (10, self._kill_spare),
            "a nursery": (10, self._kill_nursery),
            "a worker": (18, self._kill_worker),
            "the scheduler": (7, self._kill_scheduler),
            "redis": (6, lambda: self._kill(REDIS)),
            "the client": (6, lambda: self._kill(CLIENT)),
            "a worker, by SIGTERM": (8, self._ask_worker_to_end),
            "a worker, stopped for a moment": (5, self._stop_for_a_moment),
        }
        #: How often what was done.
        self.done: Counter[str] = Counter()
        #: Attempts that were hit: {(run, attempt): when, by what clock}, as long as Errand says that they run.
        self._hit: dict[tuple[UUID, int], float] = {}
        self._stopped_runs: dict[tuple[UUID, int], float] = {}
        #: Workers that stand still: {name: (pid, until when)}.
        self._stopped: dict[str, tuple[int, float]] = {}
        #: The next kill is due when so many runs have ended, and some time after that.
        self._next_ended = 1
        self._pause = self._next_at = 0.0
        #: Seconds from each hit to the end of that attempt in the database.
        self.seconds: list[float] = []
        self.stopped_seconds: list[float] = []

    def strike_in_time(self, ended: int) -> None:
        """Kill something if it is time to. ended: how many runs have ended so far."""
        if ended < self._next_ended:
            self._next_at = time.monotonic() + self._pause
        if time.monotonic() < self._next_at:
            return
        way, act = self._choose()
        # Otherwise there was nothing to kill: something else next time, and soon.
        if act():
            self.done[way] += 1
            runs = self._chance.expovariate(1 / RUNS_BETWEEN)
            self._next_ended = ended + (round(runs) if self._chance.randrange(ONE_IN_AT_ONCE) else 0)
            self._pause = self._chance.uniform(0, MOST_PAUSE_SECONDS)
            self._next_at = time.monotonic() + self._pause

    def _choose(self) -> tuple[str, Callable[[], bool]]:
        if self.done.total() >= LONG_STOP and not self.done[STOPPED_FOR_LONG]:
            return STOPPED_FOR_LONG, self._stop_for_long
        weights = [weight for weight, _ in self._ways.values()]
        way = self._chance.choices(list(self._ways), weights)[0]
        return way, self._ways[way][1]

    def watch(self) -> None:
        """Note which hit attempts have ended by now, and let those go on that stood still for long enough."""
        self._note_ends(self._hit, self.seconds)
        self._note_ends(self._stopped_runs, self.stopped_seconds)
        for name, (pid, until) in list(self._stopped.items()):
            if time.monotonic() >= until:
                os.kill(pid, signal.SIGCONT)
                del self._stopped[name]

    @property
    def at_rest(self) -> bool:
        """Nobody stands still any more."""
        return not self._stopped

    # --- Ways; each says whether there was something to kill ---

    def _kill(self, name: str) -> bool:
        if name not in self._crew.members:
            return False
        self._crew.kill(name, away_seconds=self._chance.uniform(0, MOST_AWAY_SECONDS))
        return True

    def _kill_scheduler(self) -> bool:
        # Somebody has to live for as long as it takes to see that a worker stands still.
        return not self._stopped_runs and self._kill(SCHEDULER)

    def _kill_worker(self) -> bool:
        name = self._any_worker()
        pid = self._crew.pid(name)
        self._crew.kill(name)
        self._note_hits(JobResult.worker_pid == pid)
        return True

    def _ask_worker_to_end(self) -> bool:
        self._crew.ask_to_end(self._any_worker())
        return True

    def _kill_nursery(self) -> bool:
        worker = self._crew.pid(self._any_worker())
        nursery = _nursery(worker)
        if nursery is None:
            return False
        os.kill(nursery, signal.SIGKILL)
        self._note_hits(JobResult.worker_pid == worker)
        return True

    def _kill_working_child(self) -> bool:
        working = self._working()
        children = [pid for pid in self._children() if pid in working]
        if not children:
            return False
        pid = self._chance.choice(children)
        os.kill(pid, signal.SIGKILL)
        self._note_hits(JobResult.id == working[pid])
        return True

    def _kill_spare(self) -> bool:
        working = self._working()
        spares = [pid for pid in self._children() if pid not in working]
        if not spares:
            return False
        os.kill(self._chance.choice(spares), signal.SIGKILL)
        return True

    def _stop_for_a_moment(self) -> bool:
        if self._stopped:
            return False
        name = self._any_worker()
        os.kill(self._crew.pid(name), signal.SIGSTOP)
        self._stopped[name] = (self._crew.pid(name), time.monotonic() + MOMENT_SECONDS)
        return True

    def _stop_for_long(self) -> bool:
        """Stop a worker that runs something, and not only because it has yet to say that this was killed."""
        for name in WORKERS:
            pid = self._crew.pid(name)
            running = set(self._running(JobResult.worker_pid == pid))
            if name in self._stopped or not running or running & self._hit.keys():
                continue
            os.kill(pid, signal.SIGSTOP)
            self._note_hits(JobResult.worker_pid == pid, hits=self._stopped_runs)
            self._stopped[name] = (pid, time.monotonic() + self._stop_seconds)
            return True
        return False

    # --- Who is there ---

    def _any_worker(self) -> str:
        # One that stands still is left alone: it shall find out for itself what became of its run.
        return self._chance.choice([name for name in WORKERS if name not in self._stopped])

    def _children(self) -> Sequence[int]:
        """Return the processes that may run jobs."""
        workers = [self._crew.pid(name) for name in WORKERS if name not in self._stopped]
        nurseries = [nursery for worker in workers if (nursery := _nursery(worker)) is not None]
        return descendants(nurseries, deep=False)

    def _working(self) -> dict[int, UUID]:
        """Return the processes that have begun a run and not ended it: {pid: run}."""
        working: dict[int, UUID] = {}
        for line in lines_of(self._counter):
            if line.what == "S":
                working[line.pid] = line.result_id
            else:
                working.pop(line.pid, None)
        return working

    # --- What became of what was hit ---

    def _running(self, *conditions: ColumnElement[bool]) -> Sequence[tuple[UUID, int]]:
        query = select(JobResult.id, JobResult.attempt).where(JobResult.status == Status.RUNNING, *conditions)
        with self._site.platform.reading() as db:
            return [(row.id, row.attempt) for row in db.execute(query)]

    def _note_hits(
        self, condition: ColumnElement[bool], *, hits: dict[tuple[UUID, int], float] | None = None
    ) -> None:
        at = time.monotonic()
        for attempt in self._running(condition):
            (self._hit if hits is None else hits).setdefault(attempt, at)

    def _note_ends(self, hits: dict[tuple[UUID, int], float], seconds: list[float]) -> None:
        if not hits:
            return
        running = set(self._running(JobResult.id.in_({result_id for result_id, _ in hits})))
        for attempt in hits.keys() - running:
            seconds.append(time.monotonic() - hits.pop(attempt))


def _nursery(worker: int) -> int | None:
    """Return the process that forks the worker's children; none while it starts."""
    for pid in descendants([worker], deep=False):
        try:
            if b"worker.nursery" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
        except OSError:
            continue  # It has ended.
    return None
