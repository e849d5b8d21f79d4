"""`./errand run`: a run whose inputs are asked for, and whose log is followed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from webapp.cli import Place, with_place, with_run_options
from webapp.cli.completion import a_job
from webapp.cli.platform import open_platform

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from store.models import JobRecord, JobResult, User
    from store.platform import Platform
    from store.settings import Settings
    from webapp.cli.following import Interrupts
    from worker.run_options import RunOptions


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says of the run."""

    class_path: str
    pairs: Sequence[str]
    data: str | None
    preset: str | None
    commit: bool | None
    queue: str | None
    yes: bool
    follow: bool
    as_json: bool
    options: "RunOptions"

    def inputs(self, variables: Sequence[Mapping[str, Any]], presets: Mapping[str, Any]) -> dict[str, Any]:
        from webapp.cli.asking import from_json, from_pairs, from_preset

        preset = from_preset(presets, self.preset)
        return {**preset, **from_json(self.data), **from_pairs(variables, self.pairs)}

    def say(self, result: Mapping[str, Any]) -> None:
        """Print of a result what is not its log."""
        from webapp.cli.printing import print_json

        if self.as_json:
            print_json(result)
        elif not self.follow:
            click.echo(result["id"])


@click.command()
@click.argument("class_path", shell_complete=a_job)
@click.argument("pairs", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--data", "-d", metavar="JSON", help='Inputs as JSON, as in \'{"name": "value"}\'.')
@click.option("--preset", metavar="NAME", help="Inputs that the job's author suggests under a name.")
@click.option("--commit/--no-commit", default=None, help="Save changes, or not.  [default: the job's own]")
@click.option("--queue", metavar="NAME", help="The queue to wait on.  [default: the job's first]")
@click.option("--yes", "-y", is_flag=True, help="Ask nothing: what is not given takes its default.")
@click.option(
    "--wait/--no-wait",
    " /--no-follow",
    "follow",
    default=True,
    help="Follow the run to its end, or print its id and leave it.  [default: wait]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result alone, as the API answers it.")
@with_run_options
@with_place
def run(place: Place, **given: Any) -> None:
    """Run a job: ask for the inputs that are not given, follow its log, and print its report.

    Without a terminal nothing is asked: what is not given takes its default. Nor is anything asked for a portal
    elsewhere. A file is named by its path, or by @ and its path. Ctrl-C cancels the run; a second one leaves it. The
    exit code is 0 when the run completed, 1 failed, 3 errored, 4 canceled or denied; 2 when there was none.
    """
    from webapp.cli.asking import refusals
    from webapp.cli.reading import EXIT_CODES

    asked = Asked(**given)
    with refusals():
        if place.elsewhere is not None:
            from webapp.cli.run_elsewhere import run_elsewhere

            result = run_elsewhere(place.elsewhere, asked)
        else:
            result = _run_here(place.settings, asked, place.username)
    asked.say(result)
    if asked.follow:
        raise SystemExit(EXIT_CODES[result["status"]])


def _run_here(settings: "Settings", asked: Asked, username: str | None) -> Mapping[str, Any]:
    """See a run through, and return its result as the API has it."""
    from store.permissions import require
    from webapp.api.shapes.results import result as shape
    from webapp.cli.asking import runnable_job
    from webapp.cli.following import Interrupts
    from webapp.cli.prompts import at_a_terminal
    from worker.submit import submit

    with open_platform(settings) as platform:
        job = runnable_job(platform, settings, asked.class_path)
        with platform.reading() as db:
            user = who(db, username)
            require(user, "run", job)
        given = asked.inputs(job.variables, job.presets)

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
                        commit=asked.commit,
                        queue=asked.queue,
                        options=asked.options,
                    )
                if not asked.follow:
                    return stored
                return _followed(platform, settings, user, stored, interrupts, quiet=asked.as_json)

        if at_a_terminal() and not asked.yes:
            result = _asked(settings, job, user, given, asked.commit, through)
        else:
            result = through(given)
        return shape(result)


def who(db: "Session", username: str | None) -> "User":
    """Return whose act it is that somebody at this machine asks for."""
    from sqlalchemy import select

    from store.models import User
    from webapp.cli.asking import Refused, active_user

    if username:
        return active_user(db, username)
    superusers = db.scalars(select(User).where(User.superuser, User.active).limit(2)).all()
    if len(superusers) != 1:
        raise Refused("Say as whom you do this: --username NAME, or the variable ERRAND_USER.")
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

    questions = Questions(settings, job, username=user.username, data_files=lambda: _data_files(settings))
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


def _data_files(settings: "Settings") -> Sequence[str]:
    from worker.data_files import choices

    with open_platform(settings) as platform:
        return choices(platform.engine, None)


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
    platform: "Platform",
    settings: "Settings",
    user: "User",
    result: "JobResult",
    interrupts: "Interrupts",
    *,
    quiet: bool,
) -> "JobResult":
    from webapp.cli.asking import tell
    from webapp.cli.following import Following
    from webapp.cli.reading import INTERRUPTED, Reading
    from worker.cancel import cancel

    tell(f"Run {result.id} of {result.name}, as {user.username}")
    reading = Reading()
    following = Following(
        platform,
        result.id,
        interrupts,
        cancel=lambda db, found: cancel(db, settings, found, user),
        show=None if quiet else reading.entry,
        look=None if quiet else lambda seen: reading.progress(seen.progress),
    )
    try:
        result = following.until_final()
    except KeyboardInterrupt:
        tell(f"Left. Its result is {result.id}.")
        raise SystemExit(INTERRUPTED) from None
    finally:
        reading.close()
    if not quiet:
        report = _report_of(platform, result)
        reading.end(result.status, result.cause, result.duration_seconds, result.output, report=report)
    return result


def _report_of(platform: "Platform", result: "JobResult") -> str:
    """Return the report of a run as text; "" where it has none."""
    from store.models import RunReport
    from store.reports.files import as_text

    with platform.reading() as db:
        report = db.get(RunReport, result.id)
        return as_text(report.data) if report is not None else ""
