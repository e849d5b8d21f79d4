"""Workers on hosts of their own, which share nothing but PostgreSQL and Redis: one of them is cut off in mid-run.

Each has a name and process numbers of its own, as in a container, an instance folder, and no job files. One that stands
still, with all that it has started, is to others as one that the network lost: nobody can look at its processes.
"""

import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import select

from benchmarks.figures import Figure, NotMeasured
from benchmarks.processes import Program, family
from benchmarks.site import Site
from benchmarks.soak.fan_out import JOBS
from benchmarks.soak.run import Ground
from benchmarks.waiting import until
from store.models import FINAL, JobResult, Status
from webapp.cli.supervisor import our_command

HOSTS = ("paris", "bern")
RUNS = 80

#: By then it is known (docs/reliability.md), and that a run was in hand is sure.
MOST_SECONDS = 15.0
IN_HAND_SECONDS = 1.0

APART = ("unshare", "--uts", "--pid", "--fork", "--mount-proc", "--kill-child")


def hosts(ground: Ground) -> Iterable[Figure]:
    if ground.postgres_url is None:
        raise NotMeasured("SQLite is a file of one host.")
    try:
        subprocess.run([*APART, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise NotMeasured("Nobody here may make hosts of their own with unshare.") from error
    with ground.site(jobs=JOBS, plugins="examples.inventory") as site:
        yield from _soak(site)


def _soak(site: Site) -> Iterable[Figure]:
    file = site.folder / "marks"
    scheduler = site.start("scheduler")
    programs = {name: _start(site, name) for name in HOSTS}
    parent = site.submit("Spreads", {"file": str(file), "count": RUNS})
    until(lambda: len(_rows(site, parent, FINAL)) > RUNS // 10, "some have ended", seconds=60)
    cut = until(lambda: _cut_off(site, programs["paris"], parent), "it has a run in hand", seconds=60)
    began = time.monotonic()
    lost = until(lambda: site.finished(cut), "that is known", seconds=60, pause=0.05)
    known_after = time.monotonic() - began
    _signal(programs["paris"], signal.SIGCONT)
    result = until(lambda: site.finished(parent), "all are told of", seconds=120)
    ended_by_themselves = [name for name, program in programs.items() if not program.running()]
    for program in (*programs.values(), scheduler):
        program.end()
    yield from _figures(result, lost, Counter(map(int, file.read_text().split())), _rows(site, parent, FINAL))
    held = known_after <= MOST_SECONDS
    yield Figure(
        "from the cut to its end in the database", known_after, "s", must=f"<= {MOST_SECONDS:g} s", held=held
    )
    yield _none("workers that ended by themselves", len(ended_by_themselves))


def _start(site: Site, name: str) -> Program:
    """Start a worker on a host of its own."""
    environment = {
        **site.environment,
        "ERRAND_INSTANCE": str(site.folder / name),
        "ERRAND_JOBS_FROM": "database",
        "JOBS_ROOT": "/nowhere",
        "SECRET_KEY": site.settings.secret_key,
        "DATA_DATABASE_URL": site.settings.data_database_url,
    }
    worker = our_command("worker", "--grace", "0", "--name", name, "--labels", f"site={name}")
    command = [*APART, "sh", "-c", 'hostname "$0" && exec "$@"', name, *worker]
    return site.run(command, environment)


def _cut_off(site: Site, host: Program, parent: UUID) -> UUID | None:
    """Have a host stand still with a run in hand, and return that; one that had none goes on."""
    running = [row for row in _rows(site, parent, (Status.RUNNING,)) if str(row.worker).startswith("paris-")]
    if not running:
        return None
    _signal(host, signal.SIGSTOP)
    # What it was about to write is written by now, or it never is.
    time.sleep(IN_HAND_SECONDS)
    if site.finished(running[0].id) is None:
        key: UUID = running[0].id
        return key
    _signal(host, signal.SIGCONT)
    return None


def _signal(host: Program, number: int) -> None:
    for pid in family([host.pid]):
        os.kill(pid, number)


def _rows(site: Site, parent: UUID, states: Iterable[str]) -> list[Any]:
    columns = (JobResult.id, JobResult.status, JobResult.worker)
    of_parent = select(*columns).where(JobResult.parent_id == parent, JobResult.map_number.is_not(None))
    with site.platform.reading() as db:
        return list(db.execute(of_parent.where(JobResult.status.in_(list(states)))))


def _figures(result: JobResult, lost: JobResult, executed: Counter[int], rows: list[Any]) -> Iterable[Figure]:
    states = Counter(row.status for row in rows)
    told = dict(result.return_value or {})
    yield Figure("runs that have ended", len(rows), "runs", must=f"{RUNS}", held=len(rows) == RUNS)
    yield _none("runs executed twice", sum(times > 1 for times in executed.values()))
    yield _none("runs never executed", RUNS - len(executed))
    right = lost.status == Status.ERRORED and "paris-" in (lost.cause or "")
    yield Figure(
        "runs cut off, and told as errored, with the host",
        states[Status.ERRORED],
        "runs",
        must="1",
        held=right and states == {Status.COMPLETED: RUNS - 1, Status.ERRORED: 1},
    )
    both = set(told) == {*HOSTS, "nobody"} and told.get("nobody") == 1
    yield Figure(
        "outcomes told",
        sum(told.values()),
        "",
        must="all, of both hosts",
        held=both and sum(told.values()) == RUNS,
    )


def _none(label: str, count: int) -> Figure:
    return Figure(label, count, "", must="0", held=not count)
