"""What an admin does to the record of a job, beside overriding what its code says."""

from sqlalchemy.orm import Session

from store.audit import note
from store.models import JobRecord

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


def remove(db: Session, job: JobRecord) -> None:
    """Remove the record of a job whose class is gone; its results stay. The caller commits, and has asked."""
    note(db, "job.delete", job.class_path)
    db.delete(job)
