"""`./errand run`: a run whose inputs are asked for, and whose log is followed."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from webapp.cli import with_run_options, with_settings
from webapp.cli.platform import open_platform

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from store.models import JobRecord, JobResult, User
    from store.platform import Platform
    from store.settings import Settings
    from webapp.cli.following import Interrupts
    from worker.run_options import RunOptions

#: By the state in which the run ended.
EXIT_CODES = {"completed": 0, "failed": 1, "errored": 3, "canceled": 4, "denied": 4}


@click.command()
@click.argument("class_path")
@click.argument("pairs", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--data", "-d", metavar="JSON", help='Inputs as JSON, as in \'{"name": "value"}\'.')
@click.option("--preset", metavar="NAME", help="Inputs that the job's author suggests under a name.")
@click.option(
    "--username",
    "-u",
    envvar="ERRAND_USER",
    metavar="NAME",
    help="Whose run it is.  [default: ERRAND_USER, or the only superuser]",
)
@click.option("--commit/--no-commit", default=None, help="Save changes, or not.  [default: the job's own]")
@click.option("--queue", metavar="NAME", help="The queue to wait on.  [default: the job's first]")
@click.option("--yes", "-y", is_flag=True, help="Ask nothing: what is not given takes its default.")
@click.option("--no-follow", is_flag=True, help="Print the id of the run, and do not wait for it.")
@with_run_options
@with_settings
def run(
    settings: "Settings",
    class_path: str,
    pairs: Sequence[str],
    data: str | None,
    preset: str | None,
    username: str | None,
    commit: bool | None,
    queue: str | None,
    yes: bool,
    no_follow: bool,
    options: "RunOptions",
) -> None:
    """Run a job: ask for the inputs that are not given, and follow its log.

    Without a terminal nothing is asked: what is not given takes its default. Ctrl-C cancels the run; a second one
    leaves it. The exit code is 0 when the run completed, 1 failed, 3 errored, 4 canceled or denied; 2 when there
    was none.
    """
    from store.permissions import require
    from webapp.cli.asking import from_json, from_pairs, from_preset, refusals, runnable_job
    from webapp.cli.following import Interrupts
    from webapp.cli.prompts import at_a_terminal
    from worker.submit import submit

    with refusals(), open_platform(settings) as platform:
        job = runnable_job(platform, settings, class_path)
        with platform.reading() as db:
            user = _who(db, username)
            require(user, "run", job)
        given = {**from_preset(job, preset), **from_json(data), **from_pairs(job.variables, pairs)}

        def through(raw: Mapping[str, Any]) -> "JobResult":
            # From before it is stored: no Ctrl-C may end this command between that and following it.
            with Interrupts() as interrupts:
                with platform.session() as db:
                    stored = submit(
                        db,
                        settings,
                        job=job,
                        raw=raw,
                        user=user,
                        commit=commit,
                        queue=queue,
                        options=options,
                    )
                return stored if no_follow else _followed(platform, settings, user, stored, interrupts)

        if at_a_terminal() and not yes:
            result = _asked(settings, job, user, given, commit, through)
        else:
            result = through(given)
    if no_follow:
        click.echo(result.id)
        return
    raise SystemExit(EXIT_CODES[result.status])


def _who(db: "Session", username: str | None) -> "User":
    from sqlalchemy import select

    from store.models import User
    from webapp.cli.asking import Refused, active_user

    if username:
        return active_user(db, username)
    superusers = db.scalars(select(User).where(User.superuser, User.active).limit(2)).all()
    if len(superusers) != 1:
        raise Refused("Say whose run it is: --username NAME, or the variable ERRAND_USER.")
    return superusers[0]


# --- Asking for inputs ---


def _asked(
    settings: "Settings",
    job: "JobRecord",
    user: "User",
    given: Mapping[str, Any],
    commit: bool | None,
    through: Callable[[Mapping[str, Any]], "JobResult"],
) -> "JobResult":
    """Ask for what is not given, until it fits, and see the run through."""
    from jobs.errors import InvalidData
    from webapp.cli.prompts import Prompts
    from worker.questions import Questions

    questions = Questions(settings, job, username=user.username)
    prompts = Prompts(settings, job.variables, questions, given)
    prompts.check_given()
    prompts.ask_all()
    while True:
        if prompts.answers:
            _confirm(job, user, commit)
        try:
            return through({**given, **prompts.answers})
        except InvalidData as error:
            if not prompts.ask_again(error):
                raise


def _confirm(job: "JobRecord", user: "User", commit: bool | None) -> None:
    from store.text import entry_text

    saves = not job.read_only and (job.commit_default if commit is None else commit)
    how = "" if saves or job.read_only else " as a dry run"
    question = f"Run {entry_text(job.name)}{how}, as {user.username}?"
    click.echo(err=True)
    if not click.confirm(question, default=True, err=True):
        raise click.Abort


# --- Following it ---


def _followed(
    platform: "Platform", settings: "Settings", user: "User", result: "JobResult", interrupts: "Interrupts"
) -> "JobResult":
    from webapp.cli.asking import tell
    from webapp.cli.following import INTERRUPTED, Following
    from worker.cancel import cancel

    tell(f"Run {result.id} of {result.name}, as {user.username}")
    following = Following(
        platform,
        result.id,
        interrupts,
        cancel=lambda db, found: cancel(db, settings, found, user),
        show=_show,
    )
    try:
        result = following.until_final()
    except KeyboardInterrupt:
        tell(f"Left. Its result is {result.id}.")
        raise SystemExit(INTERRUPTED) from None
    _show_end(result)
    return result


def _show(entry: Any) -> None:
    from store.text import entry_text

    # Further lines are indented, so that no message can pass for another entry.
    message = entry_text(entry.message).replace("\n", "\n    ")
    about = f" [{entry_text(entry.object_text)}]" if entry.object_text else ""
    grouping = " ".join(entry_text(entry.grouping).split())
    click.echo(f"{entry.created_at:%H:%M:%S} {entry.level} {grouping} {message}{about}")


def _show_end(result: "JobResult") -> None:
    from store.text import entry_text

    if output := entry_text(result.output).strip("\n"):
        click.echo(output)
    lasted = f" in {result.duration_seconds:.2f} seconds" if result.duration_seconds is not None else ""
    click.echo(f"{result.status}{lasted}: {entry_text(result.cause or '')}")
