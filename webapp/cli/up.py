"""`up`: everything on one machine, started, watched and ended together."""

import fcntl
import http.client
import os
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from webapp.cli import with_settings
from webapp.cli.copies import done_by_a_copy
from webapp.cli.platform import clear_errors
from webapp.cli.processes import (
    SETTLE_SECONDS,
    check_host,
    end_on_signals,
    is_loopback,
    without_worker_key,
    worker_programs,
)
from webapp.cli.supervisor import Program, Supervisor, our_command

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from store.models import User
    from store.platform import Platform
    from store.settings import Settings

DEMO_PLUGIN = "examples.inventory"
FIRST_ADMIN = "admin"
#: After this long without an answer from the web, say so.
PATIENCE_SECONDS = 60


class CannotStart(click.ClickException):
    """What stands in the way, as a sentence for the person who typed the command."""


@click.command()
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--workers", default=2, show_default=True, type=click.IntRange(0), help="How many workers.")
@click.option(
    "--demo/--no-demo", default=True, show_default=True, help="Add a demo inventory with jobs, once."
)
@click.option(
    "--jobs",
    "jobs_folders",
    multiple=True,
    metavar="DIR ...",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    help="Folders of jobs besides jobs/local (with --no-demo: instead of it). Remembered for this instance.",
)
@click.argument(
    "more_jobs_folders",
    nargs=-1,
    metavar="",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
)
@with_settings
def up(
    settings: "Settings",
    port: int,
    host: str,
    workers: int,
    demo: bool,
    jobs_folders: tuple[Path, ...],
    more_jobs_folders: tuple[Path, ...],
) -> None:
    """Run everything on this machine: Redis, web, workers, scheduler.

    Prints a link that signs the first admin in, once. Ctrl-C ends everything. DATABASE_URL, DATA_DATABASE_URL
    and REDIS_URL switch to servers of your own; then none is started here.
    """
    from worker.keyring import private_keys
    from worker.known_secrets import known_secrets
    from worker.redaction import load_rules

    if more_jobs_folders and not jobs_folders:
        raise click.UsageError(
            f"Unexpected argument {more_jobs_folders[0]}. Name folders of jobs with --jobs."
        )
    https = settings.https
    if https is None and is_loopback(host):
        https = False
    check_host(host, https)
    load_rules(settings.redaction_file)
    known_secrets(settings)
    private_keys(settings)
    with locked(settings.instance):
        check_port(host, port)
        settings = configured(settings, demo=demo, jobs_folders=(*jobs_folders, *more_jobs_folders))
        run_all(replace(settings, https=https), host=host, port=port, workers=workers, demo=demo)


def run_all(
    settings: "Settings",
    *,
    host: str,
    port: int,
    workers: int,
    demo: bool,
    enable_new: bool = False,
    tls: bool = False,
) -> None:
    """Run everything until somebody ends it. tls: the web answers by TLS only."""
    from worker.queues import queue_reachable

    end_on_signals()
    environment = child_environment(settings)
    supervisor = Supervisor()
    try:
        if settings.embedded_redis:
            start_redis(supervisor, settings)
        elif not queue_reachable(settings):
            supervisor.say("errand", "The server in REDIS_URL does not answer. Runs wait until it does.")
        supervisor.say("errand", "Preparing the databases and looking for jobs...")
        link = done_by_a_copy(lambda: prepare(settings, demo=demo, enable_new=enable_new))
        if workers:
            grace = supervisor.grace_seconds - SETTLE_SECONDS
            supervisor.start(*worker_programs(["default"], workers, environment, grace_seconds=grace))
        supervisor.start(keyless("scheduler", ["scheduler"], environment))
        if settings.slack.bot_token and settings.slack.app_token:
            supervisor.start(keyless("slack", ["slack"], environment))
        address = ["--host", host, "--port", str(port)]
        supervisor.start(keyless("web", ["web", *address], environment))
        announce(supervisor, host, port, link, tls=tls)
        supervisor.run()
    except KeyboardInterrupt:
        supervisor.say("errand", "Ending everything...")
    finally:
        supervisor.stop()
    supervisor.say("errand", "Everything has ended.")


# --- What may stand in the way ---


@contextmanager
def locked(instance: Path) -> Iterator[None]:
    """Keep a second `up` from the same instance. The kernel lets go of the lock when this process ends."""
    path = instance / "up.lock"
    try:
        file = path.open("a+")
    except OSError as error:
        raise CannotStart(
            f"The instance folder {instance} is not writable: {error.strerror}. Choose another with --instance."
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            owner = file.read().strip() or "unknown"
            raise CannotStart(
                f"Errand is already up on the instance {instance} (process {owner}). "
                "End that one first, or choose another folder with --instance."
            ) from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def check_port(host: str, port: int) -> None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            # As gunicorn does: connections that ended a moment ago must not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except OSError as error:
        raise CannotStart(
            f"Errand cannot listen on {host}, port {port}: {error.strerror or error}. "
            "Choose another with --port or --host."
        ) from error


# --- Getting ready ---


def configured(settings: "Settings", *, demo: bool, jobs_folders: tuple[Path, ...]) -> "Settings":
    """Remember the demo plugin and the jobs folders, and return the settings that follow."""
    from store.settings import PROJECT_ROOT, load_settings, remember

    values: dict[str, list[str]] = {}
    if demo and DEMO_PLUGIN not in settings.plugins and "ERRAND_PLUGINS" not in os.environ:
        values["plugins"] = [*settings.plugins, DEMO_PLUGIN]
    if jobs_folders:
        if os.environ.get("JOBS_ROOT"):
            raise click.UsageError("Name the folders of jobs with --jobs or in JOBS_ROOT, not with both.")
        first = [PROJECT_ROOT / "jobs" / "local"] if demo else []
        values["jobs_roots"] = [str(folder) for folder in dict.fromkeys([*first, *jobs_folders])]
    if not values:
        return settings
    remember(settings.instance, **values)
    return load_settings(settings.instance)


def child_environment(settings: "Settings") -> dict[str, str]:
    from store.settings import environment

    https = {} if settings.https is None else {"ERRAND_HTTPS": str(int(settings.https))}
    # Unbuffered: what a child prints is to be seen when it prints it.
    return {**os.environ, **environment(settings), **https, "PYTHONUNBUFFERED": "1"}


def keyless(name: str, ours: list[str], environment: dict[str, str]) -> Program:
    """Return a command of ours that does not get to know the worker key."""
    if "WORKER_KEY" not in environment:
        return Program(name, ours=ours, environment=environment)
    # No copy of this process, which knows it.
    return Program(name, our_command(*ours), environment=without_worker_key(environment))


def start_redis(supervisor: Supervisor, settings: "Settings") -> None:
    from worker.embedded_redis import EmbeddedRedis, RedisNotStarted

    redis = EmbeddedRedis(settings.instance)
    # We hold the lock of this instance, so whoever still answers has lost its owner and is about to end.
    redis.wait_until_gone()
    try:
        command = redis.prepare()
        supervisor.start(Program("redis", command, before_start=redis.prepare))
        redis.wait_until_ready(alive=lambda: supervisor.running("redis"))
    except RedisNotStarted as error:
        raise CannotStart(str(error)) from error


def prepare(settings: "Settings", *, demo: bool, enable_new: bool = False) -> str:
    """Upgrade the databases, add the demo, look for jobs; return the path that signs the first admin in."""
    from store.migrate import upgrade
    from store.people import sign_in_path
    from store.platform import Platform
    from worker.keyring import ensure

    platform = Platform(settings.database_url)
    try:
        with clear_errors():
            upgrade(settings)
            demo_is_new = demo and load_demo(settings)
            refresh_jobs(platform, settings, demo=demo, demo_is_new=demo_is_new, enable_new=enable_new)
            with platform.session() as db:
                ensure(db, settings)
                admin = first_admin(db)
                return sign_in_path(db, admin) if admin else "/login"
    finally:
        platform.dispose()


def refresh_jobs(
    platform: "Platform", settings: "Settings", *, demo: bool, demo_is_new: bool, enable_new: bool = False
) -> None:
    """Find the jobs. Those of the demo can be run at once; what comes later waits for an admin."""
    from sqlalchemy import select

    from store.models import JobRecord
    from worker.refresh import refresh

    with platform.reading() as db:
        first_time = db.scalar(select(JobRecord.id).limit(1)) is None
    with platform.session() as db:
        report = refresh(db, settings, enable_new=enable_new or (demo and (demo_is_new or first_time)))
        db.commit()
        for error in report.errors:
            click.echo(f"errand | {error.path} could not be loaded: {error.message}", err=True)


def load_demo(settings: "Settings") -> bool:
    """Add the demo objects unless that was done before; tell whether it was done now."""
    from store.data import Data
    from store.plugins import load_plugins

    if DEMO_PLUGIN not in settings.plugins:
        return False
    load_plugins(settings)
    data = Data(settings.data_database_url)
    try:
        return bool(import_module(DEMO_PLUGIN).plugin.load_demo(data))
    finally:
        data.engine.dispose()


def first_admin(db: "Session") -> "User | None":
    """Return the first active superuser, who is made if there is no user at all."""
    from sqlalchemy import select

    from store.models import User

    if db.scalar(select(User.id).limit(1)) is None:
        db.add(User(username=FIRST_ADMIN, superuser=True, active=True))
        db.commit()
    return db.scalar(select(User).where(User.superuser, User.active).order_by(User.id).limit(1))


# --- Ready ---


def announce(supervisor: Supervisor, host: str, port: int, path: str, *, tls: bool = False) -> None:
    """Print the link once the web answers. Goes on watching meanwhile."""
    nearest = {"0.0.0.0": "127.0.0.1", "::": "::1", "localhost": "127.0.0.1"}.get(host, host)  # noqa: S104
    patience_ends = time.monotonic() + PATIENCE_SECONDS
    while not web_answers(nearest, port, tls=tls):
        supervisor.run_once()
        if time.monotonic() > patience_ends:
            supervisor.say("errand", "The web does not answer yet; what it printed is above.")
            patience_ends = float("inf")
    supervisor.say("errand", "Ready. Sign in here (the link works once, within a day):")
    shown = f"[{nearest}]" if ":" in nearest else nearest
    click.echo(f"http{'s' if tls else ''}://{shown}:{port}{path}")


def web_answers(host: str, port: int, *, tls: bool = False) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=1)
    if tls:
        # Nothing is told to it: that it is ours need not be proved.
        context = ssl._create_unverified_context()  # noqa: S323
        connection = http.client.HTTPSConnection(host, port, timeout=1, context=context)
    try:
        connection.request("GET", "/healthz", headers={"Host": "localhost"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
