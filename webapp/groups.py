"""Groups of people."""

from http import HTTPStatus

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from sqlalchemy import func, select

from jobs.errors import InvalidData
from store.models import Group, Permission, group_members, permission_groups
from store.permissions import NotVisible
from webapp import group_form
from webapp.admin_forms import AdminForm, line
from webapp.auth import allowed, require
from webapp.confirming import require_confirmed
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
    require_confirmed()
    return _save(None)


@blueprint.get("/<int(max=2147483647):group_id>")
def show(group_id: int) -> str:
    group = _find(group_id)
    require("view", group)
    return _page(group, AdminForm(group_form.values_of(group)))


@blueprint.post("/<int(max=2147483647):group_id>")
def change(group_id: int) -> Response:
    group = _find(group_id)
    require("change", group)
    require_confirmed()
    return _save(group)


@blueprint.post("/<int(max=2147483647):group_id>/delete")
def delete(group_id: int) -> Response:
    group = _find(group_id)
    require("delete", group)
    if group.everyone:
        flash(group_form.KEPT, "warn")
        return make_response(redirect(url_for("groups.show", group_id=group.id), HTTPStatus.SEE_OTHER))
    name = group.name
    group_form.delete(db.session(), group)
    flash(f"Deleted the group {name}.")
    return make_response(redirect(url_for("groups.index"), HTTPStatus.SEE_OTHER))


def _find(group_id: int) -> Group:
    group: Group | None = db.session.get(Group, group_id)
    if group is None:
        raise NotVisible
    return group


def _save(known: Group | None) -> Response:
    names = ("name", "description")
    form = AdminForm(
        {**{name: line(request.form, name) for name in names}, "members": request.form.get("members", "")}
    )
    try:
        group = group_form.save(db.session(), form, known)
    except InvalidData:
        shown = db.session.get(Group, known.id) if known is not None else None
        return make_response(_page(shown, form), HTTPStatus.UNPROCESSABLE_ENTITY)
    flash(f"Saved the group {group.name}.")
    return make_response(redirect(url_for("groups.index"), HTTPStatus.SEE_OTHER))


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
