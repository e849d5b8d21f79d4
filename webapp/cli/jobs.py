"""`./errand jobs`: which jobs there are, and which may be run."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from webapp.cli import Place, with_place, with_portal, with_settings
from webapp.cli.completion import a_job
from webapp.cli.platform import did_you_mean, find_job, platform_session

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from store.models import JobRecord
    from store.settings import Settings
    from webapp.cli.portal import Portal


#: Of a value, in a line; `--json` has all of it.
SHOWN_CHARACTERS = 200


@click.group()
def jobs() -> None:
    """List, show, refresh, enable and disable jobs; list and delete what they keep."""


@jobs.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of jobs, shaped as in the API.")
@with_portal
def list_jobs(portal: "Portal", as_json: bool) -> None:
    """List jobs, one a line: class path, state, name."""
    from webapp.cli.printing import show

    columns = (
        ("Job", lambda row: row["class_path"]),
        ("State", _state),
        ("Name", lambda row: row["name"]),
    )
    show(portal.every("/jobs"), columns, as_json=as_json)


@jobs.command("show")
@click.argument("class_path", metavar="CLASS_PATH", shell_complete=a_job)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as the API answers it.")
@with_portal
def show_job(portal: "Portal", class_path: str, as_json: bool) -> None:
    """Show a job: what it does, which inputs it takes."""
    from webapp.cli.printing import print_json, show_one

    found = portal.get(f"/jobs/{class_path}")
    if as_json:
        print_json(found)
    else:
        show_one(_facts(found))


@jobs.command()
@with_place
def refresh(place: Place) -> None:
    """Look for jobs in all sources and keep what they say of themselves.

    A file that cannot be loaded is named on standard error and hides no other; the exit code is 1 as
    long as there is one.
    """
    found = place.elsewhere.post("/jobs/refresh") if place.elsewhere else _refresh(place.settings)
    errors = [_error_line(error) for error in found["errors"]]
    click.echo(f"{_count(found['jobs'], 'job')}, {len(found['new'])} new.")
    for line in (*found["notes"], *errors):
        click.echo(line, err=True)
    if errors:
        raise SystemExit(1)


def _refresh(settings: "Settings") -> Mapping[str, Any]:
    """Return what was found, of the API's words what is printed of it."""
    from worker.refresh import refresh as refresh_records

    with platform_session(settings) as session:
        report = refresh_records(session, settings)
        errors = [{"path": error.path, "message": error.message} for error in report.errors]
        return {"jobs": report.jobs, "new": report.new, "notes": report.notes, "errors": errors}


@jobs.command()
@click.argument("class_paths", nargs=-1, metavar="CLASS_PATH...", shell_complete=a_job)
@click.option("--all", "every", is_flag=True, help="Every job that is installed.")
@with_place
def enable(place: Place, class_paths: Sequence[str], every: bool) -> None:
    """Let jobs be run."""
    _switch(place, class_paths, every=every, enabled=True)


@jobs.command()
@click.argument("class_paths", nargs=-1, metavar="CLASS_PATH...", shell_complete=a_job)
@click.option("--all", "every", is_flag=True, help="Every job.")
@with_place
def disable(place: Place, class_paths: Sequence[str], every: bool) -> None:
    """Let jobs not be run any more."""
    _switch(place, class_paths, every=every, enabled=False)


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


def _switch(place: Place, class_paths: Sequence[str], *, every: bool, enabled: bool) -> None:
    if every == bool(class_paths):
        raise click.UsageError("Name the class paths of jobs, or give --all.")
    if place.elsewhere is not None:
        changed = _switched_elsewhere(place.elsewhere, class_paths, enabled=enabled)
    else:
        changed = _switched(place.settings, class_paths, enabled=enabled)
    click.echo(f"{'Enabled' if enabled else 'Disabled'} {_count(changed, 'job')}.", err=True)


def _switched(settings: "Settings", class_paths: Sequence[str], *, enabled: bool) -> int:
    """Enable or disable these, or all; return how many were not before."""
    from worker.job_records import switch

    with platform_session(settings) as session:
        if class_paths:
            chosen = _named(session, class_paths)
        else:
            chosen = [record for record in _all(session) if record.installed or not enabled]
        changed = [record for record in chosen if record.enabled != enabled]
        for record in changed:
            switch(session, record, enabled=enabled)
        session.commit()
        return len(changed)


def _switched_elsewhere(portal: "Portal", class_paths: Sequence[str], *, enabled: bool) -> int:
    if class_paths:
        # All are looked at before one is changed: a half-done command is hard to repeat.
        chosen = [portal.get(f"/jobs/{class_path}") for class_path in class_paths]
    else:
        chosen = [job for job in portal.every("/jobs") if job["installed"] or not enabled]
    changed = [job for job in chosen if job["enabled"] != enabled]
    for job in changed:
        portal.patch(f"/jobs/{job['class_path']}", {"enabled": enabled})
    return len(changed)


def _named(session: "Session", class_paths: Sequence[str]) -> "list[JobRecord]":
    """Return these jobs, or none of them when one is not known: a half-done command is hard to repeat."""
    return [find_job(session, class_path) for class_path in class_paths]


def _all(session: "Session") -> "list[JobRecord]":
    from sqlalchemy import select

    from store.models import JobRecord

    return list(session.scalars(select(JobRecord).order_by(JobRecord.class_path)))


def _state(job: Mapping[str, Any]) -> str:
    if not job["installed"]:
        return "not installed"
    return "enabled" if job["enabled"] else "disabled"


def _facts(job: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return what somebody wants to know of a job who is about to run it."""
    return [
        ("job", job["class_path"]),
        ("name", job["name"]),
        ("grouping", job["grouping"]),
        ("state", _state(job)),
        ("description", job["description"].strip()),
        (
            "saves changes",
            "never" if job["read_only"] else "by itself" if job["commit_default"] else "if asked",
        ),
        ("needs approval", job["approval_required"] or None),
        ("queues", ", ".join(job["queues"])),
        ("presets", ", ".join(job["presets"])),
        *((f"input {each['name']}", _input(each)) for each in job["variables"]),
    ]


def _input(variable: Mapping[str, Any]) -> str:
    from jobs.variables import flat_choices

    parts = [variable.get("kind") or variable["type"]]
    if variable.get("required"):
        parts.append("required")
    if variable.get("default") not in (None, "", []):
        parts.append(f"else {json.dumps(variable['default'], ensure_ascii=False)}")
    if choices := [str(value) for value, _ in flat_choices(variable.get("choices") or ())]:
        parts.append(f"one of {', '.join(choices[:20])}{' ...' if len(choices) > 20 else ''}")
    if variable.get("description"):
        parts.append(variable["description"])
    return ", ".join(parts)


def _error_line(error: Mapping[str, Any]) -> str:
    # Most messages name the file themselves.
    said, path = str(error["message"]), str(error["path"])
    return said if path in said else f"{path}: {said}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
