"""People: who has an account, and what they may do."""

from typing import Any, Literal

from flask import current_app, request, url_for
from pydantic import Field
from sqlalchemy import or_, select
from werkzeug.exceptions import Conflict

from store.models import User
from store.permissions import NotVisible, asker_of, require
from webapp.admin_forms import AdminForm, groups_named
from webapp.api.calls import Body, Query, call
from webapp.api.errors import InvalidRequest
from webapp.api.given import Flag, Text
from webapp.api.listing import Order, Sorted, part
from webapp.api.paging import page
from webapp.api.shapes import Page
from webapp.api.shapes import people as shapes
from webapp.api.tokens import user
from webapp.database import db
from webapp.user_form import groups_of, make_link, require_change, save, send_link, values_of

ORDER = Order(
    {"username": User.username, "id": User.id, "created_at": User.created_at}, User.username, "username"
)


class Users(Sorted):
    q: Text = Field("", description="In their names.")
    active: Flag | None = None
    superuser: Flag | None = None


class UserChange(Body):
    display_name: Text = ""
    mail: Text = ""
    active: bool = Field(True, description="May sign in. Whoever is not is signed out at once.")
    superuser: bool = Field(False, description="May do everything; only a superuser may say who.")
    groups: list[Text] = Field([], description="All their groups, by their names.")


class NewUser(UserChange):
    username: Text


class LinkToMake(Body):
    send: Literal["mail"] | None = Field(None, description="Send it to them; null: it is told here, once.")


@call(query=Users, answers={200: Page[shapes.UserShape]}, tag="users")
def users(query: Users) -> Any:
    """List people."""
    require(user(), "view", User)
    wanted = select(User)
    if query.q:
        names = (User.username, User.display_name)
        wanted = wanted.where(or_(*(name.icontains(query.q, autoescape=True) for name in names)))
    for name in ("active", "superuser"):
        if (flag := getattr(query, name)) is not None:
            wanted = wanted.where(getattr(User, name).is_(flag))
    rows, more = part(db.session(), wanted, query, ORDER)
    groups = groups_of(db.session(), [row.id for row in rows])
    return page([shapes.user(row, groups.get(row.id, [])) for row in rows], more)


@call(answers={200: shapes.FullUserShape}, tag="users")
def person(query: Query, key: int) -> Any:
    """Show somebody, with what they may do."""
    found = _find(key)
    require(user(), "view", found)
    return _shown(found)


@call(body=NewUser, answers={201: shapes.FullUserShape}, tag="users")
def create_user(query: Query, body: NewUser) -> Any:
    """Make an account. Whoever it is for signs in with a link."""
    require(user(), "change", User)
    form = _form({"username": body.username.strip()}, body, set(UserChange.model_fields))
    made = save(db.session(), form, None, user())
    return _shown(made), 201, {"Location": url_for("api.person", key=made.id)}


@call(body=UserChange, answers={200: shapes.FullUserShape}, tag="users")
def change_user(query: Query, key: int, body: UserChange) -> Any:
    """Change an account: its name, its groups, whether it may sign in."""
    found = _find(key)
    require_change(user(), found)
    form = _form(values_of(db.session(), found), body, body.model_fields_set)
    save(db.session(), form, found, user())
    return _shown(found)


@call(body=LinkToMake, answers={200: shapes.LinkShape}, tag="users")
def make_user_link(query: Query, key: int, body: LinkToMake) -> Any:
    """Make a link that signs somebody in, once, within a day."""
    found = _find(key)
    require_change(user(), found)
    if not found.active:
        raise Conflict(f"{found.username} is not active: nobody can sign in as them.")
    settings = current_app.extensions["errand"].settings
    if body.send is None:
        address = request.url_root.rstrip("/") + make_link(db.session(), found)
        return {"url": address, "mail": None}
    if settings.notices.mail is None:
        raise InvalidRequest({"send": ["This portal sends no mail."]})
    if not found.mail:
        raise InvalidRequest({"send": [f"{found.username} has no mail address."]})
    send_link(db.session(), settings, found, by=user(), host=request.url_root)
    return {"url": None, "mail": found.mail}


def _find(key: int) -> User:
    found: User | None = db.session.get(User, key)
    if found is None:
        raise NotVisible
    return found


def _form(known: dict[str, Any], body: UserChange, given: set[str]) -> AdminForm:
    """Return an account as it is, with what was given of it."""
    form = AdminForm(known | {name: getattr(body, name) for name in given if name != "groups"})
    form.values |= {name: form.text(name).strip() for name in ("display_name", "mail")}
    if "groups" in given:
        form.values["groups"] = {
            group.id for group in groups_named(db.session(), form, "groups", body.groups)
        }
    return form


def _shown(row: User) -> shapes.FullUserShape:
    asker = asker_of(row)
    groups = groups_of(db.session(), [row.id]).get(row.id, [])
    return shapes.full_user(row, groups, asker.grants if asker else ())
