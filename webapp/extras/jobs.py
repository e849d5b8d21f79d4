"""Jobs: as records, and as the classes that they were in Nautobot 1.1."""

import uuid
from typing import Any

from flask import Response, current_app
from sqlalchemy import ColumnElement, Select, false, func, select
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from store.models import JobRecord, JobResult, Schedule, class_path_of
from store.permissions import allowed, require, visible
from store.text import clean_json
from webapp.api.arguments import storable
from webapp.api.tokens import user
from webapp.data_file_facts import data_file_choices
from webapp.database import db
from webapp.extras import shapes
from webapp.extras.bodies import boolean, receive_json, receive_many
from webapp.extras.errors import Refused, invalid, not_found
from webapp.extras.lists import Filters, flag, ids, is_brief, narrow, page, search, texts
from webapp.extras.results import last_results
from webapp.extras.runs import ask, waits
from webapp.extras.scheduled_jobs import approvals_of
from webapp.extras.versions import as_json, is_first, lists_classes
from webapp.fresh import fresh
from worker import job_records
from worker.lookups import object_lookup
from worker.overrides import override
from worker.questions import Questions


def _of_slug(values: Any) -> ColumnElement[bool]:
    made = func.lower(func.replace(func.replace(JobRecord.class_path, "/", "-"), ".", "-"))
    return made.in_(values)


def _of_kind(kind: str) -> Any:
    return flag(JobRecord.receives == kind)


def _of_path(values: Any) -> ColumnElement[bool]:
    return JobRecord.class_path.in_([class_path_of(value) for value in values])


_FLAGS = (
    "enabled",
    "installed",
    "hidden",
    "read_only",
    "approval_required",
    "commit_default",
    "has_sensitive_variables",
)

FILTERS: Filters = {
    "id": ids(JobRecord.id),
    "name": texts(JobRecord.name),
    "slug": _of_slug,
    "class_path": _of_path,
    "source": texts(JobRecord.source),
    "module_name": texts(JobRecord.module),
    "job_class_name": texts(JobRecord.class_name),
    "grouping": texts(JobRecord.grouping),
    **{name: flag(getattr(JobRecord, name)) for name in _FLAGS},
    "is_job_hook_receiver": _of_kind("hook"),
    "is_job_button_receiver": _of_kind("button"),
    "q": search(JobRecord.name, JobRecord.class_path, JobRecord.grouping, JobRecord.description),
}

_SETTABLE = frozenset(shapes.SETTING_NAMES.values())


def jobs() -> Response:
    """List jobs."""
    query = _known().where(*narrow(FILTERS)).order_by(JobRecord.grouping, JobRecord.name, JobRecord.id)
    if lists_classes():
        records = db.session.scalars(query.where(JobRecord.installed)).all()
        last = last_results([record.id for record in records])
        return as_json([shapes.job_class(record, last.get(record.id)) for record in records])
    shape = shapes.job_reference if is_brief() else shapes.job
    return as_json(page(query, lambda rows: [shape(row) for row in rows]))


def job(reference: str) -> Response:
    """Show a job."""
    return as_json(shapes.job(_find(reference)))


def job_class(source: str, module: str, class_name: str) -> Response:
    """Show a job as a class."""
    record = _of_class(db.session(), source, module, class_name)
    if record is None:
        raise not_found()
    return as_json(shapes.job_class(record, last_results([record.id]).get(record.id)))


def variables(reference: str) -> Response:
    """List the variables of a job, with what its code computes of them."""
    session = db.session()
    record = fresh(lambda: _look(session, reference))
    if record is None:
        raise not_found()
    settings = current_app.extensions["errand"].settings
    questions = Questions(
        settings,
        record,
        username=user().username,
        data_files=lambda: data_file_choices(user()),
    )
    with object_lookup(settings) as objects:
        return as_json([shapes.variable(each) for each in questions.described(objects)])


def run(reference: str) -> Response:
    """Have a job run, now or at set times."""
    record, made = ask(lambda session: _look(session, reference))
    # Without asking the database once more: on SQLite that would take the write turn from the waiting worker.
    set_committed_value(made, "job", record)
    schedule = result = None
    if waits(made):
        schedule = shapes.scheduled_job(made, approvals_of([made]).get(made.id))
    else:
        result = _shown(made)
    return as_json({"schedule" if is_first() else "scheduled_job": schedule, "job_result": result}, 201)


def run_class(source: str, module: str, class_name: str) -> Response:
    """Have a job run, by its class path."""
    record, made = ask(lambda session: _of_class(session, source, module, class_name))
    result = made if isinstance(made, JobResult) and allowed(user(), "view", made) else None
    return as_json(shapes.job_class(record, result))


def change(reference: str) -> Response:
    """Enable a job, or override what its code says."""
    given = receive_json()
    if not isinstance(given, dict):
        raise invalid(non_field_errors=["The body needs to be a JSON object."])
    record = _find(reference)
    _change(record, given)
    db.session.commit()
    return as_json(shapes.job(record))


def change_many() -> Response:
    """Change several jobs: all, or none."""
    found = [(_find(given["id"]), given) for given in receive_many()]
    for record, given in found:
        _change(record, given)
    db.session.commit()
    return as_json([shapes.job(record) for record, _ in found])


def delete(reference: str) -> Response:
    """Remove the record of a job whose class is gone."""
    _remove([_find(reference)])
    return Response(status=204)


def delete_many() -> Response:
    """Remove several records: all, or none."""
    _remove([_find(given["id"]) for given in receive_many()])
    return Response(status=204)


def _remove(records: list[JobRecord]) -> None:
    for record in records:
        require(user(), "delete", record)
        if record.installed:
            raise Refused(409, {"detail": job_records.INSTALLED.format(name=record.name)})
    for record in records:
        job_records.remove(db.session(), record)
    db.session.commit()


def _change(record: JobRecord, given: dict[str, Any]) -> None:
    require(user(), "change", record)
    flags = {name: _flag(given, name) for name in given if name == "enabled" or name.endswith("_override")}
    if "enabled" in flags:
        job_records.switch(db.session(), record, enabled=flags["enabled"])
        # What overrides it reads it anew.
        db.session.flush()
    overrides = {}
    for theirs, ours in shapes.SETTING_NAMES.items():
        # As there: without its flag, what is given of a field does not count.
        if flags.get(f"{theirs}_override", ours in record.overrides):
            overrides[ours] = clean_json(given.get(theirs, getattr(record, ours)))
    kept = {name: value for name, value in record.overrides.items() if name not in _SETTABLE}
    if {**kept, **overrides} != record.overrides:
        override(db.session(), record, {**kept, **overrides}, still_allowed=_may_change, commit=False)


def _may_change(record: JobRecord) -> bool:
    return allowed(user(), "change", record)


def _flag(given: dict[str, Any], name: str) -> bool:
    try:
        return boolean(given[name])
    except ValueError as error:
        raise Refused(400, {name: [str(error)]}) from None


# --- What is found --------------------------------------------------------------------------------------------


def _known() -> Select[Any]:
    return visible(select(JobRecord), user(), JobRecord)


def _find(reference: str) -> JobRecord:
    record = _look(db.session(), reference)
    if record is None:
        raise not_found()
    return record


def _look(session: Session, reference: str) -> JobRecord | None:
    """Find a job by its id, or by its name where no other has it."""
    try:
        named = JobRecord.id == uuid.UUID(reference)
    except ValueError:
        named = JobRecord.name == reference if storable(reference) else false()
    found = session.scalars(_known().where(named).limit(2)).all()
    return found[0] if len(found) == 1 and allowed(user(), "view", found[0]) else None


def _of_class(session: Session, source: str, module: str, class_name: str) -> JobRecord | None:
    path = class_path_of(f"{source}/{module}/{class_name}")
    if not storable(path):
        return None
    record = session.scalars(_known().where(JobRecord.class_path == path)).one_or_none()
    return record if record is not None and allowed(user(), "view", record) else None


def _shown(made: JobResult | Schedule) -> dict[str, Any]:
    """Return a new run; of one whose results its owner may not see, no more than where it is."""
    assert isinstance(made, JobResult)  # noqa: S101 - see waits
    if not allowed(user(), "view", made):
        return shapes.result_reference(made)
    return shapes.result(made, None)
