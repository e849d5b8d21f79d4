"""Job hooks as forms and calls give them: the checks, and what is stored."""

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from store import audit
from store.changes import CREATE, DELETE, UPDATE
from store.models import Hook, JobRecord, now
from store.objects import models
from store.permissions import NotVisible, visible
from webapp.admin_forms import AdminForm, check_name
from webapp.auth import allowed, current_user, require, signed_in_user
from webapp.database import db

ACTIONS = (CREATE, UPDATE, DELETE)


def find_hook(hook_id: UUID) -> Hook:
    hook: Hook | None = db.session.get(Hook, hook_id)
    if hook is None:
        raise NotVisible
    require("view", hook)
    return hook


def of_hook(hook: Hook) -> AdminForm:
    return AdminForm({**_told(hook), "job": str(hook.job_id or "")})


def receivers(hook: Hook | None) -> dict[str, JobRecord]:
    """Return what a hook may run, and this person may see, by id; and what it runs now."""
    query = visible(select(JobRecord), current_user(), JobRecord).where(JobRecord.receives == "hook")
    found = {str(job.id): job for job in db.session.scalars(query.order_by(JobRecord.name))}
    if hook is not None and hook.job is not None:
        found.setdefault(str(hook.job_id), hook.job)
    return found


def save(form: AdminForm, known: Hook | None) -> Hook | None:
    """Have a hook, a new one or `known`, be as a form says. None: it cannot, and the form says why."""
    hook = known or Hook()
    with db.session.no_autoflush:
        job = _check(form, known)
    if not form.errors and job is not None:
        _write(hook, known, form, job)
    if form.errors:
        db.session.rollback()
        return None
    return hook


def remove(hook: Hook) -> None:
    require("delete", hook)
    audit.note(db.session(), "hook.delete", hook.name, before=_told(hook))
    db.session.delete(hook)
    db.session.commit()


def _check(form: AdminForm, known: Hook | None) -> JobRecord | None:
    check_name(form, "name")
    job = receivers(known).get(form.text("job"))
    if job is None:
        form.refuse("job", "Choose one of these jobs.")
    elif _may_run_something(form, known, job) and not allowed("run", job):
        # It runs as whoever makes a change; but what one may not run one has nobody else run.
        form.refuse("job", f"You may not run {job.name} yourself.")
    types, actions = form.values["object_types"], form.values["actions"]
    if not types or not set(types) <= models().keys():
        form.refuse("object_types", "Choose at least one of these.")
    if not actions or not set(actions) <= set(ACTIONS):
        form.refuse("actions", "Choose at least one of these.")
    others = db.session.scalars(select(Hook).where(Hook.job_id == job.id)).all() if job is not None else ()
    for other in others:
        if other is not known and set(types) & {*other.object_types} and set(actions) & {*other.actions}:
            form.refuse("object_types", f"The hook {other.name} runs this job already for such a change.")
    return job


def _may_run_something(form: AdminForm, known: Hook | None, job: JobRecord) -> bool:
    """Tell whether more comes of a form than that a hook runs nothing any more."""
    return form.values["enabled"] or known is None or known.job is not job


def _write(hook: Hook, known: Hook | None, form: AdminForm, job: JobRecord) -> None:
    before = _told(hook) if known is not None else None
    hook.name, hook.job, hook.enabled = form.text("name"), job, form.values["enabled"]
    hook.set_up_by_id = signed_in_user().id
    hook.object_types = sorted(set(form.values["object_types"]))
    hook.on_create, hook.on_update, hook.on_delete = (one in form.values["actions"] for one in ACTIONS)
    after = _told(hook)
    if before is None or {**before, "name": ""} != {**after, "name": ""}:
        # What was changed before it was so is not what was asked for.
        hook.since = now()
    db.session.add(hook)
    audit.note(
        db.session(), "hook.create" if known is None else "hook.change", hook.name, before=before, after=after
    )
    try:
        db.session.commit()
    except IntegrityError:
        db.session.rollback()
        form.refuse("name", "There is a hook of this name already.")


def _told(hook: Hook) -> dict[str, Any]:
    return {
        "name": hook.name,
        "job": hook.job.class_path if hook.job else None,
        "object_types": hook.object_types,
        "actions": hook.actions,
        "enabled": hook.enabled,
    }
