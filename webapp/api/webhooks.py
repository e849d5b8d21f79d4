"""Webhooks: which signed requests of other programs run which jobs, and what came."""

import uuid
from typing import Annotated, Any, Literal

from flask import url_for
from pydantic import AfterValidator, Field
from sqlalchemy import select
from sqlalchemy.orm import joinedload
from werkzeug.exceptions import Conflict

from store.models import Webhook, WebhookDelivery
from store.permissions import require, visible
from webapp import webhook_form
from webapp.admin_forms import AdminForm
from webapp.api.calls import Body, Query, call
from webapp.api.forms import MOST_LISTED, Inputs, given, saved
from webapp.api.given import Text
from webapp.api.listing import Order, Sorted, part
from webapp.api.paging import page
from webapp.api.shapes import Page
from webapp.api.shapes import triggers as shapes
from webapp.api.tokens import user
from webapp.api.triggers import Triggers, narrowed
from webapp.choosing_jobs import class_paths_to_choose
from webapp.database import db
from webapp.webhook_access import find_webhook, require_send, settings
from webapp.webhook_deliveries import LONGEST_BODY, find_delivery, send_again
from worker.payloads import Headers
from worker.refusals import NoRun
from worker.webhook_trial import try_out

ORDER = Order({"name": Webhook.name, "created_at": Webhook.created_at}, Webhook.id, "name")
ORDER_OF_DELIVERIES = Order({"id": WebhookDelivery.id}, WebhookDelivery.id, "-id")

FormName = Literal["generic", "github"]
OutcomeName = Literal["accepted", "unmatched", "refused", "repeated", "unsigned"]


def _one_line(text: str) -> str:
    if len(text.splitlines()) > 1:
        raise ValueError("Write each rule in one line.")
    return text


RuleText = Annotated[Text, AfterValidator(_one_line)]


class NewWebhook(Body):
    name: Text
    job: Text = Field(description="The id or class path of a job.")
    user: Text = Field("", description="As whom it runs; somebody else than oneself only for a superuser.")
    form: FormName = Field("generic", description="How requests are signed.")
    rules: list[RuleText] = Field([], description="What has to hold: payload.ref equals refs/heads/main.")
    data: Inputs = Field({}, description="Values, or texts with references to the request.")
    commit: bool | None = None
    queue: Text = ""
    enabled: bool = True


class ChangedWebhook(Body):
    """Only what is given is changed."""

    name: Text = ""
    job: Text = ""
    user: Text = ""
    form: FormName = "generic"
    rules: list[RuleText] = []
    data: Inputs = Field({}, description="All inputs, in place of those that there are.")
    commit: bool | None = None
    queue: Text = ""
    enabled: bool = True


class Sample(Body):
    headers: dict[Text, Text] = {}
    body: Text = Field("", max_length=LONGEST_BODY)


class Deliveries(Sorted):
    outcome: list[OutcomeName] = []


@call(query=Triggers, answers={200: Page[shapes.WebhookShape]}, tag="webhooks")
def webhooks(query: Triggers) -> Any:
    """List webhooks."""
    require(user(), "view", Webhook)
    wanted = narrowed(visible(select(Webhook), user(), Webhook), Webhook, query)
    rows, more = part(db.session(), wanted.options(joinedload(Webhook.job)), query, ORDER)
    return page([shapes.webhook(row) for row in rows], more)


@call(answers={200: shapes.WebhookShape}, tag="webhooks")
def webhook(query: Query, webhook_id: uuid.UUID) -> Any:
    """Show a webhook."""
    return shapes.webhook(find_webhook(webhook_id))


@call(body=NewWebhook, answers={201: shapes.SecretWebhookShape}, tag="webhooks")
def create_webhook(query: Query, body: NewWebhook) -> Any:
    """Have signed requests run a job. The secret is shown this one time."""
    require(user(), "change", Webhook)
    made, secret = _saved(AdminForm({**webhook_form.blank().values, **_given(body)}), None)
    location = url_for("api.webhook", webhook_id=made.id)
    return shapes.secret_webhook(find_webhook(made.id), secret), 201, {"Location": location}


@call(body=ChangedWebhook, answers={200: shapes.WebhookShape}, tag="webhooks")
def change_webhook(query: Query, webhook_id: uuid.UUID, body: ChangedWebhook) -> Any:
    """Change a webhook."""
    row = find_webhook(webhook_id)
    require(user(), "change", row)
    there = {**webhook_form.of_webhook(row).values, "data": row.data}
    _saved(AdminForm({**there, **_given(body)}), row)
    return shapes.webhook(find_webhook(webhook_id))


@call(answers={204: None}, tag="webhooks")
def delete_webhook(query: Query, webhook_id: uuid.UUID) -> Any:
    """Delete a webhook; its results stay."""
    webhook_form.remove(find_webhook(webhook_id))
    return None, 204


@call(answers={200: shapes.SecretWebhookShape}, tag="webhooks")
def renew_webhook_secret(query: Query, webhook_id: uuid.UUID) -> Any:
    """Give a webhook a new secret, which is shown this one time. The one before stays right for a while."""
    secret = webhook_form.renew_secret(find_webhook(webhook_id))
    return shapes.secret_webhook(find_webhook(webhook_id), secret)


@call(body=Sample, answers={200: shapes.TrialShape}, tag="webhooks")
def try_webhook(query: Query, webhook_id: uuid.UUID, body: Sample) -> Any:
    """Say step by step what would become of a request, without doing it."""
    row = find_webhook(webhook_id)
    require_send(row)
    steps = try_out(db.session(), settings(), row, Headers(body.headers), body.body.encode())
    return shapes.trial(steps)


@call(query=Deliveries, answers={200: Page[shapes.DeliveryLine]}, tag="webhooks")
def webhook_deliveries(query: Deliveries, webhook_id: uuid.UUID) -> Any:
    """List what came to a webhook, the latest first."""
    wanted = select(WebhookDelivery).where(WebhookDelivery.webhook_id == find_webhook(webhook_id).id)
    if query.outcome:
        wanted = wanted.where(WebhookDelivery.outcome.in_(query.outcome))
    rows, more = part(db.session(), wanted, query, ORDER_OF_DELIVERIES)
    return page([shapes.delivery_line(row) for row in rows], more)


@call(answers={200: shapes.WebhookDeliveryShape}, tag="webhooks")
def webhook_delivery(query: Query, webhook_id: uuid.UUID, number: int) -> Any:
    """Show what came once, with what was kept of it."""
    row = find_webhook(webhook_id)
    return shapes.delivery(find_delivery(row, number), row)


@call(answers={200: shapes.WebhookAnswerShape}, tag="webhooks")
def send_delivery_again(query: Query, webhook_id: uuid.UUID, number: int) -> Any:
    """Have what came once be judged, and run, as if it came now."""
    try:
        return shapes.answer(send_again(find_webhook(webhook_id), number))
    except NoRun as refusal:
        raise Conflict(str(refusal)) from refusal


def _given(body: NewWebhook | ChangedWebhook) -> dict[str, Any]:
    """Return what a body gives, as the form has it."""
    values = given(body)
    if name := values.pop("user", ""):
        values["username"] = name
    if "rules" in values:
        values["rules"] = "\n".join(values["rules"])
    if "commit" in values:
        words = {commit: word for word, commit in webhook_form.COMMITS.items()}
        values["commit"] = words[values["commit"]]
    return values


def _saved(form: AdminForm, known: Webhook | None) -> tuple[Webhook, str]:
    return saved(
        form,
        lambda form: webhook_form.save(form, known),
        choices=lambda: {"job": class_paths_to_choose(MOST_LISTED + 1)},
        keys={"username": "user"},
    )
