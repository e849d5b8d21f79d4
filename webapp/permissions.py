"""What people may do: permissions, what one would change, and why somebody may or may not do something."""

import json
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import selectinload

from store import audit
from store.decisions import KINDS, BadPermission, Facts, check, decide
from store.models import Group, JobRecord, JobResult, Permission, User, class_path_of
from store.permissions import NotVisible, asker_of, facts_of, visible
from store.rights import Given, Rights, preview
from store.text import clean_text
from webapp.admin_forms import (
    LONGEST_DESCRIPTION,
    AdminForm,
    as_lines,
    check_name,
    groups_chosen,
    line,
    parsed_constraints,
    people_named,
)
from webapp.auth import allowed, current_user, require, signed_in_user
from webapp.database import db
from webapp.job_key import as_id

blueprint = Blueprint("permissions", __name__, url_prefix="/admin/permissions")

#: Of those who may do something, so many are named.
MOST_PEOPLE = 200


@blueprint.get("/")
def index() -> str:
    require("view", Permission)
    query = select(Permission).options(selectinload(Permission.users), selectinload(Permission.groups))
    rows = db.session.scalars(query.order_by(Permission.name)).all()
    return render_template(
        "admin/permissions.html",
        rows=[(row, _given(row).grant().text) for row in rows],
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
    return _answer(row)


@blueprint.post("/<int(max=2147483647):permission_id>/delete")
def delete(permission_id: int) -> Response:
    row = _find(permission_id)
    require("delete", row)
    name = row.name
    audit.note(db.session(), "permission.delete", name, before=_told(row))
    db.session.delete(row)
    db.session.commit()
    flash(f"Deleted the permission {name}.")
    return make_response(redirect(url_for("permissions.index"), HTTPStatus.SEE_OTHER))


@blueprint.get("/explain")
def explain() -> str:
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
    facts = _facts(kind, subject)
    person = (
        me if username == me.username else db.session.scalar(select(User).where(User.username == username))
    )
    if person is None or facts is None:
        page["problem"] = (
            f"There is nobody called {username}."
            if person is None
            else f"There is nothing called {subject} among {KINDS[kind].plural}."
        )
        return render_template("admin/explain.html", **page)
    return render_template("admin/explain.html", **page, **_explained(person, action, facts))


def _explained(person: User, action: str, facts: Facts) -> dict[str, Any]:
    asker = asker_of(person)
    decision = decide(asker, action, facts)
    rights = Rights.read(db.session())
    may_ask = allowed("view", User)
    people = rights.who_may(action, facts) if may_ask else []
    return {
        "decision": decision,
        "person": person,
        "would_allow": [] if decision.allowed or asker is None else rights.would_allow(asker, action, facts),
        "grantors": rights.who_may_grant(),
        "people": people[:MOST_PEOPLE],
        "people_count": len(people),
    }


def _facts(kind: str, subject: str) -> Facts | None:
    """Return the facts of what is called so and may be seen by who asks; None for nothing of that name."""
    if kind == "job":
        query = visible(select(JobRecord), current_user(), JobRecord)
        job = db.session.scalar(query.where(JobRecord.class_path == class_path_of(subject)))
        return facts_of(job) if job is not None else None
    if kind == "result":
        query = visible(select(JobResult), current_user(), JobResult)
        result_id = as_id(subject)
        result = db.session.scalar(query.where(JobResult.id == result_id)) if result_id else None
        return facts_of(result, db=db.session()) if result is not None else None
    values = dict.fromkeys(KINDS[kind].keys, subject) if subject else {}
    return Facts(kind, values)


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
    form, given, users, groups = _sent(row)
    if form.errors:
        return make_response(_page(row, form), HTTPStatus.UNPROCESSABLE_ENTITY)
    if "_preview" in request.form:
        return make_response(_page(row, form, changes=preview(db.session(), given)))
    made = row or Permission()
    before = _told(row) if row is not None else None
    made.name, made.description = form.text("name"), form.text("description")
    made.enabled, made.kind = bool(form.values["enabled"]), given.kind
    made.actions = [action for action in KINDS[given.kind].actions if action in given.actions]
    made.constraints = list(given.constraints)
    made.users, made.groups = users, groups
    db.session.add(made)
    action = "permission.create" if row is None else "permission.change"
    audit.note(db.session(), action, made.name, before=before, after=_told(made))
    try:
        db.session.commit()
    except IntegrityError:
        db.session.rollback()
        form.refuse("name", "There is a permission of this name already.")
        known = db.session.get(Permission, given.id) if given.id else None
        return make_response(_page(known, form), HTTPStatus.UNPROCESSABLE_ENTITY)
    flash(f"Saved the permission {made.name}.")
    return make_response(redirect(url_for("permissions.index"), HTTPStatus.SEE_OTHER))


def _sent(row: Permission | None) -> tuple[AdminForm, Given, list[User], list[Group]]:
    form = AdminForm({name: line(request.form, name) for name in ("name", "description", "kind")})
    groups = groups_chosen(db.session(), request.form.getlist("groups"))
    form.values |= {
        "enabled": request.form.get("enabled") == "true",
        "actions": request.form.getlist("actions"),
        "constraints": request.form.get("constraints", ""),
        "users": request.form.get("users", ""),
        "groups": {group.id for group in groups},
    }
    check_name(form, "name")
    if len(form.text("description")) > LONGEST_DESCRIPTION:
        form.refuse("description", f"Ensure this value has at most {LONGEST_DESCRIPTION} characters.")
    constraints = parsed_constraints(form, "constraints")
    try:
        check(form.text("kind"), form.values["actions"], constraints)
    except BadPermission as error:
        for name, sentence in error.errors.items():
            form.refuse(name, sentence)
        constraints = []
    with db.session.no_autoflush:
        users = people_named(db.session(), form, "users")
    given = Given(
        row.id if row is not None else 0,
        form.text("name"),
        form.text("kind"),
        frozenset(form.values["actions"]),
        tuple(constraints),
        frozenset(user.id for user in users),
        frozenset(group.id for group in groups),
        bool(form.values["enabled"]),
    )
    return form, given, users, groups


def _told(row: Permission) -> dict[str, Any]:
    return {
        "name": row.name,
        "enabled": row.enabled,
        "kind": row.kind,
        "actions": list(row.actions),
        "constraints": list(row.constraints),
        "groups": sorted(group.name for group in row.groups),
        "users": sorted(user.username for user in row.users),
    }


def _given(row: Permission) -> Given:
    return Given(row.id, row.name, row.kind, frozenset(row.actions), tuple(row.constraints))


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
