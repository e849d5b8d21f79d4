"""Chains: which end of a run runs which other job, and with what."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from sqlalchemy import Row, Select, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload

from store import audit
from store.models import Chain, ChainLink, JobRecord, JobResult
from store.permissions import NotVisible, visible
from store.text import clean_text
from webapp.admin_forms import AdminForm, check_name, line
from webapp.auth import allowed, current_user, require
from webapp.database import db
from webapp.history import MOST_RESULTS, results_by
from webapp.mapped_inputs import read_inputs, written
from worker.chains import begin
from worker.references import OF_RUN

blueprint = Blueprint("chains", __name__, url_prefix="/admin/chains")

ON = {"completed": "Completed", "failed": "Failed or errored", "ended": "Ended in any way"}


@blueprint.get("/")
def index() -> str:
    require("view", Chain)
    count = select(func.count()).where(JobResult.origin_id == Chain.id).scalar_subquery()
    query = select(Chain, count).options(*_JOBS).order_by(Chain.name)
    rows = db.session.execute(query).all()
    return render_template("admin/chains.html", rows=rows, on=ON, may_change=allowed("change", Chain))


@blueprint.get("/new")
def new() -> str:
    require("change", Chain)
    return _page(None, AdminForm({"enabled": True, "on": "completed"}))


@blueprint.post("/new")
def create() -> Response:
    require("change", Chain)
    return _save(Chain(), None)


@blueprint.get("/<uuid:chain_id>")
def show(chain_id: UUID) -> str:
    chain = _find(chain_id)
    require("view", chain)
    values = {
        "name": chain.name,
        "job": str(chain.job_id or ""),
        "next_job": str(chain.next_job_id or ""),
        "on": chain.on,
        "data": written(chain.data),
        "enabled": chain.enabled,
    }
    return _page(chain, AdminForm(values))


@blueprint.post("/<uuid:chain_id>")
def change(chain_id: UUID) -> Response:
    chain = _find(chain_id)
    require("change", chain)
    return _save(chain, chain)


@blueprint.post("/<uuid:chain_id>/delete")
def delete(chain_id: UUID) -> Response:
    chain = _find(chain_id)
    require("delete", chain)
    name = chain.name
    audit.note(db.session(), "chain.delete", name, before=_told(chain))
    db.session.delete(chain)
    db.session.commit()
    flash(f"Deleted the chain {name}.")
    return make_response(redirect(url_for("chains.index"), HTTPStatus.SEE_OTHER))


_JOBS = (joinedload(Chain.job), joinedload(Chain.next_job))


def _find(chain_id: UUID) -> Chain:
    query = select(Chain).where(Chain.id == chain_id).options(*_JOBS)
    chain: Chain | None = db.session.scalars(query).one_or_none()
    if chain is None:
        raise NotVisible
    return chain


def _told(chain: Chain) -> dict[str, Any]:
    return {
        "name": chain.name,
        "after": chain.job.class_path if chain.job else None,
        "on": chain.on,
        "run": chain.next_job.class_path if chain.next_job else None,
        "inputs": chain.data,
        "enabled": chain.enabled,
    }


def _jobs() -> dict[str, JobRecord]:
    """Return the jobs that may be chosen, by id."""
    query = visible(select(JobRecord), current_user(), JobRecord).where(JobRecord.receives == "")
    return {str(job.id): job for job in db.session.scalars(query.order_by(JobRecord.name))}


def _save(chain: Chain, known: Chain | None) -> Response:
    form = AdminForm(
        {
            "name": line(request.form, "name"),
            "job": request.form.get("job", ""),
            "next_job": request.form.get("next_job", ""),
            "on": request.form.get("on", ""),
            "data": clean_text(request.form.get("data", "")),
            "enabled": bool(request.form.get("enabled")),
        }
    )
    with db.session.no_autoflush:
        first, following, data = _checked(form, known)
    if not form.errors and first is not None and following is not None:
        _write(chain, known, form, first, following, data)
    if form.errors:
        db.session.rollback()
        shown = _find(known.id) if known is not None else None
        return make_response(_page(shown, form), HTTPStatus.UNPROCESSABLE_ENTITY)
    flash(f"Saved the chain {form.text('name')}.")
    return make_response(redirect(url_for("chains.index"), HTTPStatus.SEE_OTHER))


def _checked(
    form: AdminForm, known: Chain | None
) -> tuple[JobRecord | None, JobRecord | None, dict[str, Any]]:
    check_name(form, "name")
    jobs = _jobs()
    first, following = jobs.get(form.text("job")), jobs.get(form.text("next_job"))
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


def _page(chain: Chain | None, form: AdminForm) -> str:
    jobs = _jobs()
    for job in (chain.job, chain.next_job) if chain is not None else ():
        if job is not None:
            jobs.setdefault(str(job.id), job)
    return render_template(
        "admin/chain.html",
        chain=chain,
        form=form,
        runs=results_by(chain.id) if chain is not None else (),
        refused=_refused(chain) if chain is not None else (),
        jobs=jobs,
        on=ON,
        may_change=allowed("change", chain or Chain),
        may_delete=chain is not None and allowed("delete", chain),
    )


def _refused(chain: Chain) -> Sequence[Row[Any]]:
    """Return the runs after which it ran nothing, the latest first, with why; only those that the reader may see."""
    seen: Select[Any] = select(  # type: ignore[assignment]
        JobResult.id, JobResult.name, ChainLink.refused, ChainLink.dealt_at
    )
    query = visible(seen.join(ChainLink, ChainLink.result_id == JobResult.id), current_user(), JobResult)
    latest = query.where(ChainLink.chain_id == chain.id, ChainLink.refused != "")
    return db.session.execute(latest.order_by(ChainLink.dealt_at.desc()).limit(MOST_RESULTS)).all()
