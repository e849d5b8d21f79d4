"""What can be done with many jobs at once."""

import uuid
from typing import Any

from sqlalchemy import Select, select
from werkzeug.datastructures import MultiDict

from store.models import JobRecord, User
from store.permissions import allowed, require, visible
from webapp.auth import current_user
from webapp.bulk_acts import Act, Kind
from webapp.database import db
from webapp.job_filters import read_filters
from webapp.job_list import read_search, that_match
from webapp.looks import Look
from worker.job_records import switch

_ENABLED, _DISABLED = Look("is-ok", "ok", "Enabled"), Look("is-wait", "off", "Disabled")


def _enable(job: JobRecord, user: User, _key: str | None) -> uuid.UUID:
    return _switched(job, user, enabled=True)


def _disable(job: JobRecord, user: User, _key: str | None) -> uuid.UUID:
    return _switched(job, user, enabled=False)


def _switched(job: JobRecord, user: User, *, enabled: bool) -> uuid.UUID:
    require(user, "change", job)
    if job.enabled != enabled:
        switch(db.session(), job, enabled=enabled)
        db.session.commit()
    return job.id


def _why_not_enable(job: JobRecord, user: User) -> str:
    if job.enabled:
        return "Enabled already."
    return _why_not(job, user)


def _why_not_disable(job: JobRecord, user: User) -> str:
    if not job.enabled:
        return "Disabled already."
    return _why_not(job, user)


def _why_not(job: JobRecord, user: User) -> str:
    if not job.installed:
        return "Its class is not there any more."
    return "" if allowed(user, "change", job) else "You may not change it."


def _matching(arguments: MultiDict[str, str]) -> tuple[Select[Any], bool]:
    jobs = that_match(read_filters(arguments), read_search(arguments))
    paths = [job.class_path for job in jobs]
    return visible(select(JobRecord), current_user(), JobRecord).where(JobRecord.class_path.in_(paths)), False


JOBS = Kind(
    "jobs",
    "job",
    JobRecord,
    seen=lambda user: visible(select(JobRecord), user, JobRecord),
    matching=_matching,
    order=(JobRecord.grouping, JobRecord.name, JobRecord.class_path),
    first="first",
    state=lambda job: _ENABLED if job.enabled else _DISABLED,
    acts={
        act.name: act
        for act in (
            Act("enable", "Enable", "check", "enabled", ("change", JobRecord), _enable, _why_not_enable),
            Act("disable", "Disable", "off", "disabled", ("change", JobRecord), _disable, _why_not_disable),
        )
    },
)
