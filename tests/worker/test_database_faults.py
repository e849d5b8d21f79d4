"""The database restarts, is away, locked or full: what is said is true, nothing is doubled, and nothing gets lost."""

import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, event, make_url, select, update
from sqlalchemy.exc import OperationalError

from store import migrate
from store.models import JobRecord, JobResult, MissedSlots, Schedule, User, now
from store.platform import Platform, is_full
from store.settings import load_settings
from store.timing.recurrence import Recurrence
from tests import servers
from tests.waiting import until
from tests.worker.conftest import Portal, StartWorker, Web, on_sqlite
from tests.worker.engine import Engine as Rules
from tests.worker.test_failpoints import assert_ended_once, rows
from worker import schedules, supervisor
from worker.ownership import end_lost
from worker.schedules import Timetable

on_postgres = pytest.mark.parametrize(
    "live", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


# A server of these tests' own: others must not see it crash.


@pytest.fixture(scope="module")
def own_server() -> Iterator[servers.Postgres]:
    folder = Path(tempfile.mkdtemp(prefix="epg"))
    try:
        server = servers.Postgres(folder)
    except Exception as reason:
        shutil.rmtree(folder, ignore_errors=True)
        pytest.skip(f"NO POSTGRESQL OF THE TEST'S OWN, its crashes are not tested: {reason}")
    yield server
    server.end()


@pytest.fixture(scope="module")
def postgres_server(own_server: servers.Postgres) -> str:
    return own_server.url


@pytest.fixture(scope="module")
def migrated_postgres(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with servers.database(postgres_server) as url:
        given = {"DATABASE_URL": url, "ERRAND_PLUGINS": "examples.inventory"}
        migrate.upgrade(load_settings(tmp_path_factory.mktemp("migrated"), given))
        yield str(make_url(url).database)


@pytest.fixture(scope="module")
def postgres_copies(postgres_server: str, migrated_postgres: str) -> Iterator[servers.Copies]:
    copies = servers.Copies(postgres_server, migrated_postgres)
    yield copies
    copies.end()


@pytest.fixture
def server(own_server: servers.Postgres) -> Iterator[servers.Postgres]:
    """The server, which is there again when the test is over."""
    yield own_server
    own_server.start()


@pytest.fixture
def rules(portal: Portal) -> Rules:
    return Rules(portal)


class Execution:
    """A run that a thread of this process executes."""

    def __init__(self, portal: Portal, result: JobResult) -> None:
        self.answer: str | None = None
        self.error: Exception | None = None
        # Made here: the settings belong to the test's thread.
        self._supervisor, self._id = portal.supervisor(), result.id
        self._thread = threading.Thread(target=self._execute)
        self._thread.start()

    def _execute(self) -> None:
        try:
            self.answer = self._supervisor.execute(self._id)
        except Exception as error:
            self.error = error

    def end(self) -> str | None:
        self._thread.join(60)
        assert not self._thread.is_alive()
        assert self.error is None
        return self.answer


def ticks(portal: Portal, result: JobResult) -> list[int]:
    return [int(entry.message.split()[1]) for entry in portal.entries(result) if "tick" in entry.message]


def has_ticked_on(portal: Portal, result: JobResult) -> None:
    before = len(ticks(portal, result))
    until(lambda: len(ticks(portal, result)) > before, "entries arrive")


def assert_complete(portal: Portal, result: JobResult) -> None:
    """It completed, and every one of its entries is there once."""
    ended = assert_ended_once(portal, result, "completed")
    assert ticks(portal, result) == list(range(1, ended.return_value + 1))


# --- PostgreSQL restarts ------------------------------------------------------------------------------------------


@on_postgres
def test_a_run_goes_on_while_its_database_restarts(
    portal: Portal, server: servers.Postgres, start_worker: StartWorker, tmp_path: Path
):
    result = portal.submit("Ticks", raw={"folder": str(tmp_path)})
    start_worker()
    until(lambda: ticks(portal, result), "the job logs")
    server.crash()
    server.start()
    portal.platform.dispose()
    has_ticked_on(portal, result)
    (tmp_path / "end").touch()
    until(lambda: portal.result(result).finished, "it ended")
    assert_complete(portal, result)


@on_postgres
def test_an_end_that_finds_no_database_is_written_when_it_is_back(
    portal: Portal, server: servers.Postgres, tmp_path: Path
):
    result = portal.submit("Ticks", raw={"folder": str(tmp_path)})
    run = Execution(portal, result)
    until(lambda: ticks(portal, result), "the job logs")
    server.crash()
    (tmp_path / "end").touch()
    until((tmp_path / "ended").exists, "the job came to its end")
    server.start()
    assert run.end() == "completed"
    assert_complete(portal, result)


@on_postgres
def test_a_run_whose_log_cannot_be_written_for_long_is_ended_and_says_so(
    portal: Portal, server: servers.Postgres, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr("worker.entries.PATIENCE_SECONDS", 0.5)
    result = portal.submit("Ticks", raw={"folder": str(tmp_path)})
    run = Execution(portal, result)
    until(lambda: ticks(portal, result), "the job logs")
    child = portal.supervisor()._child
    assert child is not None
    server.crash()
    until(lambda: child.ended, "the job's process is killed")
    server.start()
    assert run.end() == "errored"
    portal.platform.dispose()
    assert_ended_once(portal, result, "errored", "Its log could not be written", "rolled back")
    seen = ticks(portal, result)
    assert seen == sorted(set(seen)), "none is there twice"
    assert "Entries of this log are missing" in portal.entries(result)[-1].message


@on_postgres
def test_schedules_fire_on_when_their_database_is_back(
    portal: Portal, server: servers.Postgres, start_worker: StartWorker
):
    start = now().replace(microsecond=0)
    times = Recurrence("custom", start, cron="* * * * * *", dialect="jobschleuder")
    with portal.platform.session() as db:
        made = schedules.create(
            db,
            portal.settings,
            job=db.get_one(JobRecord, portal.jobs["Passes"].id),
            raw={},
            user=db.get_one(User, portal.cast["alice"].id),
            timetable=Timetable("Each second", times, missed="all", overlap="allow"),
        )

    def slots() -> list[datetime]:
        with portal.platform.reading() as db:
            own = select(JobResult.slot_at).where(JobResult.origin_id == made.id)
            return [slot for slot in db.scalars(own.order_by(JobResult.slot_at)) if slot]

    def fired_until(moment: datetime) -> None:
        until(lambda: slots()[-1:] > [moment], "it fires")

    scheduler = start_worker(command="scheduler")
    fired_until(start + timedelta(seconds=1))
    for _ in range(2):
        away_at = now()
        server.crash()
        until(lambda: now() > away_at + timedelta(seconds=1.2), "a slot comes while there is no database")  # noqa: B023
        server.start()
        portal.platform.dispose()
        fired_until(now())
    assert scheduler.poll() is None
    found = slots()
    assert found == [start + timedelta(seconds=number) for number in range(len(found))]
    with portal.platform.reading() as db:
        assert db.scalars(select(MissedSlots)).all() == []
        assert db.get_one(Schedule, made.id).problem == ""


# --- The database is away, locked or full when a run is asked for -------------------------------------------------


@on_postgres
def test_without_a_database_there_is_no_run_and_a_time_to_come_back(
    portal: Portal, rules: Rules, web: Web, server: servers.Postgres
):
    server.crash()
    try:
        answers = [web.submit("Passes"), web.page("/jobs/"), web.page("/now?of=workers")]
    finally:
        server.start()
    for answer in answers:
        assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "5")
        assert "The database does not answer" in answer.text
    assert "could not" not in answers[1].text, "where it is, and what it said, is nobody's business"
    portal.platform.dispose()
    assert (rows(portal), rules.waiting()) == ([], [])
    assert web.submit("Passes").status_code == 201
    assert web.page("/jobs/").status_code == 200


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Name it before the portal: it counts for connections that are made from then on."""
    monkeypatch.setattr("store.platform.BUSY_TIMEOUT_SECONDS", 0)


@pytest.fixture
def tries(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Grows with every try to write the log or the end of a run that is to be repeated."""
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        time.sleep(seconds)

    patient = SimpleNamespace(time=time.time, monotonic=time.monotonic, sleep=sleep)
    monkeypatch.setattr("worker.entries.time", patient)
    return waits


@contextmanager
def locked(portal: Portal) -> Iterator[None]:
    """Hold SQLite's only write turn."""
    with sqlite3.connect(make_url(portal.settings.database_url).database or "") as holder:
        holder.execute("BEGIN IMMEDIATE")
        yield
        holder.rollback()
    holder.close()


@on_sqlite
def test_a_locked_database_makes_a_503_and_pages_go_on(
    no_patience: None, portal: Portal, rules: Rules, web: Web
):
    assert web.page("/jobs/").status_code == 200
    with locked(portal):
        answers = [web.submit("Passes"), web.ask("Passes")]
        page = web.page("/jobs/")
    for answer in answers:
        assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "5")
    assert page.status_code == 200
    assert (rows(portal), rules.waiting()) == ([], [])
    assert web.submit("Passes").status_code == 201


@on_sqlite
def test_a_run_waits_for_a_locked_database_and_loses_nothing(
    no_patience: None, portal: Portal, tries: list[float], tmp_path: Path
):
    result = portal.submit("Ticks", raw={"folder": str(tmp_path)})
    run = Execution(portal, result)
    until(lambda: ticks(portal, result), "the job logs")
    with locked(portal):
        before = len(tries)
        until(lambda: len(tries) > before + 2, "it tries again")
    has_ticked_on(portal, result)
    with locked(portal):
        (tmp_path / "end").touch()
        before = len(tries)
        until(lambda: len(tries) > before + 2, "it tries again")
        assert portal.status(result) == "running"
    assert run.end() == "completed"
    assert_complete(portal, result)


@pytest.fixture
def full() -> Iterator[threading.Event]:
    """While it is set, no SQLite database may grow."""
    is_full = threading.Event()

    def limit(connection: Any) -> None:
        if connection.dialect.name == "sqlite":
            most = 1 if is_full.is_set() else 2**30
            connection.connection.dbapi_connection.execute(f"PRAGMA max_page_count = {most}")

    event.listen(Engine, "begin", limit)
    yield is_full
    event.remove(Engine, "begin", limit)


@on_sqlite
def test_a_full_disk_makes_a_507_that_names_the_reason(
    full: threading.Event, portal: Portal, rules: Rules, web: Web
):
    much = "x" * 200_000
    full.set()
    answers = [
        web.submit("Ticks", folder="x", note=much),
        web.ask("Ticks", folder="x", padding="0", note=much),
    ]
    for answer in answers:
        assert answer.status_code == 507, answer.text
        assert "no room" in answer.text
    assert (rows(portal), rules.waiting()) == ([], [])
    full.clear()
    assert web.submit("Ticks", folder="x", note=much).status_code == 201


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (psycopg.errors.DiskFull(), True),
        (psycopg.errors.AdminShutdown(), False),
        (sqlite3.OperationalError("database is locked"), False),
    ],
)
def test_a_full_disk_is_told_from_other_troubles(said: Exception, answer: bool):
    assert is_full(OperationalError("INSERT", None, said)) is answer


@on_sqlite
def test_a_run_goes_on_and_ends_though_there_is_no_room_for_its_entries(
    full: threading.Event, portal: Portal, tmp_path: Path
):
    result = portal.submit("Ticks", raw={"folder": str(tmp_path), "padding": 10_000})
    run = Execution(portal, result)
    until(lambda: ticks(portal, result), "the job logs")
    full.set()
    log = portal.supervisor()._watch._log
    until(lambda: log._lost, "entries are dropped")
    assert portal.status(result) == "running"
    (tmp_path / "end").touch()
    assert run.end() == "completed"
    ended = assert_ended_once(portal, result, "completed")
    missing = ended.return_value - len(ticks(portal, result))
    told = ended.cause + portal.entries(result)[-1].message
    assert f"missing ({missing}" in told


@on_postgres
def test_a_worker_that_was_stopped_in_a_transaction_keeps_nobody_from_its_run(portal: Portal):
    result = portal.submit("Passes")
    stopped = Platform(portal.settings.database_url, standstill_seconds=0.2)
    with stopped.engine.connect() as connection:
        change = update(JobResult).where(JobResult.id == result.id)
        connection.execute(change.values(cause="Written by who was stopped."))
        portal.cancel(result)  # Waits for as long as the other may stand still.
        with pytest.raises(OperationalError, match="idle-in-transaction timeout"):
            connection.execute(select(1))
    assert portal.result(result).cause == "Canceled by alice before it started."
    with stopped.engine.begin() as connection:
        assert connection.scalar(select(1)) == 1, "there is another connection"
    stopped.dispose()


# --- A commit whose answer is lost --------------------------------------------------------------------------------


@pytest.fixture
def break_the_end(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Have the connection break at the first commit of the run's end, after doing `what` with it."""

    def arm(what: Callable[[Any], None]) -> list[str]:
        dialect, said = portal.platform.engine.dialect, []
        commit, end_values = dialect.do_commit, supervisor.end_values

        def ends(*arguments: Any, **more: Any) -> dict[str, Any]:
            said.append("ends")
            return end_values(*arguments, **more)

        def commits(connection: Any) -> None:
            if said != ["ends"]:
                return commit(connection)
            said.append("breaks")
            what(connection)
            raise dialect.loaded_dbapi.OperationalError("server closed the connection unexpectedly")

        monkeypatch.setattr(supervisor, "end_values", ends)
        monkeypatch.setattr(dialect, "do_commit", commits)
        return said

    return arm


@pytest.mark.parametrize("job", ["Passes", "Ticks"])
def test_an_end_whose_commit_was_not_answered_is_written_once(
    portal: Portal, break_the_end: Callable[..., list[str]], tmp_path: Path, job: str
):
    (tmp_path / "end").touch()
    result = portal.submit(job, raw={"folder": str(tmp_path)} if job == "Ticks" else {})
    said = break_the_end(lambda connection: connection.commit())
    assert portal.supervisor().execute(result.id) == "completed"
    assert said == ["ends", "breaks"], "it is not written again"
    ended = assert_ended_once(portal, result, "completed")
    assert ended.last_seq == (1 if job == "Passes" else 0), "with the last entries, or without any"


@pytest.mark.parametrize("job", ["ExitsHard", "KillsItself"])
def test_a_retry_whose_commit_was_not_answered_is_one_retry(
    portal: Portal, rules: Rules, break_the_end: Callable[..., list[str]], job: str
):
    rules.rule(job, max_retries=2)
    result = portal.submit(job)
    said = break_the_end(lambda connection: connection.commit())
    assert portal.supervisor().execute(result.id) == "pending"
    assert said == ["ends", "breaks"]
    waiting = portal.result(result)
    assert (waiting.status, waiting.attempt, waiting.errors) == ("pending", 1, 1)
    assert len(portal.entries(result)) == waiting.last_seq == (1 if job == "ExitsHard" else 0)


def test_an_end_that_was_not_committed_is_not_taken_for_somebody_elses(
    portal: Portal, break_the_end: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # One statement is a transaction of its own, and has no commit that could fail.
    for module in ("batches", "entries"):
        monkeypatch.setattr(f"worker.{module}.is_one_statement", lambda *_: False)
    (tmp_path / "end").touch()
    result = portal.submit("Ticks", raw={"folder": str(tmp_path)})

    def taken_for_lost(connection: Any) -> None:
        connection.rollback()
        with portal.platform.session() as db:
            assert end_lost(db, db.get_one(JobResult, result.id), cause="Somebody else says so.")
            db.commit()

    break_the_end(taken_for_lost)
    assert portal.supervisor().execute(result.id) == "lost"
    assert_ended_once(portal, result, "errored", "Somebody else says so.")
