"""The PLATFORM database: engines that behave the same on SQLite and PostgreSQL."""

import functools
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event, make_url
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

#: The newest revision in migrations/versions: what this code expects to find in the database.
SCHEMA = "0047"

#: Seconds a writer on SQLite waits for its turn before it gives up.
BUSY_TIMEOUT_SECONDS = 10

#: Seconds between the first tries of a writer on SQLite.
TURN_PAUSES = (0.0001,) * 50

#: What PostgreSQL calls a disk without room (disk_full).
POSTGRES_FULL = "53100"
#: What it says to who goes on in a transaction that it has given up (idle_in_transaction_session_timeout).
POSTGRES_STOOD_STILL = "25P03"


def engine_options(url: str) -> dict[str, Any]:
    """Return the keyword arguments of `create_engine` for this URL."""
    if make_url(url).get_backend_name() == "sqlite":
        return {"connect_args": {"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False}}
    # A connection that the server closed meanwhile is replaced instead of failing a request.
    return {"pool_pre_ping": True, "connect_args": {"connect_timeout": 5}}


def configure_engine(engine: Engine) -> Engine:
    """Make SQLite safe for many processes; other databases are left as they are."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def make_engine(url: str, **options: Any) -> Engine:
    return configure_engine(create_engine(url, **{**engine_options(url), **options}))


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver must not begin transactions on its own: `_begin_sqlite` decides how they begin.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_SECONDS * 1000}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later fails at once when another writer came
    # between, whatever the busy timeout: writers take their turn at the start (see docs/databases.md).
    mode = connection.get_execution_options().get("sqlite_begin", "IMMEDIATE")
    begin = f"BEGIN {mode}"
    # Past SQLAlchemy: it takes several times as long as SQLite for a statement of two words.
    database: Any = connection.connection.dbapi_connection
    try:
        if mode == "IMMEDIATE":
            _take_turn(database)
        else:
            database.execute(begin)
    except sqlite3.OperationalError as error:
        raise OperationalError(begin, None, error) from error


def _limit_standstill(seconds: float, connection: Any, _record: Any) -> None:
    with connection.cursor() as cursor:
        # Not among the options of the connection: a pooler in between would refuse them.
        cursor.execute(f"SET idle_in_transaction_session_timeout = {int(seconds * 1000)}")
    connection.commit()


def _tell_of_standstill(context: ExceptionContext) -> None:
    """Make of it what it is for whoever wanted to go on: the connection is gone, and another one may be had."""
    error = context.original_exception
    if getattr(error, "sqlstate", None) == POSTGRES_STOOD_STILL:
        raise OperationalError(context.statement, None, error, connection_invalidated=True) from error


def _take_turn(database: sqlite3.Connection) -> None:
    """Begin a transaction that writes.

    SQLite itself looks again after 1, 2, 5, 10... ms whether another writer is done. Ours are done much sooner,
    and whoever sleeps on is late: so the first looks come close together, and then it waits in its own way.
    """
    database.execute("PRAGMA busy_timeout = 0")
    try:
        for pause in TURN_PAUSES:
            try:
                database.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                    raise
            time.sleep(pause)
    finally:
        database.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_SECONDS * 1000}")
    database.execute("BEGIN IMMEDIATE")


def is_full(error: OperationalError) -> bool:
    """Tell whether the database could not store something for want of room on its disk."""
    code = getattr(error.orig, "sqlite_errorcode", None) or getattr(error.orig, "sqlstate", None)
    return code in (sqlite3.SQLITE_FULL, POSTGRES_FULL)


def is_damaged(error: DatabaseError) -> bool:
    """Tell whether the file of a database is none, or no longer whole."""
    code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


class Platform:
    """The database of a process without Flask: a worker, the scheduler, a command."""

    def __init__(self, url: str, *, standstill_seconds: float | None = None, **options: Any) -> None:
        """Open nothing yet. options: more arguments for `create_engine`.

        standstill_seconds: when PostgreSQL gives up a transaction in which nothing happens. Its process may have been
        stopped while it holds locks that others need to find out.
        """
        engine = make_engine(url, **options)
        if standstill_seconds is not None and engine.dialect.name == "postgresql":
            event.listen(engine, "connect", functools.partial(_limit_standstill, standstill_seconds))
            event.listen(engine, "handle_error", _tell_of_standstill)
        self._use(engine)

    @classmethod
    def of(cls, engine: Engine) -> Self:
        """Return the same for an engine that is there already, as `make_engine` makes them."""
        platform = cls.__new__(cls)
        platform._use(engine)
        return platform

    def _use(self, engine: Engine) -> None:
        self.engine = engine
        #: For writes of one statement: on PostgreSQL that is a transaction by itself, without two more ways to the
        #: server and back for its beginning and its end.
        self.single = self.engine.execution_options(**_unbracketed(self.engine))
        self._writing = sessionmaker(self.engine, expire_on_commit=False)
        self._reading = sessionmaker(
            self.engine.execution_options(sqlite_begin="DEFERRED", **_unbracketed(self.engine)),
            expire_on_commit=False,
        )

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Give a session that may write. The caller commits; what is not committed is rolled back."""
        with self._writing() as session:
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Give a session that only reads, and so waits for nobody."""
        with self._reading() as session:
            yield session

    def dispose(self) -> None:
        self.engine.dispose()


def _unbracketed(engine: Engine) -> dict[str, Any]:
    return {} if engine.dialect.name == "sqlite" else {"isolation_level": "AUTOCOMMIT"}
