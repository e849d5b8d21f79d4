"""How far the PLATFORM database has come: whether what is about to use it may."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import OperationalError

from store.platform import SCHEMA, make_engine

NOT_UPGRADED = "The database does not have the tables this version needs: run ./errand db upgrade"
TOO_NEW = "A later version of Errand has upgraded the database: use that version."


def misfit(url: str) -> str:
    """Say why the database is not the one this code was written for; empty: it is. Raises OperationalError."""
    if is_behind(url):
        return NOT_UPGRADED
    return TOO_NEW if is_ahead(url) else ""


def is_behind(url: str) -> bool:
    """Tell whether the database lacks what this code needs. Raises OperationalError.

    One that is ahead does not: a web server goes on beside the version after it until all is upgraded.
    """
    return revision_of(url) < SCHEMA


def seen_behind(url: str) -> bool:
    """Tell the same for what begins for long: a database that is away may come back, and is no reason to end."""
    try:
        return is_behind(url)
    except OperationalError:
        return False


def is_ahead(url: str) -> bool:
    """Tell whether a later version has upgraded the database. Raises OperationalError."""
    return revision_of(url) > SCHEMA


def revision_of(url: str) -> str:
    """Return the revision of the database; empty: it has none. Writes nothing. Raises OperationalError."""
    engine = make_engine(url)
    file = engine.url.database
    try:
        # To connect to a file that is not there would make it.
        if engine.dialect.name == "sqlite" and file and not Path(file).exists():
            return ""
        with engine.execution_options(sqlite_begin="DEFERRED").connect() as connection:
            return revision_in(connection)
    finally:
        engine.dispose()


def revision_in(connection: Connection) -> str:
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return connection.scalar(text("SELECT version_num FROM alembic_version")) or ""
