"""Channels: places outside that are told what happens, Slack and webhooks of other programs."""

import secrets
from http import HTTPStatus
from typing import Any

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
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload

from store import audit
from store.decisions import MOST_VALUES
from store.lockbox import CannotUnlock, lock, unlock
from store.models import Channel
from store.notices import FOR_CHANNELS
from store.permissions import NotVisible
from store.settings import Settings
from store.text import clean_text
from webapp.admin_forms import AdminForm, check_name, line
from webapp.auth import allowed, require, signed_in_user
from webapp.database import db
from worker.notice_circle import try_out
from worker.outside import BadAddress, check_url

blueprint = Blueprint("channels", __name__, url_prefix="/admin/notifications")

KINDS = {"slack": "Slack", "webhook": "Webhook"}
LONGEST_ADDRESS, LONGEST_PATH = 2_000, 400


@blueprint.get("/")
def index() -> str:
    require("view", Channel)
    rows = db.session.scalars(select(Channel).order_by(Channel.name).options(joinedload(Channel.user))).all()
    return render_template(
        "admin/channels.html",
        rows=rows,
        kinds=KINDS,
        words=FOR_CHANNELS,
        may_change=allowed("change", Channel),
    )


@blueprint.get("/new")
def new() -> str:
    require("change", Channel)
    return _page(None, AdminForm({"enabled": True, "kind": "slack", "words": {"failed", "errored"}}))


@blueprint.post("/new")
def create() -> Response:
    require("change", Channel)
    return _save(None)


@blueprint.get("/<int(max=2147483647):channel_id>")
def show(channel_id: int) -> str:
    channel = _find(channel_id)
    require("view", channel)
    values = {
        "name": channel.name,
        "kind": channel.kind,
        "enabled": channel.enabled,
        "class_paths": "\n".join(channel.class_paths),
        "words": set(channel.words),
    }
    return _page(channel, AdminForm(values))


@blueprint.post("/<int(max=2147483647):channel_id>")
def change(channel_id: int) -> Response:
    channel = _find(channel_id)
    require("change", channel)
    return _save(channel)


@blueprint.post("/<int(max=2147483647):channel_id>/secret")
def renew_secret(channel_id: int) -> Response:
    """Make a new secret for a webhook. It is shown this one time."""
    channel = _find(channel_id)
    require("change", channel)
    if channel.kind != "webhook":
        raise NotVisible
    try:
        box = unlock(_settings().secret_key, channel.box)
    except CannotUnlock as error:
        flash(str(error), "warn")
        return _to(channel)
    secret = box["secret"] = _new_secret()
    channel.box = lock(_settings().secret_key, box)
    audit.note(db.session(), "channel.secret", channel.name)
    db.session.commit()
    return _shown_once(channel, secret)


@blueprint.post("/<int(max=2147483647):channel_id>/try")
def try_it(channel_id: int) -> Response:
    """Send a message that says nothing but that it arrived."""
    channel = _find(channel_id)
    require("change", channel)
    delivery = try_out(channel, signed_in_user().username)
    db.session.add(delivery)
    db.session.flush()
    audit.note(db.session(), "channel.try", channel.name)
    db.session.commit()
    flash("A message is on its way.")
    return make_response(redirect(url_for("deliveries.show", number=delivery.id), HTTPStatus.SEE_OTHER))


@blueprint.post("/<int(max=2147483647):channel_id>/delete")
def delete(channel_id: int) -> Response:
    channel = _find(channel_id)
    require("delete", channel)
    audit.note(db.session(), "channel.delete", channel.name, before=_told(channel))
    db.session.delete(channel)
    db.session.commit()
    flash(f"Deleted the channel {channel.name}.")
    return make_response(redirect(url_for("channels.index"), HTTPStatus.SEE_OTHER))


def _find(channel_id: int) -> Channel:
    query = select(Channel).where(Channel.id == channel_id).options(joinedload(Channel.user))
    channel: Channel | None = db.session.scalars(query).one_or_none()
    if channel is None:
        raise NotVisible
    return channel


def _save(channel: Channel | None) -> Response:
    form = _sent(channel)
    box = _box(form, channel)
    if form.errors:
        return make_response(_page(channel, form), HTTPStatus.UNPROCESSABLE_ENTITY)
    before = _told(channel) if channel is not None else None
    saved = channel or Channel(kind=form.text("kind"))
    secret = ""
    if channel is None and saved.kind == "webhook":
        secret = box["secret"] = _new_secret()
    saved.name, saved.enabled = form.text("name"), form.values["enabled"]
    saved.class_paths = form.text("class_paths").split()
    saved.words = [word for word in FOR_CHANNELS if word in form.values["words"]]
    # Who saves it answers for it: from here on it is told what that person may see.
    saved.user_id = signed_in_user().id
    if box:
        saved.place = _place(box)
        saved.box = lock(_settings().secret_key, box)
    db.session.add(saved)
    action = "channel.create" if channel is None else "channel.change"
    audit.note(db.session(), action, saved.name, before=before, after=_told(saved))
    try:
        db.session.commit()
    except IntegrityError:
        db.session.rollback()
        form.refuse("name", "There is a channel of this name already.")
        shown = db.session.get(Channel, channel.id) if channel is not None else None
        return make_response(_page(shown, form), HTTPStatus.UNPROCESSABLE_ENTITY)
    if secret:
        return _shown_once(saved, secret)
    flash(f"Saved the channel {saved.name}.")
    return _to(saved)


def _sent(channel: Channel | None) -> AdminForm:
    kind = channel.kind if channel is not None else request.form.get("kind", "")
    form = AdminForm(
        {
            "name": line(request.form, "name"),
            "kind": kind,
            "enabled": request.form.get("enabled") == "true",
            "class_paths": clean_text(request.form.get("class_paths", "")),
            "words": {word for word in request.form.getlist("words") if word in FOR_CHANNELS},
            # An address may hold what opens it, so it is not shown again; but what was refused was only typed.
            "address": line(request.form, "address")[: LONGEST_ADDRESS + 1],
        }
    )
    check_name(form, "name")
    if kind not in KINDS:
        form.refuse("kind", "Choose Slack or Webhook.")
    paths = form.text("class_paths").split()
    if len(paths) > MOST_VALUES or any(len(path) > LONGEST_PATH for path in paths):
        form.refuse("class_paths", f"Name at most {MOST_VALUES} jobs.")
    return form


def _box(form: AdminForm, channel: Channel | None) -> dict[str, Any]:
    """Return what is to be locked away; {} where the address stays as it is."""
    address = form.text("address")
    if not address:
        if channel is None:
            form.refuse("address", "This field is required.")
        return {}
    if form.text("kind") == "slack" and address.startswith("#"):
        if not _settings().notices.slack_token:
            form.refuse("address", "For a channel by its name the portal needs ERRAND_SLACK_TOKEN.")
        if len(address) > 81:
            form.refuse("address", "The name of a channel has at most 80 characters.")
        return {"channel": address}
    try:
        check_url(address, _settings().notices)
    except BadAddress as error:
        form.refuse("address", str(error))
    try:
        known = unlock(_settings().secret_key, channel.box) if channel is not None else {}
    except CannotUnlock:
        known = {"secret": _new_secret()}
    return {**{name: known[name] for name in ("secret",) if name in known}, "url": address}


def _place(box: dict[str, Any]) -> str:
    host: str = box.get("channel") or check_url(box["url"], _settings().notices).hostname or ""
    return host[:255]


def _told(channel: Channel) -> dict[str, Any]:
    return {
        "kind": channel.kind,
        "place": channel.place,
        "enabled": channel.enabled,
        "class_paths": list(channel.class_paths),
        "words": list(channel.words),
    }


def _new_secret() -> str:
    return f"whsec_{secrets.token_urlsafe(32)}"


def _settings() -> Settings:
    settings: Settings = current_app.extensions["errand"].settings
    return settings


def _shown_once(channel: Channel, secret: str) -> Response:
    return make_response(render_template("admin/channel_secret.html", channel=channel, secret=secret))


def _to(channel: Channel) -> Response:
    return make_response(redirect(url_for("channels.show", channel_id=channel.id), HTTPStatus.SEE_OTHER))


def _page(channel: Channel | None, form: AdminForm) -> str:
    return render_template(
        "admin/channel.html",
        channel=channel,
        form=form,
        kinds=KINDS,
        words=list(FOR_CHANNELS.items()),
        has_token=bool(_settings().notices.slack_token),
        may_change=allowed("change", channel or Channel),
        may_delete=channel is not None and allowed("delete", channel),
    )
