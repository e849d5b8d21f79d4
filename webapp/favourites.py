"""The jobs a person has given a star."""

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from store.models import Favourite, JobRecord
from webapp.auth import signed_in_user
from webapp.database import db


def favourite_paths() -> set[str]:
    """Return the class paths of the reader's favourites."""
    query = select(JobRecord.class_path).join(Favourite, Favourite.job_id == JobRecord.id)
    return set(db.session.scalars(query.where(Favourite.user_id == signed_in_user().id)))


def is_favourite(job: JobRecord) -> bool:
    return db.session.get(Favourite, (signed_in_user().id, job.id)) is not None


def mark(job: JobRecord, *, starred: bool) -> None:
    """Give the job the reader's star, or take it away. To do so twice changes nothing."""
    user_id, job_id = signed_in_user().id, job.id
    if not starred:
        of_both = (Favourite.user_id == user_id, Favourite.job_id == job_id)
        db.session.execute(delete(Favourite).where(*of_both))
    elif not is_favourite(job):
        db.session.add(Favourite(user_id=user_id, job_id=job_id))
    try:
        db.session.commit()
    except IntegrityError:
        # Pressed in two windows at once, or the job has just gone: either way there is nothing left to do.
        db.session.rollback()
