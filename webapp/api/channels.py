"""Channels: places outside that are told what happens."""

from typing import Any, Literal

from flask import current_app, url_for
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import joinedload
from werkzeug.exceptions import Conflict

from store.lockbox import CannotUnlock
from store.models import Channel
from store.notices import FOR_CHANNELS
from store.permissions import NotVisible, require
from store.settings import Settings
from webapp import channel_form
from webapp.admin_forms import AdminForm
from webapp.api.calls import Body, Query, call
from webapp.api.errors import InvalidRequest
from webapp.api.given import Text
from webapp.api.listing import Order, Sorted, part
from webapp.api.paging import page
from webapp.api.shapes import Page
from webapp.api.shapes import notices as shapes
from webapp.api.tokens import user
from webapp.database import db

ORDER = Order(
    {"name": Channel.name, "id": Channel.id, "created_at": Channel.created_at}, Channel.name, "name"
)


class ChannelChange(Body):
    name: Text = ""
    enabled: bool = True
    class_paths: list[Text] = Field(
        [],
        description="About which jobs, with `*` for anything, or `dialect:bots` for all of one; none: all.",
    )
    words: list[Text] = Field([], description="On what: " + ", ".join(FOR_CHANNELS))
    sender: Text = Field("", description="Of mail: whom it comes from.")
    receivers: list[Text] = Field([], description="Of mail: who gets it.")
    address: Text = Field("", max_length=channel_form.LONGEST_ADDRESS, description="Never told again.")


class ChannelToMake(ChannelChange):
    kind: Literal["slack", "webhook", "mail"]


@call(query=Sorted, answers={200: Page[shapes.ChannelShape]}, tag="channels")
def channels(query: Sorted) -> Any:
    """List channels."""
    require(user(), "view", Channel)
    rows, more = part(db.session(), select(Channel).options(joinedload(Channel.user)), query, ORDER)
    return page([_shown(row) for row in rows], more)


@call(answers={200: shapes.ChannelShape}, tag="channels")
def channel(query: Query, key: int) -> Any:
    """Show a channel."""
    found = _find(key)
    require(user(), "view", found)
    return _shown(found)


@call(body=ChannelToMake, answers={201: shapes.NewChannelShape}, tag="channels")
def create_channel(query: Query, body: ChannelToMake) -> Any:
    """Make a channel. The secret that a webhook's messages are signed with is told this one time."""
    require(user(), "change", Channel)
    form = _form(channel_form.new(body.kind), body)
    made, secret = channel_form.save(db.session(), _settings(), form, None, user())
    headers = {"Location": url_for("api.channel", key=made.id)}
    return shapes.new_channel(made, user().username, secret), 201, headers


@call(body=ChannelChange, answers={200: shapes.ChannelShape}, tag="channels")
def change_channel(query: Query, key: int, body: ChannelChange) -> Any:
    """Change a channel. From here on it is told what you may see."""
    found = _find(key)
    require(user(), "change", found)
    form = _form(channel_form.values_of(found), body)
    channel_form.save(db.session(), _settings(), form, found, user())
    return shapes.channel(found, user().username)


@call(answers={204: None}, tag="channels")
def delete_channel(query: Query, key: int) -> Any:
    """Delete a channel."""
    found = _find(key)
    require(user(), "delete", found)
    channel_form.drop(db.session(), found)
    return None, 204


@call(answers={200: shapes.NewChannelShape}, tag="channels")
def renew_channel_secret(query: Query, key: int) -> Any:
    """Make a new secret for a webhook. It is told this one time."""
    found = _find(key)
    require(user(), "change", found)
    if found.kind != "webhook":
        raise Conflict("Only webhooks have a secret.")
    try:
        secret = channel_form.renew_secret(db.session(), _settings(), found)
    except CannotUnlock as error:
        raise Conflict(str(error)) from None
    return {**_shown(found), "secret": secret}


@call(answers={202: shapes.DeliveryShape}, tag="channels")
def try_channel(query: Query, key: int) -> Any:
    """Send a message that says nothing but that it arrived."""
    found = _find(key)
    require(user(), "change", found)
    return shapes.delivery(channel_form.send_try(db.session(), found, user())), 202


def _settings() -> Settings:
    settings: Settings = current_app.extensions["errand"].settings
    return settings


def _find(key: int) -> Channel:
    query = select(Channel).where(Channel.id == key).options(joinedload(Channel.user))
    found: Channel | None = db.session.scalars(query).one_or_none()
    if found is None:
        raise NotVisible
    return found


def _form(known: dict[str, Any], body: ChannelChange) -> AdminForm:
    """Return a channel as it is, with what was given of it."""
    given = {name: getattr(body, name) for name in body.model_fields_set}
    if unknown := [word for word in given.get("words", ()) if word not in FOR_CHANNELS]:
        raise InvalidRequest({"words": [f"There is no {unknown[0]!r}; there are {', '.join(FOR_CHANNELS)}."]})
    if "class_paths" in given:
        given["class_paths"] = "\n".join(body.class_paths)
    if "receivers" in given:
        given["receivers"] = "\n".join(body.receivers)
    form = AdminForm(known | given)
    form.values |= {name: form.text(name).strip() for name in ("name", "address", "sender")}
    return form


def _shown(row: Channel) -> shapes.ChannelShape:
    return shapes.channel(row, row.user.username if row.user is not None else None)
