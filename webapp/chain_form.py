"""Chains as forms and calls give them: the checks, and what is stored."""

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload

from store import audit
from store.models import Chain, JobRecord
from store.permissions import NotVisible
from webapp.admin_forms import AdminForm, check_name
from webapp.auth import allowed, require, signed_in_user
from webapp.choosing_jobs import chosen_job
from webapp.database import db
from webapp.mapped_inputs import read_inputs
from worker.chains import begin
from worker.references import OF_RUN

ON = {"completed": "Completed", "failed": "Failed or errored", "ended": "Ended in any way"}

JOBS = (joinedload(Chain.job), joinedload(Chain.next_job))


def find_chain(chain_id: UUID) -> Chain:
    query = select(Chain).where(Chain.id == chain_id).options(*JOBS)
    chain: Chain | None = db.session.scalars(query).one_or_none()
    if chain is None:
        raise NotVisible
    require("view", chain)
    return chain


def of_chain(chain: Chain) -> AdminForm:
    return AdminForm(
        {
            "name": chain.name,
            "job": str(chain.job_id or ""),
            "next_job": str(chain.next_job_id or ""),
            "on": chain.on,
            "data": chain.data,
            "enabled": chain.enabled,
        }
    )


def save(form: AdminForm, known: Chain | None) -> Chain | None:
    """Have a chain, a new one or `known`, be as a form says. None: it cannot, and the form says why."""
    chain = known or Chain()
    with db.session.no_autoflush:
        first, following, data = _checked(form, known)
    if not form.errors and first is not None and following is not None:
        _write(chain, known, form, first, following, data)
    if form.errors:
        db.session.rollback()
        return None
    return chain


def remove(chain: Chain) -> None:
    require("delete", chain)
    audit.note(db.session(), "chain.delete", chain.name, before=_told(chain))
    db.session.delete(chain)
    db.session.commit()


def _checked(
    form: AdminForm, known: Chain | None
) -> tuple[JobRecord | None, JobRecord | None, dict[str, Any]]:
    check_name(form, "name")
    first, following = chosen_job(form.text("job")), chosen_job(form.text("next_job"))
    for name, job in (("job", first), ("next_job", following)):
        if job is None:
            form.refuse(name, "Choose one of these jobs.")
    if form.text("on") not in ON:
        form.refuse("on", "Choose one of these.")
    if following is None:
        return first, None, {}
    # Whoever makes a chain need not be whom it runs as; but what they may not run they have no run of.
    if not allowed("run", following):
        form.refuse("next_job", f"You may not run {following.name} yourself.")
    if first is following or (first is not None and _leads(following, first, known)):
        form.refuse("next_job", "That leads back to the first job, so it would never end.")
    return first, following, read_inputs(form, "data", following, OF_RUN, keeper="a chain")


def _leads(begin: JobRecord, goal: JobRecord, known: Chain | None) -> bool:
    """Tell whether chains that there are, other than the one that is changed, lead from one job to another."""
    following: dict[UUID | None, set[UUID | None]] = {}
    query = select(Chain.job_id, Chain.next_job_id).where(Chain.enabled)
    rows = db.session.execute(query if known is None else query.where(Chain.id != known.id))
    for job_id, next_job_id in rows:
        following.setdefault(job_id, set()).add(next_job_id)
    seen: set[UUID | None] = set()
    todo: list[UUID | None] = [begin.id]
    while todo:
        at = todo.pop()
        if at == goal.id:
            return True
        if at is not None and at not in seen:
            seen.add(at)
            todo += following.get(at, ())
    return False


def _write(
    chain: Chain,
    known: Chain | None,
    form: AdminForm,
    first: JobRecord,
    following: JobRecord,
    data: dict[str, Any],
) -> None:
    before = _told(chain) if known is not None else None
    chain.name, chain.on, chain.enabled = form.text("name"), form.text("on"), form.values["enabled"]
    chain.job, chain.next_job, chain.data = first, following, data
    chain.set_up_by_id = signed_in_user().id
    after = _told(chain)
    db.session.add(chain)
    act = "chain.create" if known is None else "chain.change"
    audit.note(db.session(), act, chain.name, before=before, after=after)
    try:
        if before is None or {**before, "name": ""} != {**after, "name": ""}:
            # What ended before it was so is not what was asked for.
            begin(db.session(), chain)
        db.session.commit()
    except IntegrityError:
        db.session.rollback()
        form.refuse("name", "There is a chain of this name already.")


def _told(chain: Chain) -> dict[str, Any]:
    return {
        "name": chain.name,
        "after": chain.job.class_path if chain.job else None,
        "on": chain.on,
        "run": chain.next_job.class_path if chain.next_job else None,
        "inputs": chain.data,
        "enabled": chain.enabled,
    }
