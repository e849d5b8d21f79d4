"""The PLATFORM database as a request sees it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask, current_app, g, has_request_context, request
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as RequestSession
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from store.models import Base
from store.platform import configure_engine, engine_options, is_full

#: Seconds after which a client may try again when the database did not answer.
RETRY_AFTER_SECONDS = 5

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class _Session(RequestSession):
    """Reads without taking SQLite's only write turn, unless the request may change something.

    `g.changes` says so of one that does though its method is none for changes.
    """

    def get_bind(self, *args: Any, **kwargs: Any) -> Engine | Connection:
        bind = super().get_bind(*args, **kwargs)
        if has_request_context() and _only_reads() and bind is db.engine:
            return _reading_engine()
        return bind


def _only_reads() -> bool:
    return request.method in SAFE_METHODS and not g.get("changes", False)


# What was committed stays readable: to read it again would begin another transaction, and on SQLite that takes the
# write turn from the very worker that is to execute what was just asked for.
db = SQLAlchemy(metadata=Base.metadata, session_options={"class_": _Session, "expire_on_commit": False})


def init_app(app: Flask, url: str) -> None:
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(url)
    db.init_app(app)
    with app.app_context():
        configure_engine(db.engine)
        # Made once: a session takes two engines, even twins, for two databases.
        app.extensions["errand_reading_engine"] = db.engine.execution_options(**_for_reading(db.engine))


def _for_reading(engine: Engine) -> dict[str, Any]:
    if engine.dialect.name == "sqlite":
        return {"sqlite_begin": "DEFERRED"}
    # PostgreSQL's transactions give each statement a view of its own anyway: to begin and to end one would only be
    # two more ways to the server and back.
    return {"isolation_level": "AUTOCOMMIT"}


def trouble(error: OperationalError) -> tuple[int, str]:
    """Return the status and the sentence for a request whose database cannot do its work now.

    What the database said goes to the server's log alone.
    """
    current_app.logger.error("%s %s: the database says: %s", request.method, request.path, error.orig)
    if is_full(error):
        return 507, "The database has no room left, so nothing new can be stored. Tell an administrator."
    return 503, "The database does not answer. Try again in a moment."


@contextmanager
def reading() -> Iterator[Session]:
    """Give a session of its own that only reads."""
    with Session(_reading_engine(), expire_on_commit=False) as session:
        yield session


@contextmanager
def looking() -> Iterator[Session]:
    """Give a session of its own that only reads, all in one transaction: for what is read in pieces."""
    with Session(db.engine.execution_options(sqlite_begin="DEFERRED")) as session:
        yield session


@contextmanager
def writing() -> Iterator[Session]:
    """Give a session of its own for one short change, committed at the end, whatever becomes of the request."""
    with Session(db.engine, expire_on_commit=False) as session, session.begin():
        yield session


def _reading_engine() -> Engine:
    engine: Engine = current_app.extensions["errand_reading_engine"]
    return engine
