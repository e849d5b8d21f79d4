"""`web`, `worker` and `scheduler`: one process each, in the foreground."""

import ipaddress
import os
import re
import signal
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from webapp.cli import with_settings
from webapp.cli.platform import clear_errors, refuse_behind
from webapp.cli.supervisor import Program, Supervisor

if TYPE_CHECKING:
    from store.settings import Settings

WEB_PROCESSES = 2
KEEP_ALIVE_SECONDS = 20
#: After a worker has ended a run that took too long to stop, it needs this long to say so in the database.
SETTLE_SECONDS = 4


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@with_settings
def web(settings: "Settings", host: str, port: int) -> None:
    """Serve the pages and the JSON API (gunicorn; GUNICORN_CMD_ARGS may add to its settings)."""
    check_host(host, settings.https)
    refuse_behind(settings)
    hand_on(settings)
    if os.environ.pop("WORKER_KEY", None):
        # Whoever takes requests only closes boxes. Begun anew, as the kernel shows what a process was begun with.
        os.execve(sys.executable, [sys.executable, "-P", "-m", "webapp.cli", *sys.argv[1:]], os.environ)  # noqa: S606
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    serve(address, json_logs=settings.log_json)


def serve(address: str, *, json_logs: bool = False) -> None:
    from gunicorn.app.base import BaseApplication

    from webapp.desk import THREADS

    # Not gunicorn's own command: that puts the current folder first on the import path, and reads a
    # gunicorn.conf.py that happens to lie there.
    class Server(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            given = self.cfg.parser().parse_args(self.cfg.get_cmd_args_from_env())
            ours = {
                "bind": [address],
                "worker_class": "webapp.patient_worker.PatientWorker",
                "workers": WEB_PROCESSES,
                "threads": THREADS,
                # Longer than the time between two polls: a new connection for each would cost half as much again.
                "keepalive": KEEP_ALIVE_SECONDS,
                # Loaded once, before the processes part: none of them answers while it still imports.
                "preload_app": True,
                "graceful_timeout": 5,
                "control_socket_disable": True,
                "proc_name": "errand-web",
                **({"logger_class": "webapp.server_log.JsonLogger"} if json_logs else {}),
            }
            for name, value in {**ours, **_given(given)}.items():
                self.cfg.set(name, value)

        def load(self) -> Any:
            with clear_errors():
                from webapp.wsgi import app
            return app

    Server().run()


def _given(arguments: Any) -> dict[str, Any]:
    return {name: value for name, value in vars(arguments).items() if value is not None and name != "args"}


def check_host(host: str, https: bool | None) -> None:
    """Refuse to show pages to a network before someone has said whether the way there is encrypted."""
    if https is None and not is_loopback(host):
        from store.settings import SettingsError

        raise SettingsError(
            f"Others can reach {host}, so say how: set ERRAND_HTTPS=1 behind a proxy that speaks TLS, or "
            "ERRAND_HTTPS=0 to send passwords and sessions unencrypted."
        )


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@click.command()
@click.option("--queues", default="default", show_default=True, metavar="A,B", help="The queues to work on.")
@click.option("--count", default=1, show_default=True, type=click.IntRange(1), help="How many processes.")
@click.option("--burst", is_flag=True, help="End when the queues are empty.")
@click.option(
    "--grace",
    default=60.0,
    show_default=True,
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="How long a run may go on after the worker was told to end.",
)
@click.option(
    "--name", default="", metavar="NAME", help="What its name begins with.  [default: the host's name]"
)
@click.option(
    "--labels",
    default="",
    metavar="A,B",
    help="What it says of itself, such as site=paris,ssd. It serves the queues that are called so, too.",
)
@click.option(
    "--exit-when-idle",
    type=click.IntRange(1),
    metavar="SECONDS",
    help="End when there was no run for so long, for machines that come and go.",
)
@click.option(
    "--exit-after",
    type=click.IntRange(1),
    metavar="RUNS",
    help="End after so many runs; with --count begin anew.",
)
@with_settings
def worker(
    settings: "Settings",
    queues: str,
    count: int,
    burst: bool,
    grace: float,
    name: str,
    labels: str,
    exit_when_idle: int | None,
    exit_after: int | None,
) -> None:
    """Execute runs from the queues."""
    work(
        settings,
        queues,
        count,
        burst=burst,
        grace=grace,
        name=name,
        labels=checked_labels(labels),
        idle_seconds=exit_when_idle,
        most_runs=exit_after,
    )


#: What a worker may be called, and one of its labels.
_WORKER_NAME = re.compile(r"[A-Za-z0-9._-]{0,60}")
_LABEL = re.compile(r"[A-Za-z0-9._/-]{1,60}(=[A-Za-z0-9._/-]{1,60})?")
MOST_LABELS = 20


def checked_labels(given: str) -> list[str]:
    """Return labels, each once. Raises BadParameter."""
    labels = list(dict.fromkeys(label.strip() for label in given.split(",") if label.strip()))
    for label in labels:
        if not _LABEL.fullmatch(label):
            raise click.BadParameter(
                f"{label!r} is no label: write a word, or name=value, of letters, digits and . _ - /",
                param_hint="--labels",
            )
    if len(labels) > MOST_LABELS:
        raise click.BadParameter(f"Give at most {MOST_LABELS}.", param_hint="--labels")
    return labels


def work(
    settings: "Settings",
    queues: str,
    count: int,
    *,
    burst: bool = False,
    grace: float = 60.0,
    name: str = "",
    labels: Sequence[str] = (),
    idle_seconds: int | None = None,
    most_runs: int | None = None,
) -> None:
    """Be a worker, or see that `count` of them go on, until told to end."""
    from worker.keyring import private_keys
    from worker.known_secrets import known_secrets
    from worker.redaction import load_rules

    if not _WORKER_NAME.fullmatch(name):
        raise click.BadParameter("Use letters, digits and . _ - only.", param_hint="--name")
    names = [each.strip() for each in queues.split(",") if each.strip()]
    if not names:
        raise click.BadParameter("Name at least one queue.", param_hint="--queues")
    # What is wrong with them is told here, not by each process again and again.
    load_rules(settings.redaction_file)
    known_secrets(settings)
    private_keys(settings)
    refuse_behind(settings)
    hand_on(settings)
    if count > 1:
        more = ["--name", name, "--labels", ",".join(labels)]
        more += ["--exit-when-idle", str(idle_seconds)] if idle_seconds else []
        more += ["--exit-after", str(most_runs)] if most_runs else []
        over = burst or idle_seconds is not None
        supervise_workers(names, count, burst=burst, grace_seconds=grace, more=more, restart=not over)
        return
    from worker.run_worker import main

    wait_for_redis(settings, patient=not burst)
    warn_of_key(settings)
    # Who asks for a label asks for the queue that is called so: those who have it serve it, too.
    served = list(dict.fromkeys([*names, *labels]))
    main(
        settings,
        served,
        burst=burst,
        stop_grace_seconds=grace,
        name=name,
        labels=labels,
        most_runs=most_runs,
        idle_seconds=idle_seconds,
    )


def wait_for_redis(settings: "Settings", *, patient: bool) -> None:
    """Wait until there is a Redis to take work from; who is not patient gives up at once."""
    from store.urls import without_password
    from worker.queues import queue_trouble

    shown = without_password(settings.redis_url)
    where = "started by ./errand up" if settings.embedded_redis else f"named in REDIS_URL, {shown},"
    said = ""
    while trouble := queue_trouble(settings, writing=True):
        if not patient:
            raise click.ClickException(f"The Redis {where} cannot be used: {trouble}.")
        # Again when it is another trouble: a server that is up now may not know our password.
        if trouble != said:
            click.echo(f"The Redis {where} cannot be used: {trouble}. Waiting for it.", err=True)
            said = trouble
        time.sleep(1)


def warn_of_key(settings: "Settings") -> None:
    """Say that this machine cannot open what is sealed; a database that is away is no reason not to begin."""
    from sqlalchemy.exc import DBAPIError

    from store.platform import Platform
    from worker.keyring import what_is_missing

    platform = Platform(settings.database_url)
    try:
        with platform.reading() as db:
            missing = what_is_missing(db, settings)
    except DBAPIError:
        missing = None
    finally:
        platform.dispose()
    if missing:
        click.echo(missing, err=True)


def supervise_workers(
    queues: list[str],
    count: int,
    *,
    burst: bool,
    grace_seconds: float,
    more: Sequence[str] = (),
    restart: bool = True,
) -> None:
    end_on_signals()
    supervisor = Supervisor(grace_seconds=grace_seconds + SETTLE_SECONDS)
    try:
        programs = worker_programs(
            queues,
            count,
            dict(os.environ),
            burst=burst,
            grace_seconds=grace_seconds,
            more=more,
            restart=restart,
        )
        supervisor.start(*programs)
        supervisor.run()
    except KeyboardInterrupt:
        pass
    finally:
        supervisor.stop()


def worker_programs(
    queues: list[str],
    count: int,
    environment: dict[str, str],
    *,
    burst: bool = False,
    grace_seconds: float,
    more: Sequence[str] = (),
    restart: bool = True,
) -> list[Program]:
    options = [
        "--queues",
        ",".join(queues),
        "--grace",
        f"{grace_seconds:g}",
        *(["--burst"] if burst else []),
        *more,
    ]
    return [
        Program(
            f"worker-{number}",
            ours=["worker", *options],
            environment=environment,
            # A worker that is asked to end waits for its run, and nobody would be left to lose patience.
            orphan_signal=signal.SIGKILL,
            restart=restart and not burst,
        )
        for number in range(1, count + 1)
    ]


@click.command()
@with_settings
def scheduler(settings: "Settings") -> None:
    """Watch over runs and put right what was lost."""
    from worker.scheduler import main

    refuse_behind(settings)
    hand_on(settings)
    main(settings)


def hand_on(settings: "Settings") -> None:
    """Put the settings into the environment, for the processes that this one will start."""
    from store.settings import environment

    os.environ.update(environment(settings))


def without_worker_key(environment: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name != "WORKER_KEY"}


def end_on_signals() -> None:
    """Let SIGTERM, and the end of the terminal, do what Ctrl-C does: raise KeyboardInterrupt."""
    last = float("-inf")

    def interrupt(_number: int, _frame: object) -> None:
        nonlocal last
        # Some wrappers pass on a Ctrl-C that the terminal has sent us as well: that is one, not two.
        if time.monotonic() - last >= 1:
            last = time.monotonic()
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
    # Whoever started us under nohup wants us to outlive the terminal.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, interrupt)
