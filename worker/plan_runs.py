"""Has plans made of what waits for an approval, by jobs that say beforehand what they will change.

A plan is made by a run of its own, which calls the job's `plan` and nothing else; the run that was approved makes it
anew before it begins (see worker.plans).
"""

import logging
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, joinedload, undefer

from store.models import Approval, JobRecord, JobResult, Schedule, Status
from store.platform import Platform
from store.settings import Settings
from worker.approvals import AlreadyDecided
from worker.dry_runs import rehearse
from worker.origins import PLAN, Origin, Taken
from worker.refusals import REFUSALS, broke, sentence

#: In one pass.
BATCH = 20

logger = logging.getLogger("errand.plans")


def make_missing(platform: Platform, settings: Settings) -> list[UUID]:
    """Have plans made for requests that have none yet; return the runs that make them."""
    missing = (
        Approval.decision.is_(None),
        Approval.planned_by.is_(None),
        Approval.why_no_plan == "",
        _awaited(),
    )
    query = (
        select(Approval.id)
        .outerjoin(JobResult, JobResult.id == Approval.result_id)
        .outerjoin(Schedule, Schedule.id == Approval.schedule_id)
        .join(JobRecord, JobRecord.id.in_((JobResult.job_id, Schedule.job_id)))
        .where(*missing, JobRecord.has_plan)
        .limit(BATCH)
    )
    # Only looked at: on SQLite there is one turn to write, and mostly there is nothing to do.
    with platform.reading() as db:
        ids = db.scalars(query).all()
    return [made for approval_id in ids if (made := _made(platform, settings, approval_id)) is not None]


def _awaited() -> ColumnElement[bool]:
    waits = and_(Approval.result_id.is_not(None), JobResult.status == Status.AWAITING_APPROVAL)
    return or_(waits, and_(Approval.result_id.is_(None), Approval.schedule_id.is_not(None)))


def _made(platform: Platform, settings: Settings, approval_id: int) -> UUID | None:
    with platform.session() as db:
        try:
            return make(db, settings, approval_id).id
        except (Taken, AlreadyDecided):
            return None
        except REFUSALS as refusal:
            problem = sentence(refusal, "Whoever asked for it")
        except SQLAlchemyError:
            raise
        except Exception as error:
            logger.exception("No plan could be made for approval %s.", approval_id)
            problem = broke(error)
        db.rollback()
        db.execute(update(Approval).where(Approval.id == approval_id).values(why_no_plan=problem))
        db.commit()
    return None


def make(db: Session, settings: Settings, approval_id: int) -> JobResult:
    """Have a plan made of what waits for an approval, in place of an earlier one. Commits `db`.

    Raises AlreadyDecided, Forbidden, NotRunnable, InvalidData, or Taken where somebody else does just that.
    """
    approval = db.get(
        Approval,
        approval_id,
        options=[
            joinedload(Approval.result).joinedload(JobResult.job),
            joinedload(Approval.schedule).options(joinedload(Schedule.job), undefer(Schedule.kept_box)),
        ],
    )
    subject = None if approval is None else approval.schedule or approval.result
    if approval is None or approval.decision is not None or subject is None or subject.job is None:
        raise AlreadyDecided("There is nothing to decide on any more.")
    before = approval.planned_by

    def claim(db: Session, result: JobResult) -> Sequence[JobResult]:
        # It is in nobody's way, saves nothing, and its end is for whoever decides alone.
        result.concurrency_key, result.commit = None, False
        result.told = result.followed = True
        taken = db.execute(
            update(Approval)
            .where(
                Approval.id == approval_id,
                Approval.decision.is_(None),
                Approval.planned_by.is_not_distinct_from(before),
            )
            .values(planned_by=result.id, why_no_plan="")
            .execution_options(synchronize_session=False)
        )
        if not taken.rowcount:  # type: ignore[attr-defined]
            raise Taken
        return ()

    return rehearse(
        db,
        settings,
        subject,
        subject.job,
        origin=Origin(PLAN, subject.id, f"Plan for {subject.username}", claim=claim),
    )
