"""What people may do: permissions, what one would change, and why somebody may or may not do something."""

import json
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from jobs.errors import InvalidData
from store.decisions import KINDS
from store.models import Group, Permission, User
from store.permissions import NotVisible
from store.rights import preview
from store.text import clean_text
from webapp import permission_form
from webapp.admin_forms import AdminForm, as_lines, groups_chosen, line, parsed_constraints
from webapp.auth import allowed, require, signed_in_user
from webapp.confirming import require_confirmed
from webapp.database import db
from webapp.explaining import explain, facts_named

blueprint = Blueprint("permissions", __name__, url_prefix="/admin/permissions")


@blueprint.get("/")
def index() -> str:
    require("view", Permission)
    query = select(Permission).options(selectinload(Permission.users), selectinload(Permission.groups))
    rows = db.session.scalars(query.order_by(Permission.name)).all()
    return render_template(
        "admin/permissions.html",
        rows=[(row, permission_form.grant_text(row)) for row in rows],
        may_change=allowed("change", Permission),
    )


@blueprint.get("/new")
def new() -> str:
    require("change", Permission)
    return _page(
        None, AdminForm({"kind": "job", "actions": ["view", "run"], "enabled": True, "groups": set()})
    )


@blueprint.post("/new")
def create() -> Response:
    require("change", Permission)
    require_confirmed()
    return _answer(None)


@blueprint.get("/<int(max=2147483647):permission_id>")
def show(permission_id: int) -> str:
    row = _find(permission_id)
    require("view", row)
    values: dict[str, Any] = {
        "name": row.name,
        "description": row.description,
        "enabled": row.enabled,
        "kind": row.kind,
        "actions": row.actions,
        "constraints": _written(row.constraints),
        "groups": {group.id for group in row.groups},
        "users": as_lines(row.users),
    }
    return _page(row, AdminForm(values))


@blueprint.post("/<int(max=2147483647):permission_id>")
def change(permission_id: int) -> Response:
    row = _find(permission_id)
    require("change", row)
    require_confirmed()
    return _answer(row)


@blueprint.post("/<int(max=2147483647):permission_id>/delete")
def delete(permission_id: int) -> Response:
    row = _find(permission_id)
    require("delete", row)
    name = row.name
    permission_form.delete(db.session(), row)
    flash(f"Deleted the permission {name}.")
    return make_response(redirect(url_for("permissions.index"), HTTPStatus.SEE_OTHER))


@blueprint.get("/explain", endpoint="explain")
def ask_why() -> str:
    """Tell why somebody may, or may not, do something; everybody may ask about themselves."""
    me = signed_in_user()
    action, kind = request.args.get("action", "run"), request.args.get("kind", "job")
    subject = clean_text(request.args.get("subject", "")).strip()
    username = clean_text(request.args.get("user", "")).strip() or me.username
    if username != me.username:
        require("view", User)
    page: dict[str, Any] = {
        "kinds": KINDS,
        "action": action,
        "kind": kind,
        "subject": subject,
        "username": username,
        "may_ask": allowed("view", User),
        "problem": "",
    }
    if kind not in KINDS or action not in KINDS[kind].actions:
        page |= {"problem": f"There is no {action} of {kind}.", "kind": "job", "action": "run"}
        return render_template("admin/explain.html", **page)
    if not request.args:
        return render_template("admin/explain.html", **page)
    facts = facts_named(db.session(), me, kind, subject)
    person = (
        me if username == me.username else db.session.scalar(select(User).where(User.username == username))
    )
    if person is None or facts is None:
        page["problem"] = (
            f"There is nobody called {username}."
            if person is None
            else f"There is nothing called {subject} among {KINDS[kind].plural}."
            if subject
            else f"Say which of the {KINDS[kind].plural} is meant."
        )
        return render_template("admin/explain.html", **page)
    explained = explain(db.session(), me, person, action, facts)
    return render_template("admin/explain.html", **page, explained=explained)


def _written(constraints: list[Any]) -> str:
    """Return constraints as JSON, one condition a line."""
    lines = ",\n ".join(json.dumps(each, ensure_ascii=False) for each in constraints)
    return f"[{lines}]" if lines else ""


def _find(permission_id: int) -> Permission:
    row: Permission | None = db.session.get(Permission, permission_id)
    if row is None:
        raise NotVisible
    return row


def _answer(row: Permission | None) -> Response:
    """Save what was sent; or, where that was asked, show what it would change."""
    form, constraints, groups = _sent()
    given, users = permission_form.read(db.session(), form, constraints, groups, row)
    if form.errors:
        return make_response(_page(row, form), HTTPStatus.UNPROCESSABLE_ENTITY)
    if "_preview" in request.form:
        return make_response(_page(row, form, changes=preview(db.session(), given)))
    try:
        made = permission_form.save(db.session(), form, given, users, groups, row)
    except InvalidData:
        known = db.session.get(Permission, given.id) if given.id else None
        return make_response(_page(known, form), HTTPStatus.UNPROCESSABLE_ENTITY)
    flash(f"Saved the permission {made.name}.")
    return make_response(redirect(url_for("permissions.index"), HTTPStatus.SEE_OTHER))


def _sent() -> tuple[AdminForm, Any, list[Group]]:
    form = AdminForm({name: line(request.form, name) for name in ("name", "description", "kind")})
    groups = groups_chosen(db.session(), request.form.getlist("groups"))
    form.values |= {
        "enabled": request.form.get("enabled") == "true",
        "actions": request.form.getlist("actions"),
        "constraints": request.form.get("constraints", ""),
        "users": request.form.get("users", ""),
        "groups": {group.id for group in groups},
    }
    return form, parsed_constraints(form, "constraints"), groups


def _page(row: Permission | None, form: AdminForm, changes: Any = None) -> str:
    return render_template(
        "admin/permission.html",
        row=row,
        form=form,
        kinds=KINDS,
        actions=[
            (action, action) for action in dict.fromkeys(a for kind in KINDS.values() for a in kind.actions)
        ],
        choices=[(group.id, group.name) for group in db.session.scalars(select(Group).order_by(Group.name))],
        changes=changes,
        may_change=allowed("change", row or Permission),
        may_delete=row is not None and allowed("delete", row),
    )
