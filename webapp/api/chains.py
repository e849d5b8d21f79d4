"""Chains: which end of a run runs which other job, and with what."""

import uuid
from typing import Any, Literal

from flask import url_for
from pydantic import Field
from sqlalchemy import select

from store.models import Chain
from store.permissions import require, visible
from webapp import chain_form
from webapp.admin_forms import AdminForm
from webapp.api.calls import Body, Query, call
from webapp.api.forms import MOST_LISTED, Inputs, given, saved
from webapp.api.given import Text
from webapp.api.listing import Order, part
from webapp.api.paging import page
from webapp.api.shapes import Page
from webapp.api.shapes import triggers as shapes
from webapp.api.tokens import user
from webapp.api.triggers import Triggers, narrowed
from webapp.choosing_jobs import class_paths_to_choose
from webapp.database import db

ORDER = Order({"name": Chain.name, "created_at": Chain.created_at}, Chain.id, "name")
JOBS = ("job", "next_job")

EndName = Literal["completed", "failed", "ended"]


class NewChain(Body):
    name: Text
    job: Text = Field(description="The id or class path of the job after which it runs the next one.")
    next_job: Text
    on: EndName = "completed"
    data: Inputs = Field(
        {}, description="Of the next job: values, or texts with references to the first run."
    )
    enabled: bool = True


class ChangedChain(Body):
    """Only what is given is changed."""

    name: Text = ""
    job: Text = ""
    next_job: Text = ""
    on: EndName = "completed"
    data: Inputs = Field({}, description="All inputs, in place of those that there are.")
    enabled: bool = True


@call(query=Triggers, answers={200: Page[shapes.ChainShape]}, tag="chains")
def chains(query: Triggers) -> Any:
    """List chains."""
    require(user(), "view", Chain)
    wanted = narrowed(visible(select(Chain), user(), Chain), Chain, query).options(*chain_form.JOBS)
    rows, more = part(db.session(), wanted, query, ORDER)
    return page([shapes.chain(row) for row in rows], more)


@call(answers={200: shapes.ChainShape}, tag="chains")
def chain(query: Query, chain_id: uuid.UUID) -> Any:
    """Show a chain."""
    return shapes.chain(chain_form.find_chain(chain_id))


@call(body=NewChain, answers={201: shapes.ChainShape}, tag="chains")
def create_chain(query: Query, body: NewChain) -> Any:
    """Have the end of a run run another job."""
    require(user(), "change", Chain)
    form = AdminForm({"enabled": True, "on": "completed", **given(body, JOBS)})
    made = _saved(form, None)
    return shapes.chain(made), 201, {"Location": url_for("api.chain", chain_id=made.id)}


@call(body=ChangedChain, answers={200: shapes.ChainShape}, tag="chains")
def change_chain(query: Query, chain_id: uuid.UUID, body: ChangedChain) -> Any:
    """Change a chain."""
    row = chain_form.find_chain(chain_id)
    require(user(), "change", row)
    form = AdminForm({**chain_form.of_chain(row).values, **given(body, JOBS)})
    return shapes.chain(_saved(form, row))


@call(answers={204: None}, tag="chains")
def delete_chain(query: Query, chain_id: uuid.UUID) -> Any:
    """Delete a chain; its results stay."""
    chain_form.remove(chain_form.find_chain(chain_id))
    return None, 204


def _saved(form: AdminForm, known: Chain | None) -> Chain:
    def choices() -> dict[str, list[str]]:
        return dict.fromkeys(JOBS, class_paths_to_choose(MOST_LISTED + 1))

    row = saved(form, lambda form: chain_form.save(form, known), choices=choices)
    return chain_form.find_chain(row.id)
