"""Chains: which end of a run runs which other job, and with what."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from sqlalchemy import Row, Select, func, select

from store.models import Chain, ChainLink, JobResult
from store.permissions import visible
from store.text import clean_text
from webapp.admin_forms import AdminForm, line
from webapp.auth import allowed, current_user, require
from webapp.chain_form import JOBS, ON, find_chain, of_chain, remove, save
from webapp.choosing_jobs import chosen_job, offer
from webapp.database import db
from webapp.history import MOST_RESULTS, results_by
from webapp.mapped_inputs import written

blueprint = Blueprint("chains", __name__, url_prefix="/admin/chains")


@blueprint.get("/")
def index() -> str:
    require("view", Chain)
    count = select(func.count()).where(JobResult.origin_id == Chain.id).scalar_subquery()
    query = select(Chain, count).options(*JOBS).order_by(Chain.name)
    rows = db.session.execute(query).all()
    return render_template("admin/chains.html", rows=rows, on=ON, may_change=allowed("change", Chain))


@blueprint.get("/new")
def new() -> str:
    require("change", Chain)
    return _page(None, AdminForm({"enabled": True, "on": "completed"}))


@blueprint.post("/new")
def create() -> Response:
    require("change", Chain)
    return _save(None)


@blueprint.get("/<uuid:chain_id>")
def show(chain_id: UUID) -> str:
    chain = find_chain(chain_id)
    form = of_chain(chain)
    form.values["data"] = written(chain.data)
    return _page(chain, form)


@blueprint.post("/<uuid:chain_id>")
def change(chain_id: UUID) -> Response:
    chain = find_chain(chain_id)
    require("change", chain)
    return _save(chain)


@blueprint.post("/<uuid:chain_id>/delete")
def delete(chain_id: UUID) -> Response:
    chain = find_chain(chain_id)
    name = chain.name
    remove(chain)
    flash(f"Deleted the chain {name}.")
    return make_response(redirect(url_for("chains.index"), HTTPStatus.SEE_OTHER))


def _save(known: Chain | None) -> Response:
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
    if save(form, known) is None:
        shown = find_chain(known.id) if known is not None else None
        return make_response(_page(shown, form), HTTPStatus.UNPROCESSABLE_ENTITY)
    flash(f"Saved the chain {form.text('name')}.")
    return make_response(redirect(url_for("chains.index"), HTTPStatus.SEE_OTHER))


def _page(chain: Chain | None, form: AdminForm) -> str:
    known = (chain.job, chain.next_job) if chain is not None else ()
    typed = (chosen_job(form.text(name)) for name in ("job", "next_job"))
    return render_template(
        "admin/chain.html",
        chain=chain,
        form=form,
        runs=results_by(chain.id) if chain is not None else (),
        refused=_refused(chain) if chain is not None else (),
        jobs=offer(*known, *typed),
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
