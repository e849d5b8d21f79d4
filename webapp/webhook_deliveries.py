"""What came to a webhook, what would become of a sample, and sending again."""

from http import HTTPStatus
from uuid import UUID

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import undefer

from store import audit
from store.models import JobResult, Webhook, WebhookDelivery
from store.permissions import NotVisible
from store.text import clean_text
from webapp.admin_forms import AdminForm
from webapp.auth import allowed, signed_in_user
from webapp.database import db
from webapp.mapped_inputs import written
from webapp.webhook_access import find_webhook, may_send, require_send, settings
from worker import webhooks
from worker.payloads import Headers
from worker.refusals import NoRun
from worker.webhook_log import Answer, keeps_secrets
from worker.webhook_trial import try_out

blueprint = Blueprint("webhook_deliveries", __name__, url_prefix="/admin/webhooks/<uuid:webhook_id>")

OUTCOMES = {
    "accepted": "Accepted",
    "unmatched": "Not matched",
    "refused": "Refused",
    "repeated": "Repeated",
    "unsigned": "Not signed",
}
PAGE_SIZE = 50
#: Of what is typed in to be tried.
LONGEST_BODY, LONGEST_HEADERS = 200_000, 10_000


@blueprint.app_context_processor
def offer_words() -> dict[str, object]:
    return {"webhook_outcomes": OUTCOMES}


@blueprint.get("/test")
def test(webhook_id: UUID) -> str:
    """Ask for a sample, or begin with what once came."""
    webhook = find_webhook(webhook_id)
    require_send(webhook)
    values = {"headers": "Content-Type: application/json", "body": "{}"}
    number = request.args.get("delivery", "")
    if number.isascii() and number.isdecimal() and len(number) < 10:
        delivery = find_delivery(webhook, int(number))
        values["headers"] = "\n".join(f"{name}: {value}" for name, value in delivery.headers.items())
        values["body"] = clean_text((delivery.body or b"").decode("utf-8", "replace"))
    return render_template("admin/webhook_test.html", webhook=webhook, form=AdminForm(values), steps=None)


@blueprint.post("/test")
def try_it(webhook_id: UUID) -> Response:
    """Say step by step what would become of a sample."""
    webhook = find_webhook(webhook_id)
    require_send(webhook)
    form = AdminForm({name: clean_text(request.form.get(name, "")).strip() for name in ("headers", "body")})
    if len(form.text("body")) > LONGEST_BODY:
        form.refuse("body", f"Use at most {LONGEST_BODY:,} characters.")
    headers = _headers(form)
    steps = None
    if not form.errors:
        steps = try_out(db.session(), settings(), webhook, headers, form.text("body").encode())
    page = render_template(
        "admin/webhook_test.html", webhook=webhook, form=form, steps=steps, written=written
    )
    return make_response(page, HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK)


@blueprint.get("/deliveries")
def index(webhook_id: UUID) -> str:
    webhook = find_webhook(webhook_id)
    outcome, before = request.args.get("outcome", ""), request.args.get("before", "")
    outcome = outcome if outcome in OUTCOMES else ""
    rows = deliveries_of(webhook, PAGE_SIZE + 1, outcome=outcome, before=before)
    return render_template(
        "admin/webhook_deliveries.html",
        webhook=webhook,
        rows=rows[:PAGE_SIZE],
        outcome=outcome,
        before=before,
        more=rows[PAGE_SIZE - 1].id if len(rows) > PAGE_SIZE else None,
    )


@blueprint.get("/deliveries/<int(max=2147483647):number>")
def show(webhook_id: UUID, number: int) -> str:
    webhook = find_webhook(webhook_id)
    row = find_delivery(webhook, number)
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
        may_send=may_send(webhook),
    )


@blueprint.post("/deliveries/<int(max=2147483647):number>/again")
def again(webhook_id: UUID, number: int) -> Response:
    """Have what came once run again, for real."""
    webhook = find_webhook(webhook_id)
    try:
        answer = send_again(webhook, number)
    except NoRun as refusal:
        flash(str(refusal), "warn")
        page = url_for("webhook_deliveries.show", webhook_id=webhook_id, number=number)
        return make_response(redirect(page, HTTPStatus.SEE_OTHER))
    if answer.outcome == "accepted":
        page = url_for("results.show", result_id=answer.result_id)
    else:
        flash(answer.reason, "warn")
        page = url_for("webhook_pages.show", webhook_id=webhook_id)
    return make_response(redirect(page, HTTPStatus.SEE_OTHER))


def send_again(webhook: Webhook, number: int) -> Answer:
    """Have what came once be judged, and run, as if it came now. Raises NoRun where it cannot."""
    require_send(webhook)
    row = find_delivery(webhook, number)
    username, session = signed_in_user().username, db.session()
    audit.note(session, "webhook.again", webhook.name, after={"delivery": number})
    session.commit()
    return webhooks.send_again(session, settings(), webhook, row, username)


def find_delivery(webhook: Webhook, number: int) -> WebhookDelivery:
    query = select(WebhookDelivery).where(
        WebhookDelivery.webhook_id == webhook.id, WebhookDelivery.id == number
    )
    found: WebhookDelivery | None = db.session.scalars(
        query.options(undefer(WebhookDelivery.body))
    ).one_or_none()
    if found is None:
        raise NotVisible
    return found


def deliveries_of(
    webhook: Webhook, most: int, *, outcome: str = "", before: str = ""
) -> list[WebhookDelivery]:
    query = select(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook.id)
    if outcome:
        query = query.where(WebhookDelivery.outcome == outcome)
    if before.isascii() and before.isdecimal() and len(before) < 10:
        query = query.where(WebhookDelivery.id < int(before))
    return list(db.session.scalars(query.order_by(WebhookDelivery.id.desc()).limit(most)))


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
