"""Messages on their way and sent: for those who look after channels."""

from http import HTTPStatus

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from sqlalchemy import select

from store import audit
from store.models import Delivery
from store.permissions import NotVisible
from webapp.auth import allowed, require
from webapp.database import db
from worker.postman import send_again

blueprint = Blueprint("deliveries", __name__, url_prefix="/admin/deliveries")

PAGE_SIZE = 50
STATES = {"waiting": "Waiting", "failed": "Trying again", "gave_up": "Given up", "sent": "Sent"}
VIAS = {"mail": "Mail", "slack": "Slack", "webhook": "Webhook", "browser": "Browser"}


@blueprint.app_context_processor
def offer_words() -> dict[str, object]:
    return {"delivery_states": STATES, "delivery_vias": VIAS}


@blueprint.get("/")
def index() -> str:
    require("view", Delivery)
    wanted = {"state": request.args.get("state", ""), "via": request.args.get("via", "")}
    before = request.args.get("before", "")
    query = select(Delivery).order_by(Delivery.id.desc()).limit(PAGE_SIZE + 1)
    if wanted["state"] in STATES:
        query = query.where(Delivery.state == wanted["state"])
    if wanted["via"] in VIAS:
        query = query.where(Delivery.via == wanted["via"])
    if before.isascii() and before.isdecimal() and len(before) < 18:
        query = query.where(Delivery.id < int(before))
    rows = db.session.scalars(query).all()
    shown = rows[:PAGE_SIZE]
    return render_template(
        "admin/deliveries.html",
        rows=shown,
        wanted={name: value for name, value in wanted.items() if value},
        before=before,
        more=shown[-1].id if len(rows) > PAGE_SIZE else None,
    )


@blueprint.get("/<int(max=9223372036854775807):number>")
def show(number: int) -> str:
    delivery = _find(number)
    require("view", delivery)
    return render_template("admin/delivery.html", delivery=delivery, may_change=allowed("change", delivery))


@blueprint.post("/<int(max=9223372036854775807):number>/again")
def again(number: int) -> Response:
    delivery = _find(number)
    require("change", delivery)
    if send_again(db.session(), delivery):
        audit.note(db.session(), "delivery.again", str(delivery.mark))
        db.session.commit()
        flash("It is sent again.")
    elif delivery.event == "invitation":
        flash("The link in it was wiped when it was sent: make a new one on the page of the user.", "warn")
    else:
        flash("It is on its way already.", "warn")
    return make_response(redirect(url_for("deliveries.show", number=number), HTTPStatus.SEE_OTHER))


def _find(number: int) -> Delivery:
    found: Delivery | None = db.session.get(Delivery, number)
    if found is None:
        raise NotVisible
    return found
