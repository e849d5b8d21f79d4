"""Both databases: reachable, of this version, writable, with room, and with a clock that agrees with ours."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, make_url, text
from sqlalchemy.exc import DatabaseError, OperationalError

from jobs.files import in_units
from store.migrate import is_current, is_data_current
from store.platform import is_damaged, make_engine
from store.settings import Settings
from store.urls import without_password
from worker.checkup.finding import BAD, OK, WARN, Finding
from worker.checkup.machine import disk

UPGRADE = "./errand db upgrade"

REACH = "reach of jobs"

#: Clocks that differ by more make schedules late, and expiries odd.
MOST_SKEW_SECONDS = 2.0


def databases(settings: Settings) -> Iterator[Finding]:
    for part, url, current in (
        ("database", settings.database_url, is_current),
        ("data database", settings.data_database_url, is_data_current),
    ):
        yield from _one(part, url, current, settings)
    if make_url(settings.database_url).get_backend_name() == "postgresql":
        yield _reach_of_jobs(settings)


def _reach_of_jobs(settings: Settings) -> Finding:
    """Tell whether what jobs are given, the URL of the DATA database, opens the PLATFORM database, too."""
    platform, data = make_url(settings.database_url), make_url(settings.data_database_url)
    says = "Objects have a role of their own, which does not read the platform's tables."
    if data.get_backend_name() != "postgresql":
        return Finding(REACH, OK, says)
    engine = make_engine(platform.set(username=data.username, password=data.password).render_as_string(False))
    try:
        with engine.connect() as connection:
            reads = connection.scalar(text("SELECT has_table_privilege(to_regclass('users'), 'SELECT')"))
    except OperationalError:
        # It is not even let in.
        reads = False
    finally:
        engine.dispose()
    if not reads:
        return Finding(REACH, OK, says)
    return Finding(
        REACH,
        WARN,
        f"Jobs are given the role {data.username}, which reads the tables of the platform.",
        "Give DATA_DATABASE_URL a database and a role of its own (docs/running.md).",
    )


def _one(part: str, url: str, current: Callable[[Settings], bool], settings: Settings) -> Iterator[Finding]:
    engine = make_engine(url)
    try:
        yield from _looked_at(part, engine, lambda: current(settings))
        if engine.dialect.name == "sqlite":
            folder = Path(str(engine.url.database)).parent
            if folder.exists() and folder.stat().st_dev != settings.instance.stat().st_dev:
                yield disk(f"{part} disk", folder)
    except DatabaseError as error:
        said = str(error.orig).strip().partition("\n")[0]
        yield Finding(part, BAD, f"{without_password(url)} cannot be used: {said}", _advice(engine, error))
    finally:
        engine.dispose()


def _advice(engine: Engine, error: DatabaseError) -> str:
    if engine.dialect.name != "sqlite":
        return "See that the server runs and lets this machine in, and that the address is right."
    if is_damaged(error):
        return "Put the last backup in its place: ./errand restore FILE --force"
    return (
        "See that the file and its folder are this user's, who writes to both: ls -la shows whose they are."
    )


def _looked_at(part: str, engine: Engine, current: Callable[[], bool]) -> Iterator[Finding]:
    sqlite = engine.dialect.name == "sqlite"
    # Only looked at: to connect to a file that is not there would make it.
    file = Path(str(make_url(engine.url).database))
    if sqlite and not file.exists():
        yield Finding(part, BAD, f"There is no database at {file}.", UPGRADE)
        return
    if not current():
        yield Finding(part, BAD, "Its tables are not those of this version.", UPGRADE)
        return
    with engine.connect() as connection:
        if why := _why_not_writable(connection):
            yield Finding(part, BAD, f"It takes no changes: {why}", "Point to the server that does.")
            return
        yield Finding(part, OK, _described(connection))
        if not sqlite:
            yield _clock(part, connection)


def _why_not_writable(connection: Connection) -> str:
    if connection.dialect.name == "sqlite":
        # Beginning took the turn to write, and failed where there is none to take; room shows in a page.
        connection.execute(text("CREATE TABLE errand_doctor (one INTEGER)"))
        connection.rollback()
        return ""
    if connection.scalar(text("SELECT pg_is_in_recovery()")):
        return "it is a copy that follows another server."
    if connection.scalar(text("SHOW transaction_read_only")) == "on":
        return "its transactions only read (default_transaction_read_only)."
    return ""


def _described(connection: Connection) -> str:
    if connection.dialect.name == "sqlite":
        database = str(connection.engine.url.database)
        return f"SQLite, {in_units(Path(database).stat().st_size)}, up to date, writable: {database}"
    server = connection.scalar(text("SHOW server_version"))
    size = connection.scalar(text("SELECT pg_database_size(current_database())"))
    return f"PostgreSQL {server}, {in_units(size)}, up to date, writable"


def _clock(part: str, connection: Connection) -> Finding:
    before = datetime.now(UTC)
    theirs = connection.scalar(text("SELECT clock_timestamp()"))
    after = datetime.now(UTC)
    # The question took its time: only what lies outside of that is a difference.
    seconds = max((before - theirs).total_seconds(), (theirs - after).total_seconds(), 0.0)
    return clock(f"{part} clock", seconds)


def clock(part: str, seconds: float) -> Finding:
    if seconds > MOST_SKEW_SECONDS:
        says = f"The clocks of the server and of this machine differ by {seconds:.1f} seconds."
        return Finding(part, WARN, says, "Keep both by NTP: schedules and limits go by them.")
    return Finding(part, OK, "agrees with this machine's")
