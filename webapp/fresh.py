"""Jobs as their files have them now."""

from collections.abc import Callable

from flask import current_app
from sqlalchemy.orm import Session, object_session

from store.models import JobRecord
from webapp.database import db
from worker.freshness import catch_up, is_behind

Find = Callable[[], JobRecord | None]


def fresh(find: Find) -> JobRecord | None:
    """Return what `find` finds; where its file was edited, after its record has come up to it."""
    job = find()
    settings = current_app.extensions["errand"].settings
    if job is None or not is_behind(settings, job):
        return job
    with Session(db.engine) as session:
        catch_up(session, settings, session.get_one(JobRecord, job.id))
    if (reading := object_session(job)) is not None:
        # What it has read so far, it would go on reading: SQLite shows a transaction what was there at its begin.
        reading.commit()
        reading.expire(job)
    return find()
