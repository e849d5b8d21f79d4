"""A whole Errand for one measure: a fresh instance with Redis and database, and the processes one asks for."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from benchmarks import servers
from benchmarks.figures import WentWrong
from benchmarks.plan import FULL, Plan
from benchmarks.processes import Program
from benchmarks.waiting import until
from benchmarks.web import Web, start_web
from store.migrate import upgrade
from store.models import JobRecord, JobResult, Status, User
from store.platform import Platform
from store.settings import PROJECT_ROOT, Settings, load_settings
from webapp.cli.supervisor import our_command
from worker.embedded_redis import EmbeddedRedis
from worker.host import marked_processes, start_time
from worker.refresh import refresh
from worker.submit import submit

JOBS = Path(__file__).parent / "jobs"

USERNAME = "bench"

#: Every process of a site carries its folder in its environment, under this name.
MARK = "ERRAND_BENCH"


class Site:
    """What a measure works on."""

    def __init__(
        self,
        folder: Path,
        plan: Plan,
        postgres_url: str | None,
        stack: ExitStack,
        *,
        jobs: Path = JOBS,
        plugins: str = "",
    ) -> None:
        self.plan = plan
        self.folder = folder
        self._postgres_url = postgres_url
        self._stack = stack
        # Nothing of our own surroundings: whatever DATABASE_URL says there is not for measuring on.
        given = {"JOBS_ROOT": str(jobs), "ERRAND_PLUGINS": plugins, "ERRAND_INSTANCE": str(folder)}
        # How much it can is measured, not how much one person may.
        given |= {"ERRAND_RATES": "submit=0 search=0 download=0 webhook=0", "ERRAND_QUEUE_DEPTH": "0"}
        if postgres_url:
            given["DATABASE_URL"] = stack.enter_context(servers.database(postgres_url))
        self.settings: Settings = load_settings(folder, given)
        self.redis_url = self.settings.redis_url
        ours = {"REDIS_URL": self.redis_url, MARK: str(folder)}
        self.environment = {**_bare_environment(), **given, **ours}
        upgrade(self.settings)
        self.redis = self.start_redis()
        self.platform = Platform(self.settings.database_url)
        stack.callback(self.platform.dispose)
        with self.platform.session() as db:
            db.add(User(username=USERNAME, superuser=True))
            db.commit()
            report = refresh(db, self.settings, enable_new=True)
            # Anybody may ask for the other queue: some measures keep a worker apart.
            db.execute(update(JobRecord).values(queues=["default", "apart"]))
            db.commit()
        if report.errors:
            raise WentWrong(report.errors[0].message)

    # --- Processes ---

    def start(self, *arguments: str) -> Program:
        """Start a command of ours."""
        return self.run(our_command(*arguments))

    def start_web(self, *command: str) -> Web:
        """Start what serves the pages: `./errand web`, or `command`."""
        web = start_web(self, *(command or ("web",)))
        self._stack.callback(web.close)
        return web

    def start_redis(self) -> Program:
        """Start the Redis of the instance, and wait until it answers."""
        server = EmbeddedRedis(self.folder)
        program = self.run(server.prepare())
        server.wait_until_ready(alive=program.running)
        return program

    def run(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> Program:
        program = Program(command, environment or self.environment, self.folder / "programs.log")
        self._stack.callback(program.end)
        return program

    def processes(self) -> list[int]:
        """Return the pids of all that came of what was started here, and still lives."""
        return [pid for pid in marked_processes(MARK, str(self.folder)) if start_time(pid)]

    def run_python(self, module: str, *arguments: str) -> Program:
        return self.run([sys.executable, "-P", "-m", module, *arguments])

    def start_worker(self, *arguments: str) -> Program:
        # Nobody waits for the last run of a measure.
        return self.start("worker", "--grace", "0", *arguments)

    # --- Runs ---

    def submit(self, job: str, data: Mapping[str, Any] | None = None, *, queue: str | None = None) -> UUID:
        with self.submitting(job) as ask:
            return ask(data, queue=queue)

    @contextmanager
    def submitting(self, job: str) -> Iterator["Ask"]:
        """Give a function that asks for a run of `job`, and has read what it needs to do so."""
        with self.platform.session() as db:
            record = db.scalars(select(JobRecord).where(JobRecord.class_name == job)).one()
            user = db.scalars(select(User).where(User.username == USERNAME)).one()
            db.rollback()
            yield Ask(db, self.settings, record, user)

    def result(self, result_id: UUID) -> JobResult:
        with self.platform.reading() as db:
            return db.get_one(JobResult, result_id)

    def wait_for(self, result_id: UUID, *, seconds: float = 120, pause: float = 0.01) -> JobResult:
        """Return the result when it has completed. Raises WentWrong when it ended otherwise."""
        ended = until(lambda: self.finished(result_id), "a run ends", seconds=seconds, pause=pause)
        if ended.status != Status.COMPLETED:
            raise WentWrong(f"{ended.name} ended as {ended.status}: {ended.cause}")
        return ended

    def wait_until_running(self, result_id: UUID) -> JobResult:
        """Return the result when its job has logged something."""

        def running() -> JobResult | None:
            row = self.result(result_id)
            return row if row.status == Status.RUNNING and row.last_seq else None

        return until(running, "a run begins")

    def finished(self, result_id: UUID) -> JobResult | None:
        """Return the result if it has ended."""
        row = self.result(result_id)
        return row if row.finished else None

    @contextmanager
    def scratch_database(self) -> Iterator[str]:
        """Give the URL of an empty database of the same kind."""
        if self._postgres_url:
            with servers.database(self._postgres_url) as url:
                yield url
        else:
            yield f"sqlite:///{self.folder / 'scratch.db'}"


class Ask:
    """Asks for runs through the only door."""

    def __init__(self, db: Session, settings: Settings, record: JobRecord, user: User) -> None:
        self._db, self._settings, self._record, self._user = db, settings, record, user

    def __call__(self, data: Mapping[str, Any] | None = None, *, queue: str | None = None) -> UUID:
        result = submit(
            self._db, self._settings, job=self._record, raw=data or {}, user=self._user, queue=queue
        )
        result_id = result.id
        # It has read the row again, in a transaction: on SQLite nobody could write until that ends.
        self._db.rollback()
        return result_id


@contextmanager
def site(
    plan: Plan = FULL,
    *,
    postgres_url: str | None,
    inside: Path | None,
    jobs: Path = JOBS,
    plugins: str = "",
) -> Iterator[Site]:
    """Make a fresh instance in a temporary folder; at the end all that runs for it ends, and it is removed.

    inside: the folder, and so the disk, where the temporary one is made. plugins: as in ERRAND_PLUGINS.
    """
    folder = Path(tempfile.mkdtemp(prefix="errand-bench-", dir=inside))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        yield Site(folder, plan, postgres_url, stack, jobs=jobs, plugins=plugins)


def _bare_environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "PYTHONPATH": str(PROJECT_ROOT)}
