"""What administrators do with jobs: settings in place of the code's, enabling, refreshing, removing."""

from collections.abc import Mapping
from typing import Any

from flask import current_app
from pydantic import Field
from werkzeug.exceptions import Conflict

from store.permissions import allowed, require
from webapp.api.calls import Body, Query, call
from webapp.api.jobs import find_job
from webapp.api.paging import page
from webapp.api.shapes import Page
from webapp.api.shapes import jobs as shapes
from webapp.api.tokens import user
from webapp.database import db
from worker import job_records
from worker.overrides import CHANGED_MEANWHILE, ChangedMeanwhile, override, version_of


class JobChange(Body):
    enabled: bool = Field(False, description="Whether it may be run.")
    overrides: dict[str, Any] | None = Field(
        None,
        description="Settings that count in place of the code's; null for one has the code's count again, "
        "null for all of them has it so in everything.",
    )
    version: str | None = Field(None, description="Change nothing where the job has another one by now.")


@call(body=JobChange, answers={200: shapes.JobShape}, tag="jobs")
def change_job(query: Query, reference: str, body: JobChange) -> Any:
    """Change whether a job may be run, and what counts in place of its code."""
    session = db.session()
    job = find_job(reference, session)
    require(user(), "change", job)
    # What is not spoken of stays, so nobody else may change it in between either.
    version = version_of(job) if body.version is None else body.version
    if version != version_of(job):
        raise ChangedMeanwhile([CHANGED_MEANWHILE])
    if "overrides" in body.model_fields_set:
        override(
            session,
            job,
            _merged(job.overrides or {}, body.overrides),
            version=version,
            still_allowed=lambda changed: allowed(user(), "change", changed),
        )
    if "enabled" in body.model_fields_set:
        job_records.switch(session, job, enabled=body.enabled)
        session.commit()
    return shapes.job(job)


def _merged(overrides: Mapping[str, Any], given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what is overridden afterwards: a null takes one of them back, or all (RFC 7396)."""
    if given is None:
        return {}
    return {name: value for name, value in {**overrides, **given}.items() if value is not None}


@call(answers={204: None}, tag="jobs")
def delete_job(query: Query, reference: str) -> Any:
    """Remove the record of a job that is not installed any more. Its results stay."""
    job = find_job(reference, db.session())
    require(user(), "delete", job)
    if job.installed:
        raise Conflict(job_records.INSTALLED.format(name=job.name))
    job_records.remove(db.session(), job)
    db.session.commit()
    return None, 204


@call(answers={200: shapes.RefreshShape}, tag="jobs")
def refresh(query: Query) -> Any:
    """Look for jobs in folders and plugins again."""
    settings = current_app.extensions["errand"].settings
    return shapes.refreshed(job_records.refresh_as(db.session(), settings, user()))


@call(answers={200: Page[shapes.JobReferenceShape]}, tag="jobs")
def enable_all(query: Query) -> Any:
    """Enable every job that is installed and that you may change; list which were not."""
    return page([shapes.reference(job) for job in job_records.enable_all(db.session(), user())])
