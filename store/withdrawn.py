"""Jobs that their authors have switched off: nothing of them is shown until they are back."""

from typing import Any

from sqlalchemy import ColumnElement, Select, String, and_, cast, func, or_, select, true
from sqlalchemy.orm import aliased

from store.models import AuditRecord, JobRecord, JobResult, Schedule

# Under a name of its own: queries that this becomes a part of may be about jobs, too.
_Off = aliased(JobRecord)


def shown(model: type[Any]) -> ColumnElement[bool]:
    """Return what holds for the rows of `model` that are not of such a job."""
    if model is JobRecord:
        return ~JobRecord.withdrawn
    if model in (JobResult, Schedule):
        return or_(model.job_id.is_(None), model.job_id.not_in(select(_Off.id).where(_Off.withdrawn)))
    return true()


def shown_audit() -> ColumnElement[bool]:
    """Return what holds for the records of the audit that are not about such a job, its runs or its schedules."""
    subject = func.replace(AuditRecord.subject, "-", "")
    return and_(
        AuditRecord.subject.not_in(select(_Off.class_path).where(_Off.withdrawn)),
        subject.not_in(_identifiers(JobResult)),
        subject.not_in(_identifiers(Schedule)),
    )


def _identifiers(model: Any) -> Select[Any]:
    # As one text, whether a database writes it with dashes or without. The jobs first: of them there are few, if any,
    # and of runs a million.
    off = select(_Off.id).where(_Off.withdrawn)
    return select(func.replace(cast(model.id, String), "-", "")).where(model.job_id.in_(off))
