"""Groups of people."""

from typing import Any

from flask import url_for
from pydantic import Field
from sqlalchemy import func, select
from werkzeug.exceptions import Conflict

from store.models import Group, Permission, group_members, permission_groups
from store.permissions import NotVisible, require
from webapp import group_form
from webapp.admin_forms import AdminForm
from webapp.api.calls import Body, Query, call
from webapp.api.errors import InvalidRequest
from webapp.api.given import Text
from webapp.api.listing import Order, Sorted, part
from webapp.api.paging import page
from webapp.api.shapes import Page
from webapp.api.shapes import people as shapes
from webapp.api.tokens import user
from webapp.database import db

ORDER = Order({"name": Group.name, "id": Group.id, "created_at": Group.created_at}, Group.name, "name")


class GroupChange(Body):
    name: Text = ""
    description: Text = ""
    members: list[Text] = Field([], description="All of them, by their usernames.")


@call(query=Sorted, answers={200: Page[shapes.GroupShape]}, tag="groups")
def groups(query: Sorted) -> Any:
    """List groups."""
    require(user(), "view", Group)
    rows, more = part(db.session(), select(Group), query, ORDER)
    counted = (
        select(group_members.c.group_id, func.count())
        .where(group_members.c.group_id.in_([row.id for row in rows]))
        .group_by(group_members.c.group_id)
    )
    counts: dict[int, int] = dict(db.session.execute(counted).all())
    return page([shapes.group(row, counts.get(row.id, 0)) for row in rows], more)


@call(answers={200: shapes.FullGroupShape}, tag="groups")
def group(query: Query, key: int) -> Any:
    """Show a group, with its members."""
    found = _find(key)
    require(user(), "view", found)
    return _shown(found)


@call(body=GroupChange, answers={201: shapes.FullGroupShape}, tag="groups")
def create_group(query: Query, body: GroupChange) -> Any:
    """Make a group."""
    require(user(), "change", Group)
    made = _saved(None, {"name": "", "description": "", "members": ""}, body)
    return _shown(made), 201, {"Location": url_for("api.group", key=made.id)}


@call(body=GroupChange, answers={200: shapes.FullGroupShape}, tag="groups")
def change_group(query: Query, key: int, body: GroupChange) -> Any:
    """Change a group; its members, where they are given, are all of them."""
    found = _find(key)
    require(user(), "change", found)
    if found.everyone and body.members:
        raise InvalidRequest({"members": ["Everybody belongs to this group."]})
    return _shown(_saved(found, group_form.values_of(found), body))


@call(answers={204: None}, tag="groups")
def delete_group(query: Query, key: int) -> Any:
    """Delete a group. Its members stay."""
    found = _find(key)
    require(user(), "delete", found)
    if found.everyone:
        raise Conflict(group_form.KEPT)
    group_form.delete(db.session(), found)
    return None, 204


def _find(key: int) -> Group:
    found: Group | None = db.session.get(Group, key)
    if found is None:
        raise NotVisible
    return found


def _saved(known: Group | None, values: dict[str, Any], body: GroupChange) -> Group:
    given = {name: getattr(body, name) for name in body.model_fields_set}
    if "members" in given:
        given["members"] = "\n".join(body.members)
    form = AdminForm(values | given)
    form.values |= {name: form.text(name).strip() for name in ("name", "description")}
    return group_form.save(db.session(), form, known)


def _shown(row: Group) -> shapes.FullGroupShape:
    names = (
        select(Permission.name)
        .join(permission_groups, permission_groups.c.permission_id == Permission.id)
        .where(permission_groups.c.group_id == row.id)
        .order_by(Permission.name)
    )
    return shapes.full_group(row, db.session.scalars(names).all())
