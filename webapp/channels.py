"""Channels: places outside that are told what happens: Slack, webhooks of other programs, and people by mail."""

from http import HTTPStatus

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
from sqlalchemy.orm import joinedload

from jobs.errors import InvalidData
from store.lockbox import CannotUnlock
from store.models import Channel
from store.notices import FOR_CHANNELS
from store.permissions import NotVisible
from store.settings import Settings
from store.text import clean_text
from webapp.admin_forms import AdminForm, line
from webapp.auth import allowed, require, signed_in_user
from webapp.channel_form import KINDS, LONGEST_ADDRESS, drop, save, send_try, values_of
from webapp.channel_form import new as new_values
from webapp.channel_form import renew_secret as make_secret
from webapp.confirming import require_confirmed
from webapp.database import db

blueprint = Blueprint("channels", __name__, url_prefix="/admin/notifications")


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
    return _page(None, AdminForm(new_values("slack") | {"words": {"failed", "errored"}}))


@blueprint.post("/new")
def create() -> Response:
    require("change", Channel)
    if request.form.get("kind") == "webhook":
        # Its secret is shown.
        require_confirmed()
    return _save(None)


@blueprint.get("/<int(max=2147483647):channel_id>")
def show(channel_id: int) -> str:
    channel = _find(channel_id)
    require("view", channel)
    return _page(channel, AdminForm(values_of(channel)))


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
    require_confirmed()
    try:
        secret = make_secret(db.session(), _settings(), channel)
    except CannotUnlock as error:
        flash(str(error), "warn")
        return _to(channel)
    return _shown_once(channel, secret)


@blueprint.post("/<int(max=2147483647):channel_id>/try")
def try_it(channel_id: int) -> Response:
    """Send a message that says nothing but that it arrived."""
    channel = _find(channel_id)
    require("change", channel)
    delivery = send_try(db.session(), channel, signed_in_user())
    flash("A message is on its way.")
    return make_response(redirect(url_for("deliveries.show", number=delivery.id), HTTPStatus.SEE_OTHER))


@blueprint.post("/<int(max=2147483647):channel_id>/delete")
def delete(channel_id: int) -> Response:
    channel = _find(channel_id)
    require("delete", channel)
    drop(db.session(), channel)
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
    try:
        saved, secret = save(db.session(), _settings(), form, channel, signed_in_user())
    except InvalidData:
        shown = _find(channel.id) if channel is not None else None
        return make_response(_page(shown, form), HTTPStatus.UNPROCESSABLE_ENTITY)
    if secret:
        return _shown_once(saved, secret)
    flash(f"Saved the channel {saved.name}.")
    return _to(saved)


def _sent(channel: Channel | None) -> AdminForm:
    kind = channel.kind if channel is not None else request.form.get("kind", "")
    return AdminForm(
        {
            "name": line(request.form, "name"),
            "kind": kind,
            "enabled": request.form.get("enabled") == "true",
            "class_paths": clean_text(request.form.get("class_paths", "")),
            "sender": line(request.form, "sender"),
            "receivers": clean_text(request.form.get("receivers", "")),
            "words": {word for word in request.form.getlist("words") if word in FOR_CHANNELS},
            # An address may hold what opens it, so it is not shown again; but what was refused was only typed.
            "address": line(request.form, "address")[: LONGEST_ADDRESS + 1],
        }
    )


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
