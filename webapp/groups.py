"""Groups of people."""

from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from store import audit
from store.models import Group, Permission, group_members, permission_groups
from store.people import renew_sessions
from store.permissions import NotVisible
from webapp.admin_forms import LONGEST_DESCRIPTION, AdminForm, as_lines, check_name, line, people_named
from webapp.auth import allowed, require
from webapp.database import db

blueprint = Blueprint("groups", __name__, url_prefix="/admin/groups")


@blueprint.get("/")
def index() -> str:
    require("view", Group)
    count = select(func.count()).where(group_members.c.group_id == Group.id).scalar_subquery()
    rows = db.session.execute(select(Group, count).order_by(Group.name)).all()
    return render_template("admin/groups.html", rows=rows, may_change=allowed("change", Group))


@blueprint.get("/new")
def new() -> str:
    require("change", Group)
    return _page(None, AdminForm())


@blueprint.post("/new")
def create() -> Response:
    require("change", Group)
    return _save(Group(), None)


@blueprint.get("/<int(max=2147483647):group_id>")
def show(group_id: int) -> str:
    group = _find(group_id)
    require("view", group)
    values = {"name": group.name, "description": group.description, "members": as_lines(group.members)}
    return _page(group, AdminForm(values))


@blueprint.post("/<int(max=2147483647):group_id>")
def change(group_id: int) -> Response:
    group = _find(group_id)
    require("change", group)
    return _save(group, group)


@blueprint.post("/<int(max=2147483647):group_id>/delete")
def delete(group_id: int) -> Response:
    group = _find(group_id)
    require("delete", group)
    if group.everyone:
        flash("The group of everyone cannot be deleted; its permissions can be taken from it.", "warn")
        return make_response(redirect(url_for("groups.show", group_id=group.id), HTTPStatus.SEE_OTHER))
    name = group.name
    audit.note(db.session(), "group.delete", name, before=_told(group))
    db.session.delete(group)
    db.session.commit()
    flash(f"Deleted the group {name}.")
    return make_response(redirect(url_for("groups.index"), HTTPStatus.SEE_OTHER))


def _find(group_id: int) -> Group:
    group: Group | None = db.session.get(Group, group_id)
    if group is None:
        raise NotVisible
    return group


def _save(group: Group, known: Group | None) -> Response:
    names = ("name", "description")
    form = AdminForm(
        {**{name: line(request.form, name) for name in names}, "members": request.form.get("members", "")}
    )
    check_name(form, "name")
    if len(form.text("description")) > LONGEST_DESCRIPTION:
        form.refuse("description", f"Ensure this value has at most {LONGEST_DESCRIPTION} characters.")
    with db.session.no_autoflush:
        members = [] if known is not None and known.everyone else people_named(db.session(), form, "members")
    if not form.errors:
        before = _told(group) if known is not None else None
        concerned = {user.id for user in group.members} ^ {user.id for user in members}
        group.name, group.description, group.members = form.text("name"), form.text("description"), members
        renew_sessions(db.session(), concerned)
        db.session.add(group)
        action = "group.create" if known is None else "group.change"
        audit.note(db.session(), action, group.name, before=before, after=_told(group))
        try:
            db.session.commit()
        except IntegrityError:
            db.session.rollback()
            form.refuse("name", "There is a group of this name already.")
    if form.errors:
        db.session.rollback()
        shown = db.session.get(Group, known.id) if known is not None else None
        return make_response(_page(shown, form), HTTPStatus.UNPROCESSABLE_ENTITY)
    flash(f"Saved the group {group.name}.")
    return make_response(redirect(url_for("groups.index"), HTTPStatus.SEE_OTHER))


def _told(group: Group) -> dict[str, Any]:
    return {
        "name": group.name,
        "description": group.description,
        "members": sorted(user.username for user in group.members),
    }


def _page(group: Group | None, form: AdminForm) -> str:
    given = (
        db.session.scalars(
            select(Permission)
            .join(permission_groups, permission_groups.c.permission_id == Permission.id)
            .where(permission_groups.c.group_id == group.id)
            .order_by(Permission.name)
        ).all()
        if group is not None
        else []
    )
    return render_template(
        "admin/group.html",
        group=group,
        form=form,
        given=given,
        may_change=allowed("change", group or Group),
        may_delete=group is not None and not group.everyone and allowed("delete", group),
    )
