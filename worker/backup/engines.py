"""How each kind of database is copied out and in."""

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from sqlalchemy import URL, inspect, make_url, text
from sqlalchemy.exc import DatabaseError

from store.platform import BUSY_TIMEOUT_SECONDS, make_engine
from worker.backup.archive import BackupError


def kind_of(url: str) -> str:
    return make_url(url).get_backend_name()


def database_file(url: str) -> Path:
    """Return where a database of SQLite is."""
    return Path(str(make_url(url).database))


def schema_of(url: str) -> str:
    """Return in which schema the tables are; empty on SQLite."""
    if kind_of(url) == "sqlite":
        return ""
    engine = make_engine(url)
    try:
        with engine.connect() as connection:
            # A schema that is not there yet is no current one: then the first that the connection names.
            found = connection.scalar(text("SELECT current_schema()"))
            path = str(connection.scalar(text("SHOW search_path")))
            return str(found or path.split(",")[0].strip().strip('"'))
    finally:
        engine.dispose()


def is_empty(url: str) -> bool:
    """Tell whether there is no table yet."""
    if kind_of(url) == "sqlite" and not database_file(url).exists():
        return True
    engine = make_engine(url)
    try:
        return not inspect(engine).get_table_names()
    except DatabaseError:
        # Something is there, though it is no database.
        return False
    finally:
        engine.dispose()


def copy_out(url: str, schema: str, target: Path) -> None:
    """Write a copy of the database as it is in one moment; who writes meanwhile is not kept waiting. Raises BackupError."""
    if kind_of(url) == "sqlite":
        _copy_sqlite(database_file(url), target)
        return
    program, reach = _program("pg_dump"), _reach(make_url(url))
    options = ["--format=custom", "--no-owner", "--no-privileges", f"--schema={_quoted(schema)}"]
    _run([program, *options, f"--file={target}"], reach)


def copy_in(url: str, schema: str, source: Path) -> None:
    """Put a copy in the place of all that is there. Raises BackupError."""
    if kind_of(url) == "sqlite":
        path = database_file(url)
        path.parent.mkdir(parents=True, exist_ok=True)
        for end in ("-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)
        shutil.move(source, path)
        return
    program, reach = _program("pg_restore"), _reach(make_url(url))
    # The schema itself is made here: the dump would have it made once more.
    listed = _run([program, "--list", str(source)], {})
    wanted = source.with_name(source.name + ".list")
    wanted.write_text("\n".join(line for line in listed.splitlines() if " SCHEMA - " not in line), "utf-8")
    engine = make_engine(url)
    try:
        with engine.begin() as connection:
            connection.execute(text(f"DROP SCHEMA IF EXISTS {_quoted(schema)} CASCADE"))
            connection.execute(text(f"CREATE SCHEMA {_quoted(schema)}"))
    finally:
        engine.dispose()
    options = ["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction"]
    database = str(make_url(url).database)
    _run([program, *options, f"--use-list={wanted}", f"--dbname={database}", str(source)], reach)


def _copy_sqlite(path: Path, target: Path) -> None:
    if not path.exists():
        raise BackupError(f"There is no database at {path}.")
    with (
        closing(
            sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_SECONDS)
        ) as source,
        closing(sqlite3.connect(target)) as copy,
    ):
        # All in one step: in pieces it would begin anew whenever somebody writes.
        source.backup(copy)
        # One file, without a log beside it.
        copy.execute("PRAGMA journal_mode = DELETE")
        [said] = copy.execute("PRAGMA quick_check(1)").fetchone()
    if said != "ok":
        raise BackupError(f"The database {path} is damaged: {said}.")


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise BackupError(
            f"{name} is not on PATH: install the client programs of PostgreSQL, of the server's version or a later one."
        )
    return found


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _reach(url: URL) -> dict[str, str]:
    """Return the variables by which libpq finds the server: a password among arguments could be read by others."""
    query = {name: str(value) for name, value in url.query.items()}
    given = {
        "PGHOST": url.host or query.get("host"),
        "PGPORT": str(url.port or query.get("port") or ""),
        "PGUSER": url.username or query.get("user"),
        "PGPASSWORD": str(url.password) if url.password else query.get("password"),
        "PGDATABASE": url.database or query.get("dbname"),
        "PGSSLMODE": query.get("sslmode"),
        "PGSSLROOTCERT": query.get("sslrootcert"),
    }
    return {name: value for name, value in given.items() if value}


def _run(command: list[str], reach: dict[str, str]) -> str:
    done = subprocess.run(
        command, env={**os.environ, **reach}, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        lines = [line for line in done.stderr.strip().splitlines() if line.strip()]
        raise BackupError(f"{Path(command[0]).name} failed: {' '.join(lines[:3]) or done.returncode}")
    return done.stdout
