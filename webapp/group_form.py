"""A group of people: what is wrong with what was said of it, and what becomes of it."""

from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from store import audit
from store.models import Group
from store.people import renew_sessions
from webapp.admin_forms import LONGEST_DESCRIPTION, AdminForm, as_lines, check_name, people_named

KEPT = "The group of everyone cannot be deleted; its permissions can be taken from it."


def values_of(group: Group) -> dict[str, Any]:
    return {"name": group.name, "description": group.description, "members": as_lines(group.members)}


def save(db: Session, form: AdminForm, known: Group | None) -> Group:
    """Make or change a group. Commits `db`. Raises InvalidData where something is wrong, which the form says too."""
    check_name(form, "name")
    if len(form.text("description")) > LONGEST_DESCRIPTION:
        form.refuse("description", f"Ensure this value has at most {LONGEST_DESCRIPTION} characters.")
    with db.no_autoflush:
        members = [] if known is not None and known.everyone else people_named(db, form, "members")
    form.raise_errors()
    group = known or Group()
    before = told(group) if known is not None else None
    concerned = {user.id for user in group.members} ^ {user.id for user in members}
    group.name, group.description, group.members = form.text("name"), form.text("description"), members
    db.add(group)
    action = "group.create" if known is None else "group.change"
    try:
        # Whichever statement comes first writes the name, too.
        renew_sessions(db, concerned)
        audit.note(db, action, group.name, before=before, after=told(group))
        db.commit()
    except IntegrityError:
        db.rollback()
        form.refuse("name", "There is a group of this name already.")
        raise form.refusal() from None
    return group


def delete(db: Session, group: Group) -> None:
    """Delete a group that is not the one of everyone. Commits `db`."""
    audit.note(db, "group.delete", group.name, before=told(group))
    db.delete(group)
    db.commit()


def told(group: Group) -> dict[str, Any]:
    return {
        "name": group.name,
        "description": group.description,
        "members": sorted(user.username for user in group.members),
    }
