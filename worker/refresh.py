"""Refresh: what discovery found becomes job records."""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, and_, delete, not_, or_, select
from sqlalchemy.orm import Session

from jobs.describe import LONGEST_NAME
from jobs.loading import Source
from store.models import GIT, JobRecord, JobSource, LoadError, Namespace, now
from store.settings import Settings
from store.text import clean_text
from worker.awaited_jobs import adopt
from worker.commits import Commits
from worker.discover import MODULE_SECONDS, Found, discover
from worker.form_templates import kept_template
from worker.overrides import take_from_code
from worker.snapshots import MOST_FILE_BYTES, Snapshot, TooLarge, keep, remove_old, take
from worker.sources import is_here, job_sources

#: Of a long list of files, so many are named.
MOST_NAMED = 5


@dataclass
class RefreshReport:
    """What a refresh found."""

    jobs: int = 0
    new: list[str] = field(default_factory=list)
    #: Class paths whose class is not there any more.
    gone: list[str] = field(default_factory=list)
    errors: list[LoadError] = field(default_factory=list)
    #: Sentences about whole sources and about form templates, which hinder no job on this machine.
    notes: list[str] = field(default_factory=list)


def refresh(
    db: Session, settings: Settings, *, enable_new: bool = False, module_seconds: float = MODULE_SECONDS
) -> RefreshReport:
    """Look at folders and plugins again and bring the records of their jobs up to date. Commits `db`.

    Git repositories are looked at by themselves (see worker.syncs): what came from them stays as it is.

    enable_new: enable the jobs seen for the first time; otherwise they wait for an admin.
    """
    sources = job_sources(settings)
    # What the caller has read so far must not keep SQLite's only write turn while files load.
    db.commit()
    found = discover(sources, plugins=settings.plugins, module_seconds=module_seconds)
    snapshots, notes = _take_snapshots(sources)
    commits = Commits(folder for source in sources for folder in source.folders)
    return store_found(
        db, sources, found, enable_new=enable_new, snapshots=snapshots, notes=notes, commits=commits
    )


def refresh_module(db: Session, settings: Settings, source: Source, module: str) -> RefreshReport:
    """Look at one module of a source again, and bring the records of its jobs up to date. Commits `db`."""
    db.commit()
    seen = discover([source], plugins=settings.plugins, only=[[source.name, module]])
    found = [each for each in seen if each.module == module]
    commits = Commits(source.folders)
    report = store_records(db, found, commits=commits, within=(source.name, module))
    db.commit()
    return report


def store_found(
    db: Session,
    sources: list[Source],
    found: list[Found],
    *,
    enable_new: bool = False,
    snapshots: Sequence[Snapshot] = (),
    notes: Mapping[str, str] | None = None,
    commits: Commits | None = None,
) -> RefreshReport:
    """Bring the records up to what discovery found. Commits `db`.

    notes: {source name: sentence}.
    """
    elsewhere = _elsewhere(db, sources)
    report = store_records(db, found, kept=elsewhere.keys(), enable_new=enable_new, commits=commits)
    keep(db, snapshots)
    report.notes += _store_sources(db, sources, elsewhere, snapshots, notes or {})
    remove_old(db)
    db.commit()
    return report


def _take_snapshots(sources: list[Source]) -> tuple[list[Snapshot], dict[str, str]]:
    """Take a snapshot of each source that has files; return them, and a sentence about each that lacks some."""
    snapshots = []
    notes = {}
    for source in sources:
        try:
            snapshot = take(source)
        except TooLarge as error:
            notes[source.name] = str(error)
            continue
        if snapshot is not None:
            snapshots.append(snapshot)
            if snapshot.left_out:
                notes[source.name] = left_out(snapshot)
    return snapshots, notes


def left_out(snapshot: Snapshot) -> str:
    count = len(snapshot.left_out)
    names = ", ".join(name.partition("/")[2] for name in snapshot.left_out[:MOST_NAMED])
    more = f" and {count - MOST_NAMED} more" if count > MOST_NAMED else ""
    return clean_text(
        f"Workers on other machines do not get these files of {snapshot.source}, which are larger than "
        f"{MOST_FILE_BYTES >> 20} MB, cannot be read or are links to other folders: {names}{more}."
    )


def _elsewhere(db: Session, sources: list[Source]) -> dict[str, JobSource]:
    """Return what is known of the sources whose files are on another machine: what is not seen here is not gone."""
    absent = [source.name for source in sources if source.folders and not is_here(source)]
    known = db.scalars(select(JobSource).where(JobSource.name.in_(absent), JobSource.digest != ""))
    return {row.name: row for row in known}


def _part(
    model: type[JobRecord] | type[LoadError] | type[Namespace], within: tuple[str, ...]
) -> ColumnElement[bool]:
    """Return what holds for the rows of a source, or of one of its modules; without either, of all but git's."""
    if not within:
        return not_(model.source.startswith(GIT, autoescape=True))
    return and_(*(column == name for column, name in zip((model.source, model.module), within, strict=False)))


def store_records(
    db: Session,
    found: list[Found],
    *,
    kept: Collection[str] = (),
    enable_new: bool = False,
    commits: Commits | None = None,
    within: tuple[str, ...] = (),
) -> RefreshReport:
    """Bring the records up to what was found: all but git's; those of a (source,), or of a (source, module), alone."""
    report = RefreshReport()
    moment = now()
    known = select(JobRecord).where(_part(JobRecord, within))
    # As they are now, and nobody else may change them meanwhile: an administrator may be at it.
    current = known.with_for_update().execution_options(populate_existing=True)
    records = {record.class_path: record for record in db.scalars(current)}
    described = {
        f"{module.source}/{module.module}/{job['class_name']}": (module, job)
        for module in found
        for job in module.jobs
    }
    taken = _names_of_others(db, kept, within)
    names = _distinct_names({class_path: job for class_path, (_, job) in described.items()}, taken)
    for class_path, (module, job) in described.items():
        record = records.get(class_path)
        if record is None:
            record = JobRecord(
                class_path=class_path, source=module.source, module=module.module, enabled=enable_new
            )
            db.add(record)
            report.new.append(class_path)
        template = kept_template(job["form_template"], module.source)
        for name, value in {**job, "form_template": template}.items():
            setattr(record, name, value)
        take_from_code(record, {**job, "name": names[class_path]})
        record.code_digest = module.digest
        record.siblings = module.siblings
        record.code_commit = commits.of(module.path) if commits else ""
        record.installed = True
        record.refreshed_at = moment
        if template.get("error"):
            report.notes.append(
                f"The form of {class_path} is the plain one: {template['name']}: {template['error']}"
            )
    for class_path, record in records.items():
        if class_path not in described and record.installed and record.source not in kept:
            record.installed = False
            report.gone.append(class_path)
    report.jobs = len(described)
    rows = [
        LoadError(
            source=module.source,
            module=module.module,
            path=module.path,
            seen_at=moment,
            advice=advice,
            **said,
        )
        for module in found
        for advice, sentences in ((False, module.errors), (True, module.advice))
        for said in sentences
    ]
    report.errors = [row for row in rows if not row.advice]
    db.execute(delete(LoadError).where(_part(LoadError, within)))
    db.add_all(rows)
    _store_namespaces(db, found, kept, within)
    db.flush()
    adopt(db)
    return report


def _store_namespaces(
    db: Session, found: Sequence[Found], kept: Collection[str], within: tuple[str, ...]
) -> None:
    """Write anew what modules say of their commands in Slack."""
    db.execute(delete(Namespace).where(_part(Namespace, within), Namespace.source.not_in(kept)))
    db.add_all(
        Namespace(
            source=module.source,
            module=module.module,
            name=said["name"],
            description=said["description"],
            restricted=said["restricted"],
            default_channel=said["default_channel"],
        )
        for module in found
        for said in module.namespaces
    )


def _names_of_others(db: Session, kept: Collection[str], within: tuple[str, ...]) -> set[tuple[str, str]]:
    """Return {(grouping, name)} of the jobs that stay as they are."""
    others = or_(JobRecord.source.in_(kept), not_(_part(JobRecord, within)))
    names = select(JobRecord.grouping, JobRecord.name).where(JobRecord.installed, others)
    return {(grouping, name) for grouping, name in db.execute(names)}


def _distinct_names(
    jobs: Mapping[str, Mapping[str, str]], taken: Collection[tuple[str, str]]
) -> dict[str, str]:
    """Return the jobs' names; of several with one name in one group all but the first get a number, as in Nautobot.

    taken: (grouping, name) of other jobs.
    """
    names: dict[str, str] = {}
    taken = set(taken)
    for class_path, job in sorted(jobs.items()):
        name, number = job["name"], 1
        while (job["grouping"], name) in taken:
            number += 1
            suffix = f" ({number})"
            name = job["name"][: LONGEST_NAME - len(suffix)] + suffix
        taken.add((job["grouping"], name))
        names[class_path] = name
    return names


def _store_sources(
    db: Session,
    sources: list[Source],
    elsewhere: Mapping[str, JobSource],
    snapshots: Sequence[Snapshot],
    notes: Mapping[str, str],
) -> list[str]:
    """Write the sources anew, but for those elsewhere; return what there is to say about them."""
    digests = {snapshot.source: snapshot.digest for snapshot in snapshots}
    said = []
    db.execute(delete(JobSource).where(JobSource.kind != "git", JobSource.name.not_in(list(elsewhere))))
    for source in sources:
        location = os.pathsep.join(source.folders or source.modules)
        if source.name in elsewhere:
            said.append(
                f"{location} is not on this machine: the jobs of {source.name} stay as they were. "
                "Refresh where the files are; an empty folder here would remove them."
            )
            continue
        note = notes.get(source.name, "")
        db.add(
            JobSource(
                name=source.name,
                kind="folder" if source.folders else "plugin",
                location=location,
                digest=digests.get(source.name, ""),
                note=note,
                refreshed_at=now(),
            )
        )
        said += [note] if note else []
    # Written now, for whoever removes the snapshots that no source names.
    db.flush()
    return said
