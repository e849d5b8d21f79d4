"""What an admin does to the record of a job, beside overriding what its code says."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.audit import note
from store.models import JobRecord, JobSource, User
from store.permissions import allowed, require, visible
from store.settings import Settings
from worker.awaited_jobs import adopt
from worker.refresh import RefreshReport, refresh

INSTALLED = "{name} is installed: the next refresh would make its record again. Disable it instead."


def switch(db: Session, job: JobRecord, *, enabled: bool) -> None:
    """Say whether a job may be run at all. The caller commits, and has asked whether it may be changed."""
    before, job.enabled = job.enabled, enabled
    note(
        db,
        "job.enable" if enabled else "job.disable",
        job.class_path,
        before={"enabled": before},
        after={"enabled": enabled},
    )
    if enabled:
        adopt(db)


def remove(db: Session, job: JobRecord) -> None:
    """Remove the record of a job whose class is gone; its results stay. The caller commits, and has asked."""
    note(db, "job.delete", job.class_path)
    db.delete(job)


def enable_all(db: Session, user: User) -> list[JobRecord]:
    """Enable every job that is installed, of those that this person may change. Commits `db`; returns which."""
    require(user, "change", JobRecord)
    query = visible(select(JobRecord), user, JobRecord).order_by(JobRecord.class_path)
    waiting = db.scalars(query.where(JobRecord.installed, ~JobRecord.enabled)).all()
    chosen = [job for job in waiting if allowed(user, "change", job)]
    for job in chosen:
        switch(db, job, enabled=True)
    db.commit()
    return chosen


def refresh_as(db: Session, settings: Settings, user: User) -> RefreshReport:
    """Look for jobs in folders and plugins again, as somebody who may. Commits `db`."""
    require(user, "change", JobSource)
    # All of them are looked at; git repositories are by themselves.
    for source in db.scalars(select(JobSource).where(JobSource.kind != "git")):
        require(user, "change", source)
    return refresh(db, settings)
