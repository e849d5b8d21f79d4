"""Two versions at once: the one before the last migration, and this one, while runs are asked for at both.

As whoever upgrades does it: the old one works, the database is upgraded, the new one is started beside the old one, and
after a minute the old one is ended. Each run shall be executed once, and nobody who asks for one be sent away.
"""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count, pairwise
from pathlib import Path
from uuid import UUID

from sqlalchemy import func, select

from benchmarks.figures import Figure, NotMeasured, WentWrong
from benchmarks.processes import Program
from benchmarks.site import USERNAME, Site
from benchmarks.soak.asking import Wish, wish
from benchmarks.soak.before import checkout, schema_of
from benchmarks.soak.check import Asked, Claim, Run, check
from benchmarks.soak.facts import executions, stored
from benchmarks.soak.random_kills import JOBS
from benchmarks.soak.run import Ground
from benchmarks.waiting import until
from benchmarks.web import HOST, free_port
from store.migrate import downgrade_platform, upgrade
from store.models import FINAL, JobResult, Status, User
from store.people import make_token
from store.platform import SCHEMA
from webapp.cli.supervisor import our_command

ALONE_SECONDS = 10.0
MOST_TOGETHER_SECONDS = 60.0

#: Between two questions of one client.
PAUSE_SECONDS = 0.2

#: Nobody waits longer for a run to begin than workers take to start.
MOST_STANDSTILL_SECONDS = 20.0


def versions(ground: Ground) -> Iterable[Figure]:
    with checkout(ground.plan.before) as old, ground.site(jobs=JOBS, plugins="examples.inventory") as site:
        schema = schema_of(old)
        ground.say(f"database {schema} in {old.name}, and {SCHEMA} here")
        if schema == SCHEMA:
            raise NotMeasured(f"Both versions have the database {SCHEMA}: name an earlier commit.")
        yield from _figures(_overlap(site, ground, old, schema))


# --- Who asks ---


class Wishes:
    """All that is wished for, one after the other, whichever client is next."""

    def __init__(self, seed: int, counter: Path) -> None:
        self._seed, self._counter = seed, counter
        self._numbers = count()

    def next(self) -> Wish:
        return wish(self._seed, next(self._numbers), self._counter)


class Client(threading.Thread):
    """Asks one web server for runs until it is told to stop, each one as long as it takes to be answered."""

    def __init__(self, port: int, token: str, wishes: Wishes) -> None:
        super().__init__(daemon=True)
        self.port, self._token, self._wishes = port, token, wishes
        self._over = threading.Event()
        self.asked: list[Asked] = []
        #: What was answered otherwise than by a run.
        self.sent_away: Counter[str] = Counter()

    def run(self) -> None:
        while not self._over.wait(PAUSE_SECONDS):
            one = self._wishes.next()
            answers = self._ask(one)
            self.asked.append(Asked(one.key, frozenset(answers), int(str(one.data["lines"]))))

    def stop(self) -> None:
        self._over.set()
        self.join()

    def _ask(self, one: Wish) -> set[UUID]:
        while True:
            try:
                status, body = self._post(one)
            except (OSError, http.client.HTTPException) as error:
                status, body = 0, type(error).__name__.encode()
            if status in (200, 201):
                return {UUID(json.loads(body)["id"])}
            self.sent_away[f"{status or body.decode()}"] += 1
            if self._over.wait(PAUSE_SECONDS):
                return set()

    def _post(self, one: Wish) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=30)
        headers = {
            "Authorization": f"Token {self._token}",
            "Content-Type": "application/json",
            "Idempotency-Key": one.key,
        }
        try:
            body = json.dumps({"data": one.data})
            connection.request("POST", "/api/v1/jobs/local/counting/Counts/run", body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


# --- The minute ---


@dataclass(slots=True)
class Minute:
    """What came of it."""

    asked: list[Asked]
    runs: list[Run]
    broken: Counter[str]
    #: What each web server answered otherwise than by a run: {"old 503": times}.
    sent_away: Counter[str]
    #: Runs by whose workers began them.
    by_version: Counter[str] = field(default_factory=Counter)
    #: Runs that the old workers began though the database was upgraded.
    too_late: int = 0
    standstill_seconds: float = 0.0
    ended_by_themselves: int = 0


def _overlap(site: Site, ground: Ground, old: Path, schema: str) -> Minute:
    with site.platform.session() as db:
        token = make_token(db, db.scalars(select(User).where(User.username == USERNAME)).one())
    downgrade_platform(site.settings.database_url, schema)
    counter = site.folder / "counter"
    wishes = Wishes(ground.plan.seed, counter)
    environment = {**site.environment, "PYTHONPATH": str(old)}

    olds, old_port = _start(site, "old", environment)
    clients = [Client(old_port, token, wishes)]
    clients[0].start()
    time.sleep(ALONE_SECONDS)
    upgrade(site.settings)
    upgraded_at = time.time()
    news, new_port = _start(site, "new", site.environment)
    clients.append(Client(new_port, token, wishes))
    clients[1].start()
    time.sleep(min(ground.plan.seconds, MOST_TOGETHER_SECONDS))
    deserters = [each for each in (*olds, *news) if not each.running()]
    clients[0].stop()
    for program in olds:
        program.end()
    time.sleep(ALONE_SECONDS)
    clients[1].stop()
    try:
        until(lambda: not _unfinished(site), "all runs end", seconds=120)
    except WentWrong as left:
        ground.say(str(left))
    minute = _minute(site, ground, clients, counter)
    _who_began(site, minute, upgraded_at)
    minute.ended_by_themselves = len(deserters)
    return minute


def _start(site: Site, version: str, environment: Mapping[str, str]) -> tuple[list[Program], int]:
    """Start all that a portal has, and return it with the port once its web server answers."""
    port = free_port()
    commands = (
        ("web", "--port", str(port)),
        ("scheduler",),
        ("worker", "--name", f"{version}-1"),
        ("worker", "--name", f"{version}-2"),
    )
    programs = [site.run(our_command(*command), environment) for command in commands]
    until(lambda: _answers(port), f"the {version} web server answers")
    return programs, port


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=1)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _unfinished(site: Site) -> int:
    with site.platform.reading() as db:
        return db.scalar(select(func.count()).where(JobResult.status.not_in(FINAL))) or 0


def _minute(site: Site, ground: Ground, clients: list[Client], counter: Path) -> Minute:
    executed = executions(site, counter)
    runs = stored(site, executed)
    # Who was sent away, and asked no more, has not been promised anything.
    asked = [each for client in clients for each in client.asked if each.answers]
    findings = list(check(asked, runs, executed))
    for finding in findings:
        ground.say(f"{finding.claim}: {finding.what}")
    sent_away = {
        f"{version} {what}": times
        for version, client in zip(("old", "new"), clients, strict=True)
        for what, times in client.sent_away.items()
    }
    return Minute(asked, runs, Counter(each.claim for each in findings), Counter(sent_away))


def _who_began(site: Site, minute: Minute, upgraded_at: float) -> None:
    columns = (JobResult.worker, JobResult.started_at)
    with site.platform.reading() as db:
        rows = db.execute(select(*columns).order_by(JobResult.started_at)).all()
    begins = [(str(worker).partition("-")[0], started) for worker, started in rows if started]
    minute.by_version = Counter(version for version, _ in begins)
    minute.too_late = sum(version == "old" and at.timestamp() > upgraded_at for version, at in begins)
    minute.standstill_seconds = _longest(at for _, at in begins)


def _longest(moments: Iterable[datetime]) -> float:
    return max(((after - before).total_seconds() for before, after in pairwise(moments)), default=0)


def _figures(minute: Minute) -> Iterable[Figure]:
    ends = Counter(run.status for run in minute.runs)
    wanted = len(minute.asked)
    completed = ends[Status.COMPLETED]
    yield Figure(
        "runs asked for that completed", completed, "runs", must=f"{wanted:,}", held=completed == wanted > 0
    )
    both = min(minute.by_version[version] for version in ("old", "new"))
    yield Figure(
        "runs that each version began, the fewer",
        both,
        "runs",
        must="> 0",
        held=both > 0,
        details=dict(minute.by_version),
    )
    for claim, label in (
        (Claim.LOST, "runs lost"),
        (Claim.DOUBLE, "runs executed too often"),
        (Claim.UNTRUE, "untrue ends"),
        (Claim.GAP, "logs with gaps or wrong counts"),
    ):
        yield _none(label, minute.broken[claim])
    yield _none("runs that old workers began after the upgrade", minute.too_late)
    yield _none("requests sent away", minute.sent_away.total(), dict(minute.sent_away))
    yield _none("processes that ended by themselves", minute.ended_by_themselves)
    longest = minute.standstill_seconds
    yield Figure(
        "longest time in which no run began",
        longest,
        "s",
        must=f"<= {MOST_STANDSTILL_SECONDS:g} s",
        held=longest <= MOST_STANDSTILL_SECONDS,
    )


def _none(label: str, found: int, details: Mapping[str, float] | None = None) -> Figure:
    return Figure(label, found, "", must="0", held=not found, details=dict(details or {}))
