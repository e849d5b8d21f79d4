"""Refresh: what discovery found becomes job records."""

import os
from dataclasses import dataclass, field

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from jobs.loading import Source
from store.models import JobRecord, JobSource, LoadError, now
from store.settings import Settings
from worker.discover import MODULE_SECONDS, Found, discover
from worker.sources import job_sources


@dataclass
class RefreshReport:
    """What a refresh found."""

    jobs: int = 0
    new: list[str] = field(default_factory=list)
    #: Class paths whose class is not there any more.
    gone: list[str] = field(default_factory=list)
    errors: list[LoadError] = field(default_factory=list)


def refresh(
    db: Session, settings: Settings, *, enable_new: bool = False, module_seconds: float = MODULE_SECONDS
) -> RefreshReport:
    """Look at all sources again and bring the job records up to date. Commits `db`.

    enable_new: enable the jobs seen for the first time; otherwise they wait for an admin.
    """
    sources = job_sources(settings)
    # What the caller has read so far must not keep SQLite's only write turn while files load.
    db.commit()
    found = discover(sources, module_seconds=module_seconds)
    return store_found(db, sources, found, enable_new=enable_new)


def store_found(
    db: Session, sources: list[Source], found: list[Found], *, enable_new: bool = False
) -> RefreshReport:
    """Bring the records up to what discovery found. Commits `db`."""
    report = _store_records(db, found, enable_new=enable_new)
    _store_sources(db, sources)
    db.commit()
    return report


def _store_records(db: Session, found: list[Found], *, enable_new: bool) -> RefreshReport:
    report = RefreshReport()
    moment = now()
    records = {record.class_path: record for record in db.scalars(select(JobRecord))}
    described = {
        f"{module.source}/{module.module}/{job['class_name']}": (module, job)
        for module in found
        for job in module.jobs
    }
    for class_path, (module, job) in described.items():
        record = records.get(class_path)
        if record is None:
            record = JobRecord(
                class_path=class_path, source=module.source, module=module.module, enabled=enable_new
            )
            db.add(record)
            report.new.append(class_path)
        for name, value in job.items():
            setattr(record, name, value)
        record.code_digest = module.digest
        record.installed = True
        record.refreshed_at = moment
    for class_path, record in records.items():
        if class_path not in described and record.installed:
            record.installed = False
            report.gone.append(class_path)
    report.jobs = len(described)
    report.errors = [
        LoadError(source=module.source, module=module.module, path=module.path, seen_at=moment, **error)
        for module in found
        for error in module.errors
    ]
    db.execute(delete(LoadError))
    db.add_all(report.errors)
    return report


def _store_sources(db: Session, sources: list[Source]) -> None:
    db.execute(delete(JobSource))
    for source in sources:
        db.add(
            JobSource(
                name=source.name,
                kind="folder" if source.folders else "plugin",
                location=os.pathsep.join(source.folders or source.modules),
                refreshed_at=now(),
            )
        )
