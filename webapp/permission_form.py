"""A permission: what is wrong with what was said of it, and what becomes of it."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from store import audit
from store.decisions import KINDS, BadPermission, check
from store.models import Group, Permission, User
from store.rights import Given
from webapp.admin_forms import LONGEST_DESCRIPTION, AdminForm, check_name, people_named


def read(
    db: Session, form: AdminForm, constraints: Any, groups: Sequence[Group], row: Permission | None
) -> tuple[Given, list[User]]:
    """Return what was said, and whom it names; what is wrong with it the form says. row: None for a new one."""
    check_name(form, "name")
    if len(form.text("description")) > LONGEST_DESCRIPTION:
        form.refuse("description", f"Ensure this value has at most {LONGEST_DESCRIPTION} characters.")
    try:
        check(form.text("kind"), form.values["actions"], constraints)
    except BadPermission as error:
        for name, sentence in error.errors.items():
            form.refuse(name, sentence)
        constraints = []
    with db.no_autoflush:
        users = people_named(db, form, "users")
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
    return given, users


def save(
    db: Session,
    form: AdminForm,
    given: Given,
    users: list[User],
    groups: Sequence[Group],
    row: Permission | None,
) -> Permission:
    """Make or change a permission as it was read. Commits `db`. Raises InvalidData where its name is taken."""
    made = row or Permission()
    before = told(row) if row is not None else None
    made.name, made.description = form.text("name"), form.text("description")
    made.enabled, made.kind = given.enabled, given.kind
    made.actions = [action for action in KINDS[given.kind].actions if action in given.actions]
    made.constraints = list(given.constraints)
    made.users, made.groups = users, list(groups)
    db.add(made)
    action = "permission.create" if row is None else "permission.change"
    audit.note(db, action, made.name, before=before, after=told(made))
    try:
        db.commit()
    except IntegrityError:
        db.rollback()
        form.refuse("name", "There is a permission of this name already.")
        raise form.refusal() from None
    return made


def delete(db: Session, row: Permission) -> None:
    """Delete a permission. Commits `db`."""
    audit.note(db, "permission.delete", row.name, before=told(row))
    db.delete(row)
    db.commit()


def told(row: Permission) -> dict[str, Any]:
    return {
        "name": row.name,
        "enabled": row.enabled,
        "kind": row.kind,
        "actions": list(row.actions),
        "constraints": list(row.constraints),
        "groups": sorted(group.name for group in row.groups),
        "users": sorted(user.username for user in row.users),
    }


def grant_text(row: Permission) -> str:
    """Return in words what it is for."""
    return Given(row.id, row.name, row.kind, frozenset(row.actions), tuple(row.constraints)).grant().text
