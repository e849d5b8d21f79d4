"""What people may do: permissions, and why somebody may or may not do something."""

from typing import Any

from flask import url_for
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from store.decisions import KINDS
from store.models import Permission, User
from store.permissions import NotVisible, require
from webapp import permission_form
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
from webapp.explaining import explain, facts_named

ORDER = Order(
    {"name": Permission.name, "id": Permission.id, "created_at": Permission.created_at},
    Permission.name,
    "name",
)


class Permissions(Sorted):
    kind: list[Text] = []
    enabled: Flag | None = None


class PermissionChange(Body):
    name: Text = ""
    description: Text = ""
    enabled: bool = True
    kind: Text = Field("job", description="What it is about: " + ", ".join(KINDS))
    actions: list[Text] = []
    constraints: list[dict[Text, Any]] = Field(
        [], description="One of them has to fit, with all its keys; none: whatever there is of the kind."
    )
    users: list[Text] = Field([], description="All whom it is for, by their usernames.")
    groups: list[Text] = Field([], description="All groups that it is for, by their names.")


class Question(Query):
    action: Text = "run"
    kind: Text = "job"
    subject: Text = Field("", description="The class path of a job, the id of a result, ...; empty: any.")
    user: Text = Field("", description="Whose rights; empty: your own.")


@call(query=Permissions, answers={200: Page[shapes.PermissionShape]}, tag="permissions")
def permissions(query: Permissions) -> Any:
    """List permissions."""
    require(user(), "view", Permission)
    wanted = select(Permission).options(selectinload(Permission.users), selectinload(Permission.groups))
    if query.kind:
        wanted = wanted.where(Permission.kind.in_(query.kind))
    if query.enabled is not None:
        wanted = wanted.where(Permission.enabled.is_(query.enabled))
    rows, more = part(db.session(), wanted, query, ORDER)
    return page([shapes.permission(row) for row in rows], more)


@call(answers={200: shapes.PermissionShape}, tag="permissions")
def permission(query: Query, key: int) -> Any:
    """Show a permission."""
    row = _find(key)
    require(user(), "view", row)
    return shapes.permission(row)


@call(body=PermissionChange, answers={201: shapes.PermissionShape}, tag="permissions")
def create_permission(query: Query, body: PermissionChange) -> Any:
    """Make a permission."""
    require(user(), "change", Permission)
    made = _saved(None, body)
    return shapes.permission(made), 201, {"Location": url_for("api.permission", key=made.id)}


@call(body=PermissionChange, answers={200: shapes.PermissionShape}, tag="permissions")
def change_permission(query: Query, key: int, body: PermissionChange) -> Any:
    """Change a permission; whom it is for, where that is given, are all of them."""
    row = _find(key)
    require(user(), "change", row)
    return shapes.permission(_saved(row, body))


@call(answers={204: None}, tag="permissions")
def delete_permission(query: Query, key: int) -> Any:
    """Delete a permission."""
    row = _find(key)
    require(user(), "delete", row)
    permission_form.delete(db.session(), row)
    return None, 204


@call(query=Question, answers={200: shapes.ExplanationShape}, tag="permissions")
def explain_permissions(query: Question) -> Any:
    """Tell why somebody may, or may not, do something; everybody may ask about themselves."""
    asks, session = user(), db.session()
    username = query.user.strip() or asks.username
    if username != asks.username:
        require(asks, "view", User)
    if query.kind not in KINDS:
        raise InvalidRequest({"kind": [f"There is no {query.kind!r}; there are {', '.join(KINDS)}."]})
    if query.action not in KINDS[query.kind].actions:
        known = ", ".join(KINDS[query.kind].actions)
        raise InvalidRequest(
            {"action": [f"There is no {query.action!r} of {query.kind}; there are {known}."]}
        )
    person = asks if username == asks.username else session.scalar(select(User).filter_by(username=username))
    if person is None:
        raise InvalidRequest({"user": [f"There is nobody called {username}."]})
    facts = facts_named(session, asks, query.kind, query.subject.strip())
    if facts is None:
        plural = KINDS[query.kind].plural
        raise InvalidRequest({"subject": [f"There is nothing called {query.subject} among {plural}."]})
    return shapes.explanation(explain(session, asks, person, query.action, facts))


def _find(key: int) -> Permission:
    row: Permission | None = db.session.get(Permission, key)
    if row is None:
        raise NotVisible
    return row


def _saved(row: Permission | None, body: PermissionChange) -> Permission:
    """Save a permission as it is, with what was given of it."""
    session = db.session()
    known = permission_form.told(row) | {"description": row.description} if row is not None else {}
    given = body.model_fields_set if row is not None else set(PermissionChange.model_fields)
    values = known | {name: getattr(body, name) for name in given}
    form = AdminForm(values | {"users": "\n".join(values["users"])})
    form.values |= {name: form.text(name).strip() for name in ("name", "description")}
    groups = groups_named(session, form, "groups", values["groups"])
    read, users = permission_form.read(session, form, values["constraints"], groups, row)
    form.raise_errors()
    return permission_form.save(session, form, read, users, groups, row)
