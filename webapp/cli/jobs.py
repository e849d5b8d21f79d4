"""`./errand jobs`: which jobs there are, and which may be run."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from webapp.cli import with_settings
from webapp.cli.platform import did_you_mean, find_job, platform_session

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from store.models import JobRecord, LoadError
    from store.settings import Settings


#: Of a value, in a line; `--json` has all of it.
SHOWN_CHARACTERS = 200


@click.group()
def jobs() -> None:
    """List, refresh, enable and disable jobs; list and delete what they keep."""


@jobs.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of jobs, shaped as in the API.")
@with_settings
def list_jobs(settings: "Settings", as_json: bool) -> None:
    """List jobs, one a line: class path, state, name."""
    with platform_session(settings) as session:
        records = _all(session)
        text = _as_json(records) if as_json else _as_lines(records)
    # Printed only now: a slow reader of our output must not hold the database.
    click.echo(text, nl=False)


@jobs.command()
@with_settings
def refresh(settings: "Settings") -> None:
    """Look for jobs in all sources and keep what they say of themselves.

    A file that cannot be loaded is named on standard error and hides no other; the exit code is 1 as
    long as there is one.
    """
    from worker.refresh import refresh as refresh_records

    with platform_session(settings) as session:
        report = refresh_records(session, settings)
        lines = [_error_line(error) for error in report.errors]
    click.echo(f"{_count(report.jobs, 'job')}, {len(report.new)} new.")
    for note in report.notes:
        click.echo(note, err=True)
    for line in lines:
        click.echo(line, err=True)
    if lines:
        raise SystemExit(1)


@jobs.command()
@click.argument("class_paths", nargs=-1, metavar="CLASS_PATH...")
@click.option("--all", "every", is_flag=True, help="Every job that is installed.")
@with_settings
def enable(settings: "Settings", class_paths: Sequence[str], every: bool) -> None:
    """Let jobs be run."""
    _switch(settings, class_paths, every=every, enabled=True)


@jobs.command()
@click.argument("class_paths", nargs=-1, metavar="CLASS_PATH...")
@click.option("--all", "every", is_flag=True, help="Every job.")
@with_settings
def disable(settings: "Settings", class_paths: Sequence[str], every: bool) -> None:
    """Let jobs not be run any more."""
    _switch(settings, class_paths, every=every, enabled=False)


@jobs.command()
@click.argument("class_path", metavar="CLASS_PATH")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of values, shaped as in the API.")
@click.option("--delete", "keys", multiple=True, metavar="KEY", help="Delete the value of this key instead.")
@click.option("--delete-all", is_flag=True, help="Delete all that the job keeps instead.")
@with_settings
def values(
    settings: "Settings", class_path: str, as_json: bool, keys: Sequence[str], delete_all: bool
) -> None:
    """List what a job keeps between its runs, one value a line: key, bytes, time, JSON."""
    if as_json + bool(keys) + delete_all > 1:
        raise click.UsageError("Give one of --json, --delete and --delete-all.")
    with platform_session(settings) as session:
        job = find_job(session, class_path)
        if keys or delete_all:
            count = _forget(session, job, keys)
            text = ""
        else:
            text = _values_as_json(session, job) if as_json else _values_as_lines(session, job)
    click.echo(text, nl=False)
    if keys or delete_all:
        click.echo(f"Deleted {_count(count, 'value')}.", err=True)


def _forget(session: "Session", job: "JobRecord", keys: Sequence[str]) -> int:
    """Delete these values, or none of them when one is not there; without keys, all."""
    from worker.kept_values import MOST_KEYS, find_kept, forget, forget_all, list_kept

    if not keys:
        return forget_all(session, job.class_path)
    for key in keys:
        if find_kept(session, job.class_path, key) is None:
            known = [row.key for row in list_kept(session, job.class_path, limit=MOST_KEYS, characters=0)[0]]
            raise click.ClickException(f"{job.class_path} keeps no value {key!r}.{did_you_mean(key, known)}")
    return sum(forget(session, job.class_path, key) for key in set(keys))


def _values_as_json(session: "Session", job: "JobRecord") -> str:
    from webapp.api.shapes import jobs as shapes
    from worker.kept_values import MOST_KEYS, are_hidden, list_kept

    hidden = are_hidden(job)
    rows, _ = list_kept(session, job.class_path, limit=MOST_KEYS, characters=0 if hidden else None)
    return json.dumps([shapes.kept(row, hidden=hidden) for row in rows], indent=2) + "\n"


def _values_as_lines(session: "Session", job: "JobRecord") -> str:
    from webapp.api.shapes import time
    from worker.kept_values import HIDDEN, MOST_KEYS, are_hidden, list_kept

    hidden = are_hidden(job)
    rows, _ = list_kept(
        session, job.class_path, limit=MOST_KEYS, characters=0 if hidden else SHOWN_CHARACTERS
    )
    if hidden:
        click.echo(HIDDEN, err=True)
        return "".join(f"{_in_a_line(row.key)}\t\t{time(row.updated_at)}\t\n" for row in rows)
    return "".join(
        f"{_in_a_line(row.key)}\t{row.size_bytes}\t{time(row.updated_at)}\t{_in_a_line(row.shown)}\n"
        for row in rows
    )


def _in_a_line(text: str) -> str:
    from store.text import entry_text

    return " ".join(entry_text(text).split())


def _switch(settings: "Settings", class_paths: Sequence[str], *, every: bool, enabled: bool) -> None:
    from worker.job_records import switch

    if every == bool(class_paths):
        raise click.UsageError("Name the class paths of jobs, or give --all.")
    with platform_session(settings) as session:
        if every:
            chosen = [record for record in _all(session) if record.installed or not enabled]
        else:
            chosen = _named(session, class_paths)
        changed = [record for record in chosen if record.enabled != enabled]
        for record in changed:
            switch(session, record, enabled=enabled)
        session.commit()
    click.echo(f"{'Enabled' if enabled else 'Disabled'} {_count(len(changed), 'job')}.", err=True)


def _named(session: "Session", class_paths: Sequence[str]) -> "list[JobRecord]":
    """Return these jobs, or none of them when one is not known: a half-done command is hard to repeat."""
    return [find_job(session, class_path) for class_path in class_paths]


def _all(session: "Session") -> "list[JobRecord]":
    from sqlalchemy import select

    from store.models import JobRecord

    return list(session.scalars(select(JobRecord).order_by(JobRecord.class_path)))


def _as_json(records: "Sequence[JobRecord]") -> str:
    from webapp.api.shapes import jobs as shapes

    return json.dumps([shapes.job(record) for record in records], indent=2) + "\n"


def _as_lines(records: "Sequence[JobRecord]") -> str:
    return "".join(f"{record.class_path}\t{_state(record)}\t{record.name}\n" for record in records)


def _state(record: "JobRecord") -> str:
    if not record.installed:
        return "not installed"
    return "enabled" if record.enabled else "disabled"


def _error_line(error: "LoadError") -> str:
    # Most messages name the file themselves.
    return error.message if error.path in error.message else f"{error.path}: {error.message}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
