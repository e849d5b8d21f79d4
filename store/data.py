"""The DATA database: the objects jobs work on, read by pages and changed by runs."""

import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Connection, Engine, create_engine, event, inspect
from sqlalchemy.orm import Session, sessionmaker

from store.platform import BUSY_TIMEOUT_SECONDS, engine_options

#: How long one attempt at the write turn blocks: signals, and so time limits, are seen in between.
TURN_ATTEMPT_SECONDS = 0.2

#: Statements that begin like this change nothing; WITH may introduce either.
READS = re.compile(r"\s*(SELECT|PRAGMA|EXPLAIN|VALUES)\b", re.IGNORECASE)
CHANGES = re.compile(r"\b(INSERT|UPDATE|DELETE|REPLACE)\b", re.IGNORECASE)
WITH = re.compile(r"\s*WITH\b", re.IGNORECASE)

_current: ContextVar[Session | None] = ContextVar("errand_data_session", default=None)


class NoSession(RuntimeError):
    """Objects were used where no run and no request has opened the database."""


class ReadOnlySession(RuntimeError):
    """Something tried to change objects outside a run."""


class WriteTurnTimeout(TimeoutError):
    """Another run kept the only write turn of SQLite for too long."""


def current_session() -> Session:
    """Return the session of the run, or of the request, this code works for."""
    session = _current.get()
    if session is None:
        raise NoSession(
            "Objects can only be used while a job runs, in the thread it runs in. "
            "At import time, or in a thread a job started, no database is open."
        )
    return session


class Data:
    """The engine and the sessions of the DATA database. Opens nothing before it is used."""

    def __init__(self, url: str) -> None:
        self.engine = _make_engine(url)
        self._reading = sessionmaker(
            self.engine.execution_options(errand_turn=_NeverWrites(), postgresql_readonly=True),
            class_=_ObjectSession,
            autoflush=False,
            expire_on_commit=False,
        )

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Give a session for reading, and make it the current one. It waits for no writer."""
        with self._reading() as session, _as_current(session):
            yield session

    @contextmanager
    def run_session(self, *, wait_seconds: float, on_wait: Callable[[], None]) -> Iterator["RunSession"]:
        """Give the session of one run, and make it the current one.

        The caller commits or rolls back; what is not committed is rolled back at the end.
        On SQLite it reads without a transaction until its first change, and then takes the write
        turn: for at most `wait_seconds`, calling `on_wait` once if another run has the turn.
        Raises WriteTurnTimeout from whatever made the first change.
        """
        turn = _WriteTurn(wait_seconds, on_wait)
        engine = self.engine.execution_options(errand_turn=turn)
        with RunSession(engine, autoflush=False, expire_on_commit=False) as session, _as_current(session):
            yield session

    def dispose(self, *, close: bool = True) -> None:
        """Forget all connections. After a fork use close=False: they belong to the parent."""
        self.engine.dispose(close=close)


class _ObjectSession(Session):
    """Asks the database that a model belongs to: DATA, unless it was made by store.reflected."""

    def get_bind(self, mapper: Any = None, **kwargs: Any) -> Engine | Connection:
        other = getattr(getattr(mapper, "class_", None), "database", None)
        return super().get_bind(mapper, **kwargs) if other is None else other.engine


class RunSession(_ObjectSession):
    """The session of one run."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: Called after each flush, in its transaction: `new`, `dirty` and `deleted` say what it wrote.
        self.on_flush: list[Callable[[Session], None]] = []
        #: What the run wants done once its changes are saved.
        self.after_commit: list[Callable[[], Any]] = []


# For the class: to listen to each session costs more than many a run does with its own.
@event.listens_for(RunSession, "before_commit")
def _drop_unsaved(session: Session) -> None:
    _set_aside(session)


@event.listens_for(RunSession, "after_flush")
def _tell_of_flush(session: RunSession, _context: object) -> None:
    for listener in session.on_flush:
        listener(session)


@contextmanager
def _as_current(session: Session) -> Iterator[None]:
    outer = _current.get()
    _current.set(session)
    try:
        yield
    finally:
        # Not `reset(token)`: a request may end in another context than the one it began in.
        _current.set(outer)


# --- SQLite: whose turn it is to write ---


def _make_engine(url: str) -> Engine:
    engine = create_engine(url, **engine_options(url))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        event.listen(engine, "before_cursor_execute", _take_turn_before_changes)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # The driver must not begin transactions on its own: the hooks below decide how they begin.
    connection.isolation_level = None
    # SQLite folds the case of ASCII only, and compares with LIKE as if case never mattered;
    # with these, lookups find the same objects as on PostgreSQL.
    connection.create_function("lower", 1, _lower, deterministic=True)
    cursor = connection.cursor()
    cursor.execute("PRAGMA case_sensitive_like = ON")
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_SECONDS * 1000}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _begin_sqlite(connection: Connection) -> None:
    # Sessions of runs and pages read without a transaction. Everything else (migrations, demo
    # content) means to write: a transaction that only turns to writing later fails at once when
    # another writer came between, whatever the busy timeout.
    if "errand_turn" not in connection.get_execution_options():
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _take_turn_before_changes(
    connection: Connection, _cursor: Any, statement: str, _parameters: Any, context: Any, _many: bool
) -> None:
    turn: _WriteTurn | None = connection.get_execution_options().get("errand_turn")
    if turn is None or not _changes_something(statement):
        return
    driver = cast(sqlite3.Connection, connection.connection.dbapi_connection)
    if not driver.in_transaction:
        turn.take(driver)


def _changes_something(statement: str) -> bool:
    if WITH.match(statement):
        return CHANGES.search(statement) is not None
    return READS.match(statement) is None


@dataclass(slots=True)
class _WriteTurn:
    """How one run gets its turn. It keeps the turn until it commits or rolls back."""

    wait_seconds: float
    on_wait: Callable[[], None]

    def take(self, driver: sqlite3.Connection) -> None:
        deadline = time.monotonic() + self.wait_seconds
        told = False
        while not _begin(driver, until=deadline):
            if time.monotonic() >= deadline:
                raise WriteTurnTimeout(
                    f"Another run has been changing objects for more than {self.wait_seconds:g} seconds. "
                    "On SQLite runs change objects one after the other, and this one gave up waiting."
                )
            if not told:
                told = True
                self.on_wait()


class _NeverWrites(_WriteTurn):
    """The turn of a page: it never comes."""

    def __init__(self) -> None:
        super().__init__(0, lambda: None)

    def take(self, driver: sqlite3.Connection) -> None:
        raise ReadOnlySession("Objects are changed by jobs only; this session reads.")


def _begin(driver: sqlite3.Connection, *, until: float) -> bool:
    """Try for the write turn for a moment; say whether it was got."""
    seconds = min(TURN_ATTEMPT_SECONDS, max(0.0, until - time.monotonic()))
    driver.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
    try:
        driver.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY_SNAPSHOT:
            # Waiting would not help: the open query holds on to a state that is past.
            raise RuntimeError("Read a query to its end before changing objects.") from error
        # The low byte is the kind of error; the others say why it is busy.
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        return False
    finally:
        driver.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_SECONDS * 1000}")
    return True


# --- What is saved: only what `save()` was called for ---


@contextmanager
def only(session: Session, obj: object) -> Iterator[None]:
    """Within this block nothing is written but `obj`: other objects' changes wait outside.

    Job files of the field rely on it: there, an object is written by its `save()` and by nothing else.
    """
    waiting = _set_aside(session, keep=obj)
    try:
        yield
    finally:
        for changed, values in waiting:
            for name, value in values.items():
                setattr(changed, name, value)


def _set_aside(session: Session, keep: object = None) -> list[tuple[object, dict[str, Any]]]:
    """Undo in memory what was not saved; return it."""
    unsaved = [
        (changed, values)
        for changed in session.dirty
        if changed is not keep and (values := _unsaved_values(changed))
    ]
    for changed, values in unsaved:
        session.expire(changed, list(values))
    return unsaved


def _unsaved_values(changed: object) -> dict[str, Any]:
    """Return the changed values of an object; its collections are the other side's to save."""
    state = inspect(changed)
    many = {relation.key for relation in state.mapper.relationships if relation.uselist}
    return {
        attribute.key: attribute.value
        for attribute in state.attrs
        if attribute.key not in many and attribute.history.has_changes()
    }
