"""`./errand runjob`: a run as Nautobot's command of this name makes and reports it."""

import signal
from typing import TYPE_CHECKING, Any

import click

from webapp.cli import with_run_options, with_settings
from webapp.cli.platform import did_you_mean, open_platform

if TYPE_CHECKING:
    from uuid import UUID

    from store.models import JobRecord, JobResult, User
    from store.platform import Platform
    from store.settings import Settings
    from webapp.cli.following import Interrupts
    from worker.local_worker import LocalWorker
    from worker.run_options import RunOptions


@click.command()
@click.argument("class_path")
@click.option("--username", "-u", metavar="NAME", help="Whose run it is. Needed with --commit.")
@click.option("--commit", is_flag=True, help="Save changes; without it the run is a dry run.")
@click.option("--local", "-l", is_flag=True, help="Execute it in this command: without a worker and Redis.")
@click.option("--data", "-d", metavar="JSON", help='The inputs, as in \'{"name": "value"}\'.')
@click.option("--exit-code", is_flag=True, help="Exit with 1 unless the job succeeded.")
@with_run_options
@with_settings
def runjob(
    settings: "Settings",
    class_path: str,
    username: str | None,
    commit: bool,
    local: bool,
    data: str | None,
    exit_code: bool,
    options: "RunOptions",
) -> None:
    """Run a job, wait for its end, and print what it logged.

    Whoever may use this command may run every job that is enabled, in the name of any active user. The exit code is
    0 whatever became of the run, unless you say --exit-code; 2 when there was none.
    """
    from webapp.cli.asking import from_json, refusals, runnable_job

    if commit and not username:
        raise click.UsageError("--username is mandatory when --commit is used.")
    if "/" not in class_path:
        raise click.UsageError(f"Give the class path of a job, as in local/hello/Hello, not {class_path!r}.")
    with refusals(), open_platform(settings) as platform:
        user = _find_user(platform, username) if username else None
        raw = from_json(data)
        job = runnable_job(platform, settings, class_path)
        if job.always_commits and user is None:
            raise click.UsageError("--username is mandatory: this job always saves what it changes.")
        asked = None if job.always_commits else commit
        result = _run(platform, settings, job, user, raw, commit=asked, options=options, local=local)
    if exit_code and result.status != "completed":
        raise SystemExit(1)


def _find_user(platform: "Platform", username: str) -> "User":
    from sqlalchemy import select

    from store.models import User
    from webapp.cli.asking import Refused, active_user

    with platform.reading() as db:
        names = set(db.scalars(select(User.username)))
        if username not in names:
            raise Refused(f"No such user: {username!r}.{did_you_mean(username, names)}")
        return active_user(db, username)


def _run(
    platform: "Platform",
    settings: "Settings",
    job: "JobRecord",
    user: "User | None",
    raw: dict[str, Any],
    *,
    commit: bool | None,
    options: "RunOptions",
    local: bool,
) -> "JobResult":
    from webapp.cli.following import Interrupts
    from worker.local_worker import LocalWorker
    from worker.submit import submit

    # Before the row: nothing stands between that and its start then, and no queue comes to hear of it.
    worker = LocalWorker(settings, platform) if local else None
    also = (signal.SIGTERM, signal.SIGHUP) if worker else ()
    try:
        with Interrupts(*also, on_first=worker.look if worker else None) as interrupts:
            with platform.session() as db:
                result = submit(
                    db,
                    settings,
                    job=job,
                    raw=raw,
                    user=user,
                    permitted=True,
                    commit=commit,
                    options=options,
                    push=not local,
                )
            _say(f"Running {job.class_path}...")
            result = _ended(platform, settings, result.id, interrupts, worker)
    finally:
        if worker is not None:
            worker.close()
    _report(platform, result)
    return result


def _ended(
    platform: "Platform",
    settings: "Settings",
    result_id: "UUID",
    interrupts: "Interrupts",
    worker: "LocalWorker | None",
) -> "JobResult":
    """Wait for the end of the run, and return its row."""
    from webapp.cli.following import Following
    from webapp.cli.reading import INTERRUPTED
    from worker.cancel import cancel

    following = Following(
        platform,
        result_id,
        interrupts,
        cancel=lambda db, result: cancel(db, settings, result, None, permitted=True),
        worker=worker,
    )
    try:
        return following.until_final()
    except KeyboardInterrupt:
        click.echo(f"Left. Its result is {result_id}.", err=True)
        raise SystemExit(INTERRUPTED) from None


# --- What is printed ---


def _report(platform: "Platform", result: "JobResult") -> None:
    from store.models import Status
    from store.text import entry_text
    from webapp.cli.asking import tell

    _report_entries(platform, result.id)
    if output := entry_text(result.output).strip("\n"):
        click.echo(output)
    if result.status != Status.COMPLETED and result.cause:
        # The field's report has no place for it.
        tell(result.cause)
    state = "SUCCESS" if result.status == Status.COMPLETED else result.status.upper()
    minutes, seconds = divmod(result.duration_seconds or 0.0, 60)
    _say(f"{result.class_path}: {state}")
    _say(f"{result.class_path}: Duration {minutes:.0f} minutes, {seconds:.2f} seconds")
    _say("Finished")


def _report_entries(platform: "Platform", result_id: "UUID") -> None:
    from store.text import entry_text
    from webapp.cli.following import entries

    for grouping, counts in _counts(platform, result_id):
        told = ", ".join(f"{counts[level]} {level}" for level in ("success", "info", "warning", "failure"))
        click.echo(f"\t{_line(grouping)}: {told}")
        for entry in entries(platform, result_id, grouping=grouping):
            about = f"{_line(entry.object_text)}: " if entry.object_text else ""
            message = entry_text(entry.message).replace("\n", "\n\t\t\t")
            click.echo(f"\t\t{entry.level}: {about}{message}")


def _counts(platform: "Platform", result_id: "UUID") -> "list[tuple[str, dict[str, int]]]":
    """Return the groupings, sorted, and how many entries of each family they have."""
    from sqlalchemy import func, select

    from store.models import FAMILIES, FAMILY_OF, LogEntry

    query = (
        select(LogEntry.grouping, LogEntry.level, func.count())
        .where(LogEntry.result_id == result_id)
        .group_by(LogEntry.grouping, LogEntry.level)
    )
    counts: dict[str, dict[str, int]] = {}
    with platform.reading() as db:
        for grouping, level, number in db.execute(query):
            counts.setdefault(grouping, dict.fromkeys(FAMILIES, 0))[FAMILY_OF[level]] += number
    return sorted(counts.items())


def _line(text: str) -> str:
    from store.text import entry_text

    return " ".join(entry_text(text).split())


def _say(what: str) -> None:
    from store.models import now

    click.echo(f"[{now():%H:%M:%S}] {what}")
