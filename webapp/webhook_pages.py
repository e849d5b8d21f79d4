"""The pages about webhooks: which signed requests run which jobs, and what came."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from flask import (
    Blueprint,
    Response,
    current_app,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload, undefer

from store import audit
from store.models import JobResult, Webhook, WebhookDelivery
from store.permissions import Forbidden, NotVisible
from store.settings import Settings
from store.text import clean_text
from webapp import webhook_form
from webapp.admin_forms import AdminForm
from webapp.auth import allowed, require, signed_in_user
from webapp.database import db
from webapp.history import results_by
from webapp.mapped_inputs import written
from worker import webhooks
from worker.matching import OPERATORS
from worker.payloads import Headers
from worker.refusals import NoRun
from worker.signatures import FORMS
from worker.webhook_log import keeps_secrets
from worker.webhook_trial import try_out

blueprint = Blueprint("webhook_pages", __name__, url_prefix="/admin/webhooks")

OUTCOMES = {
    "accepted": "Accepted",
    "unmatched": "Not matched",
    "refused": "Refused",
    "repeated": "Repeated",
    "unsigned": "Not signed",
}
LATEST, PAGE_SIZE = 10, 50
#: Of what is typed in to be tried.
LONGEST_BODY, LONGEST_HEADERS = 200_000, 10_000


@blueprint.app_context_processor
def offer_words() -> dict[str, object]:
    return {"webhook_outcomes": OUTCOMES}


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
    return _save(None)


@blueprint.get("/<uuid:webhook_id>")
def show(webhook_id: UUID) -> str:
    webhook = _find(webhook_id)
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
        address=_address(webhook),
        rows=_deliveries(webhook, {}, LATEST),
        runs=results_by(webhook.id),
        may_change=allowed("change", webhook),
        may_delete=allowed("delete", webhook),
        may_send=_may_send(webhook),
    )


@blueprint.get("/<uuid:webhook_id>/edit")
def edit(webhook_id: UUID) -> str:
    webhook = _find(webhook_id)
    require("change", webhook)
    return _form_page(webhook, webhook_form.of_webhook(webhook))


@blueprint.post("/<uuid:webhook_id>/edit")
def change(webhook_id: UUID) -> Response:
    webhook = _find(webhook_id)
    require("change", webhook)
    return _save(webhook)


@blueprint.post("/<uuid:webhook_id>/secret")
def renew_secret(webhook_id: UUID) -> Response:
    """Make a new secret, which is shown this one time."""
    webhook = _find(webhook_id)
    _require_send(webhook)
    secret = webhooks.new_secret(_settings(), webhook)
    audit.note(db.session(), "webhook.secret", webhook.name)
    db.session.commit()
    return _shown_once(webhook, secret)


@blueprint.post("/<uuid:webhook_id>/delete")
def delete(webhook_id: UUID) -> Response:
    webhook = _find(webhook_id)
    require("delete", webhook)
    audit.note(db.session(), "webhook.delete", webhook.name, before=_told(webhook))
    db.session.delete(webhook)
    db.session.commit()
    flash(f"Deleted the webhook {webhook.name}.")
    return make_response(redirect(url_for("webhook_pages.index"), HTTPStatus.SEE_OTHER))


@blueprint.get("/<uuid:webhook_id>/test")
def test(webhook_id: UUID) -> str:
    """Ask for a sample, or begin with what once came."""
    webhook = _find(webhook_id)
    require("change", webhook)
    values = {"headers": "Content-Type: application/json", "body": "{}"}
    number = request.args.get("delivery", "")
    if number.isascii() and number.isdecimal() and len(number) < 10:
        delivery = _find_delivery(webhook, int(number))
        values["headers"] = "\n".join(f"{name}: {value}" for name, value in delivery.headers.items())
        values["body"] = clean_text((delivery.body or b"").decode("utf-8", "replace"))
    return render_template("admin/webhook_test.html", webhook=webhook, form=AdminForm(values), steps=None)


@blueprint.post("/<uuid:webhook_id>/test")
def try_it(webhook_id: UUID) -> Response:
    """Say step by step what would become of a sample."""
    webhook = _find(webhook_id)
    require("change", webhook)
    form = AdminForm({name: clean_text(request.form.get(name, "")).strip() for name in ("headers", "body")})
    if len(form.text("body")) > LONGEST_BODY:
        form.refuse("body", f"Use at most {LONGEST_BODY:,} characters.")
    headers = _headers(form)
    steps = None
    if not form.errors:
        steps = try_out(db.session(), _settings(), webhook, headers, form.text("body").encode())
    page = render_template(
        "admin/webhook_test.html", webhook=webhook, form=form, steps=steps, written=written
    )
    return make_response(page, HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK)


@blueprint.get("/<uuid:webhook_id>/deliveries")
def deliveries(webhook_id: UUID) -> str:
    webhook = _find(webhook_id)
    outcome, before = request.args.get("outcome", ""), request.args.get("before", "")
    wanted = {"outcome": outcome if outcome in OUTCOMES else "", "before": before}
    rows = _deliveries(webhook, wanted, PAGE_SIZE + 1)
    return render_template(
        "admin/webhook_deliveries.html",
        webhook=webhook,
        rows=rows[:PAGE_SIZE],
        outcome=wanted["outcome"],
        before=before,
        more=rows[PAGE_SIZE - 1].id if len(rows) > PAGE_SIZE else None,
    )


@blueprint.get("/<uuid:webhook_id>/deliveries/<int(max=2147483647):number>")
def delivery(webhook_id: UUID, number: int) -> str:
    webhook = _find(webhook_id)
    row = _find_delivery(webhook, number)
    there = row.result_id is not None and db.session.get(JobResult, row.result_id) is not None
    return render_template(
        "admin/webhook_delivery.html",
        webhook=webhook,
        row=row,
        there=there,
        body=clean_text(row.body.decode("utf-8", "replace")) if row.body is not None else None,
        discreet=keeps_secrets(webhook),
        why_not_again=webhooks.why_not_again(webhook, row),
        may_change=allowed("change", webhook),
        may_send=_may_send(webhook),
    )


@blueprint.post("/<uuid:webhook_id>/deliveries/<int(max=2147483647):number>/again")
def again(webhook_id: UUID, number: int) -> Response:
    """Have what came once run again, for real."""
    webhook = _find(webhook_id)
    _require_send(webhook)
    row = _find_delivery(webhook, number)
    username, session = signed_in_user().username, db.session()
    audit.note(session, "webhook.again", webhook.name, after={"delivery": number})
    session.commit()
    try:
        answer = webhooks.send_again(session, _settings(), webhook, row, username)
    except NoRun as refusal:
        flash(str(refusal), "warn")
        page = url_for("webhook_pages.delivery", webhook_id=webhook_id, number=number)
        return make_response(redirect(page, HTTPStatus.SEE_OTHER))
    if answer.outcome == "accepted":
        page = url_for("results.show", result_id=answer.result_id)
    else:
        flash(answer.reason, "warn")
        page = url_for("webhook_pages.show", webhook_id=webhook_id)
    return make_response(redirect(page, HTTPStatus.SEE_OTHER))


# --- What there is --------------------------------------------------------------------------------------------


def _find(webhook_id: UUID) -> Webhook:
    webhook = webhooks.find(db.session(), webhook_id)
    if webhook is None:
        raise NotVisible
    require("view", webhook)
    return webhook


def _find_delivery(webhook: Webhook, number: int) -> WebhookDelivery:
    query = select(WebhookDelivery).where(
        WebhookDelivery.webhook_id == webhook.id, WebhookDelivery.id == number
    )
    found: WebhookDelivery | None = db.session.scalars(
        query.options(undefer(WebhookDelivery.body))
    ).one_or_none()
    if found is None:
        raise NotVisible
    return found


def _deliveries(webhook: Webhook, wanted: dict[str, str], most: int) -> list[WebhookDelivery]:
    query = select(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook.id)
    if outcome := wanted.get("outcome"):
        query = query.where(WebhookDelivery.outcome == outcome)
    before = wanted.get("before", "")
    if before.isascii() and before.isdecimal() and len(before) < 10:
        query = query.where(WebhookDelivery.id < int(before))
    return list(db.session.scalars(query.order_by(WebhookDelivery.id.desc()).limit(most)))


def _may_send(webhook: Webhook) -> bool:
    """Tell whether one may have runs made in the name of whom it runs as: as oneself, or as a superuser."""
    me = signed_in_user()
    return allowed("change", webhook) and (me.superuser or webhook.user_id == me.id)


def _require_send(webhook: Webhook) -> None:
    require("change", webhook)
    if not _may_send(webhook):
        raise Forbidden(f"It runs as {webhook.username}: only a superuser may do this for somebody else.")


def _headers(form: AdminForm) -> Headers:
    headers: dict[str, str] = {}
    if len(form.text("headers")) > LONGEST_HEADERS:
        form.refuse("headers", f"Use at most {LONGEST_HEADERS:,} characters.")
        return Headers(headers)
    for number, text in enumerate(form.text("headers").splitlines(), 1):
        name, colon, value = (part.strip() for part in text.partition(":"))
        if text.strip() and not (name and colon):
            form.refuse("headers", f"Line {number}: write Name: value.")
        elif name:
            headers[name] = value
    return Headers(headers)


# --- Saving ---------------------------------------------------------------------------------------------------


def _save(known: Webhook | None) -> Response:
    form = webhook_form.sent()
    before = _told(known) if known is not None else None
    webhook = known or Webhook()
    with db.session.no_autoflush:
        webhook_form.apply(form, webhook)
    secret = ""
    if not form.errors:
        if known is None:
            secret = webhooks.new_secret(_settings(), webhook)
        _write(webhook, form, before)
    if form.errors:
        db.session.rollback()
        shown = _find(known.id) if known is not None else None
        return make_response(_form_page(shown, form), HTTPStatus.UNPROCESSABLE_ENTITY)
    if secret:
        return _shown_once(webhook, secret)
    flash(f"Saved the webhook {webhook.name}.")
    page = url_for("webhook_pages.show", webhook_id=webhook.id)
    return make_response(redirect(page, HTTPStatus.SEE_OTHER))


def _write(webhook: Webhook, form: AdminForm, before: dict[str, Any] | None) -> None:
    db.session.add(webhook)
    act = "webhook.create" if before is None else "webhook.change"
    audit.note(db.session(), act, webhook.name, before=before, after=_told(webhook))
    try:
        db.session.commit()
    except IntegrityError:
        db.session.rollback()
        form.refuse("name", "There is a webhook of this name already.")


def _told(webhook: Webhook) -> dict[str, Any]:
    return {
        "name": webhook.name,
        "job": webhook.job.class_path if webhook.job else None,
        "runs_as": webhook.username,
        "signed": webhook.form,
        "rules": [str(rule) for rule in webhooks.rules_of(webhook)],
        "inputs": webhook.data,
        "commit": webhook.commit,
        "queue": webhook.queue,
        "enabled": webhook.enabled,
    }


def _settings() -> Settings:
    settings: Settings = current_app.extensions["errand"].settings
    return settings


def _address(webhook: Webhook) -> str:
    return url_for("webhooks.receive", webhook_id=webhook.id, _external=True)


def _shown_once(webhook: Webhook, secret: str) -> Response:
    page = render_template(
        "admin/webhook_secret.html", webhook=webhook, secret=secret, address=_address(webhook)
    )
    return make_response(page)


def _form_page(webhook: Webhook | None, form: AdminForm) -> str:
    jobs = webhook_form.jobs_to_choose()
    if webhook is not None and webhook.job is not None:
        jobs.setdefault(str(webhook.job_id), webhook.job)
    return render_template(
        "admin/webhook_edit.html",
        webhook=webhook,
        form=form,
        jobs=jobs,
        forms=FORMS,
        commits=webhook_form.COMMIT_WORDS,
        operators=OPERATORS,
    )
