"""The pages about webhooks: which signed requests run which jobs, and what came (see webapp.webhook_deliveries)."""

from http import HTTPStatus
from uuid import UUID

from flask import (
    Blueprint,
    Response,
    flash,
    make_response,
    redirect,
    render_template,
    url_for,
)
from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from store.models import JobResult, Webhook
from webapp import webhook_form
from webapp.admin_forms import AdminForm
from webapp.auth import allowed, require
from webapp.choosing_jobs import chosen_job, offer
from webapp.confirming import require_confirmed
from webapp.database import db
from webapp.history import results_by
from webapp.webhook_access import address_of, find_webhook, may_send
from webapp.webhook_deliveries import deliveries_of
from worker import webhooks
from worker.matching import OPERATORS
from worker.signatures import FORMS

blueprint = Blueprint("webhook_pages", __name__, url_prefix="/admin/webhooks")

LATEST = 10


@blueprint.get("/")
def index() -> str:
    require("view", Webhook)
    count = select(func.count()).where(JobResult.origin_id == Webhook.id).scalar_subquery()
    query = select(Webhook, count).options(joinedload(Webhook.job)).order_by(Webhook.name)
    rows = db.session.execute(query).all()
    return render_template(
        "admin/webhooks.html", rows=rows, forms=FORMS, may_change=allowed("change", Webhook)
    )


@blueprint.get("/new")
def new() -> str:
    require("change", Webhook)
    return _form_page(None, webhook_form.blank())


@blueprint.post("/new")
def create() -> Response:
    require("change", Webhook)
    require_confirmed()
    return _save(None)


@blueprint.get("/<uuid:webhook_id>")
def show(webhook_id: UUID) -> str:
    webhook = find_webhook(webhook_id)
    return render_template(
        "admin/webhook.html",
        webhook=webhook,
        form=webhook_form.of_webhook(webhook),
        rules=webhooks.rules_of(webhook),
        forms=FORMS,
        commit_word=next(
            word
            for key, word in webhook_form.COMMIT_WORDS.items()
            if webhook_form.COMMITS[key] is webhook.commit
        ),
        address=address_of(webhook),
        rows=deliveries_of(webhook, LATEST),
        runs=results_by(webhook.id),
        may_change=allowed("change", webhook),
        may_delete=allowed("delete", webhook),
        may_send=may_send(webhook),
    )


@blueprint.get("/<uuid:webhook_id>/edit")
def edit(webhook_id: UUID) -> str:
    webhook = find_webhook(webhook_id)
    require("change", webhook)
    return _form_page(webhook, webhook_form.of_webhook(webhook))


@blueprint.post("/<uuid:webhook_id>/edit")
def change(webhook_id: UUID) -> Response:
    webhook = find_webhook(webhook_id)
    require("change", webhook)
    return _save(webhook)


@blueprint.post("/<uuid:webhook_id>/secret")
def renew_secret(webhook_id: UUID) -> Response:
    """Make a new secret, which is shown this one time."""
    webhook = find_webhook(webhook_id)
    require("change", webhook)
    require_confirmed()
    return _shown_once(webhook, webhook_form.renew_secret(webhook))


@blueprint.post("/<uuid:webhook_id>/delete")
def delete(webhook_id: UUID) -> Response:
    webhook = find_webhook(webhook_id)
    name = webhook.name
    webhook_form.remove(webhook)
    flash(f"Deleted the webhook {name}.")
    return make_response(redirect(url_for("webhook_pages.index"), HTTPStatus.SEE_OTHER))


def _save(known: Webhook | None) -> Response:
    form = webhook_form.sent()
    saved = webhook_form.save(form, known)
    if saved is None:
        shown = find_webhook(known.id) if known is not None else None
        return make_response(_form_page(shown, form), HTTPStatus.UNPROCESSABLE_ENTITY)
    webhook, secret = saved
    if secret:
        return _shown_once(webhook, secret)
    flash(f"Saved the webhook {webhook.name}.")
    page = url_for("webhook_pages.show", webhook_id=webhook.id)
    return make_response(redirect(page, HTTPStatus.SEE_OTHER))


def _shown_once(webhook: Webhook, secret: str) -> Response:
    page = render_template(
        "admin/webhook_secret.html", webhook=webhook, secret=secret, address=address_of(webhook)
    )
    return make_response(page)


def _form_page(webhook: Webhook | None, form: AdminForm) -> str:
    return render_template(
        "admin/webhook_edit.html",
        webhook=webhook,
        form=form,
        jobs=offer(webhook.job if webhook is not None else None, chosen_job(form.text("job"))),
        forms=FORMS,
        commits=webhook_form.COMMIT_WORDS,
        operators=OPERATORS,
    )
