"""What every page has around it: what runs now, how many requests wait, workers that were lost, and what is to be said to the reader."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from flask import Flask, g, session
from sqlalchemy import ColumnElement, func, literal, null, select, true
from sqlalchemy.orm import load_only

from store.models import Delivery, JobResult, Status, WorkerProcess, now
from store.permissions import visible
from webapp.advance import advance
from webapp.approval_requests import waiting
from webapp.auth import allowed, current_user, signed_in_user
from webapp.database import db
from webapp.notifications import to_be_shown
from worker.presence import LOST

MOST_RUNNING_SHOWN = 5
#: How long the loss of a worker counts as a problem.
LOST_IS_NEWS = timedelta(minutes=10)


class Frame(NamedTuple):
    running: Sequence[JobResult]
    #: Requests for an approval that wait for the reader to decide.
    waiting: int
    #: How many messages the reader is still to be shown, and the newest of them.
    unseen: int
    newest: int | None
    #: How many workers were lost lately; None: not for this reader.
    lost: int | None

    @property
    def facts(self) -> list[Any]:
        """All that it shows, as far as it changes, with the reader and the token of their session."""
        about = [session.get("csrf_token", ""), signed_in_user().id, *self[1:]]
        return about + [(run.id, run.name, run.started_at, percent_of(run)) for run in self.running]


def init_app(app: Flask) -> None:
    app.context_processor(lambda: {"frame": frame, "percent_of": percent_of})


def frame() -> Frame:
    """Return the frame of this request's page; asked once, in one statement."""
    if "frame" not in g:
        g.frame = _read()
    found: Frame = g.frame
    return found


def percent_of(run: JobResult) -> int | None:
    """Return how much of a run is done, where its job tells."""
    made = advance(run)
    return made.percent if made else None


def _read() -> Frame:
    ids: Any = select(JobResult.id)
    ids = visible(ids, current_user(), JobResult).where(JobResult.status == Status.RUNNING)
    newest = ids.order_by(JobResult.created_at.desc()).limit(MOST_RUNNING_SHOWN).subquery()
    to_show = to_be_shown()
    numbers = (
        waiting().scalar_subquery(),
        select(func.count()).select_from(Delivery).where(*to_show).scalar_subquery(),
        select(func.max(Delivery.id)).where(*to_show).scalar_subquery(),
        _lost(),
    )
    # One row at least, be there a run or not.
    one = select(literal(1).label("one")).subquery()
    query = (
        select(JobResult, *numbers)
        .select_from(one)
        .outerjoin(newest, true())
        .outerjoin(JobResult, JobResult.id == newest.c.id)
        .order_by(JobResult.created_at.desc())
        .options(
            load_only(
                JobResult.name,
                JobResult.status,
                JobResult.started_at,
                JobResult.finished_at,
                JobResult.progress,
            )
        )
    )
    rows = db.session.execute(query).all()
    return Frame([row[0] for row in rows if row[0] is not None], *rows[0][1:])


def _lost() -> ColumnElement[Any]:
    if not allowed("view", WorkerProcess):
        return null()
    lately = WorkerProcess.ended_at > now() - LOST_IS_NEWS
    return select(func.count(WorkerProcess.id)).where(WorkerProcess.state == LOST, lately).scalar_subquery()
