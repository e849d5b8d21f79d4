"""Which webhook a page is about, and who may have runs made in the name of somebody."""

from uuid import UUID

from flask import current_app, url_for

from store.models import Webhook
from store.permissions import Forbidden, NotVisible
from store.settings import Settings
from webapp.auth import allowed, require, signed_in_user
from webapp.database import db
from worker import webhooks


def find_webhook(webhook_id: UUID) -> Webhook:
    webhook = webhooks.find(db.session(), webhook_id)
    if webhook is None:
        raise NotVisible
    require("view", webhook)
    return webhook


def may_send(webhook: Webhook) -> bool:
    """Tell whether one may have runs made in the name of whom it runs as: as oneself, or as a superuser."""
    me = signed_in_user()
    return allowed("change", webhook) and (me.superuser or webhook.user_id == me.id)


def require_send(webhook: Webhook) -> None:
    require("change", webhook)
    if not may_send(webhook):
        raise Forbidden(f"It runs as {webhook.username}: only a superuser may do this for somebody else.")


def settings() -> Settings:
    found: Settings = current_app.extensions["errand"].settings
    return found


def address_of(webhook: Webhook) -> str:
    return url_for("webhooks.receive", webhook_id=webhook.id, _external=True)
