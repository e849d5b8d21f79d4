"""What an administrator does with the records of jobs, by whichever way: enable, look for them again, remove."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.audit import note
from store.models import JobRecord, JobSource, User
from store.permissions import allowed, require, visible
from store.settings import Settings
from worker.refresh import RefreshReport, refresh


class StillInstalled(Exception):
    """The record of a job that is installed cannot be removed, as a sentence."""


def switch(db: Session, job: JobRecord, *, enabled: bool) -> None:
    """Let a job be run, or not any more. The caller commits."""
    before, job.enabled = job.enabled, enabled
    note(
        db,
        "job.enable" if enabled else "job.disable",
        job.class_path,
        before={"enabled": before},
        after={"enabled": enabled},
    )


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


def remove(db: Session, job: JobRecord) -> None:
    """Remove the record of a job whose class is gone. Its results stay. Commits `db`. Raises StillInstalled."""
    if job.installed:
        raise StillInstalled(
            f"{job.name} is installed: the next refresh would make its record again. Disable it instead."
        )
    note(db, "job.delete", job.class_path)
    db.delete(job)
    db.commit()


def refresh_as(db: Session, settings: Settings, user: User) -> RefreshReport:
    """Look for jobs in folders and plugins again, as somebody who may. Commits `db`."""
    require(user, "change", JobSource)
    # All of them are looked at; git repositories are by themselves.
    for source in db.scalars(select(JobSource).where(JobSource.kind != "git")):
        require(user, "change", source)
    return refresh(db, settings)
