"""The account of somebody: what is wrong with what was said of it, and what becomes of it."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from store import audit
from store.models import Group, SignInLink, User, UserSession, group_members
from store.notice_settings import is_mail
from store.people import BadUsername, check_username, renew_sessions, sign_in_path
from store.permissions import Forbidden, require
from store.settings import Settings
from webapp.admin_forms import AdminForm
from webapp.notifications import NOT_A_MAIL
from worker.notice_circle import invite

LONGEST_DISPLAY_NAME = 255


def values_of(db: Session, user: User) -> dict[str, Any]:
    """Return an account as its form has it: of its groups the numbers."""
    own = db.scalars(select(group_members.c.group_id).where(group_members.c.user_id == user.id))
    return {
        "display_name": user.display_name,
        "mail": user.mail,
        "active": user.active,
        "superuser": user.superuser,
        "groups": set(own),
    }


def require_change(by: User, user: User) -> None:
    """Raise NotVisible or Forbidden unless somebody may change this account."""
    require(by, "change", user)
    if user.superuser and not by.superuser:
        raise Forbidden("Only a superuser may change the account of one.")


def check(db: Session, form: AdminForm, user: User | None, by: User) -> None:
    """Say in the form what is wrong with it. user: whose account it is; None: a new one. by: who wants that."""
    if len(form.text("display_name")) > LONGEST_DISPLAY_NAME:
        form.refuse("display_name", f"Ensure this value has at most {LONGEST_DISPLAY_NAME} characters.")
    if form.text("mail") and not is_mail(form.text("mail")):
        form.refuse("mail", NOT_A_MAIL)
    if form.values.get("invite") and not form.text("mail"):
        form.refuse("mail", "A link by mail needs an address.")
    superuser = bool(form.values["superuser"])
    if user is None:
        try:
            check_username(db, form.text("username"))
        except BadUsername as error:
            form.refuse("username", str(error))
    elif user.id == by.id and not (form.values["active"] and superuser == by.superuser):
        form.refuse("active", "You cannot take rights from your own account. Another superuser can.")
    if superuser != (user is not None and user.superuser) and not by.superuser:
        form.refuse("superuser", "Only a superuser may say who is one.")


def save(db: Session, form: AdminForm, user: User | None, by: User) -> User:
    """Make or change an account. Commits `db`. Raises InvalidData where something is wrong, which the form says too."""
    check(db, form, user, by)
    form.raise_errors()
    return _create(db, form) if user is None else _change(db, form, user)


def _create(db: Session, form: AdminForm) -> User:
    user = User(username=form.text("username"))
    db.add(user)
    _take_over(user, form)
    try:
        db.flush()
        _set_groups(db, user, form.values["groups"])
        audit.note(db, "user.create", user.username, after=_told(db, user))
        db.commit()
    except IntegrityError:
        db.rollback()
        form.refuse("username", "There is somebody of this name already.")
        raise form.refusal() from None
    return user


def _change(db: Session, form: AdminForm, user: User) -> User:
    lost = user.active and not form.values["active"]
    # A link that was made for somebody with other rights must not sign in one with these, nor must a leave to
    # take the account over.
    links_end = lost or bool(form.values["superuser"]) != user.superuser
    before = _told(db, user)
    _take_over(user, form)
    _set_groups(db, user, form.values["groups"])
    renew_sessions(db, [user.id])
    if lost:
        db.execute(delete(UserSession).where(UserSession.user_id == user.id))
    if links_end:
        db.execute(delete(SignInLink).where(SignInLink.user_id == user.id))
        user.oidc_may_link = False
    audit.note(db, "user.change", user.username, before=before, after=_told(db, user))
    db.commit()
    return user


def make_link(db: Session, user: User) -> str:
    """Make a link that signs them in, once; return its path. Commits `db`."""
    audit.note(db, "user.link", user.username)
    return sign_in_path(db, user)


def send_link(db: Session, settings: Settings, user: User, *, by: User, host: str) -> None:
    """Send them a link that signs them in, once. Commits `db`. host: the portal's address as the sender knows it."""
    audit.note(db, "user.link", user.username, after={"mail": user.mail})
    link = f"{settings.notices.url or host.rstrip('/')}{sign_in_path(db, user)}?ask"
    db.add(invite(settings, user, link, by.username))
    db.commit()


def groups_of(db: Session, user_ids: Collection[int]) -> dict[int, list[str]]:
    """Return {user id: the names of their groups}."""
    query = (
        select(group_members.c.user_id, Group.name)
        .join(Group, Group.id == group_members.c.group_id)
        .where(group_members.c.user_id.in_(user_ids))
        .order_by(Group.name)
    )
    found: dict[int, list[str]] = {}
    for user_id, name in db.execute(query):
        found.setdefault(user_id, []).append(name)
    return found


def _told(db: Session, user: User) -> dict[str, Any]:
    return {
        "display_name": user.display_name,
        "mail": user.mail,
        "active": user.active,
        "superuser": user.superuser,
        "groups": groups_of(db, [user.id]).get(user.id, []),
    }


def _take_over(user: User, form: AdminForm) -> None:
    user.display_name, user.mail = form.text("display_name"), form.text("mail")
    user.active, user.superuser = form.values["active"], form.values["superuser"]


def _set_groups(db: Session, user: User, chosen: Collection[int]) -> None:
    # Nobody is listed in the group of everyone.
    known = set(db.scalars(select(Group.id).where(Group.id.in_(chosen), ~Group.everyone)))
    db.execute(delete(group_members).where(group_members.c.user_id == user.id))
    for group_id in sorted(known):
        db.execute(group_members.insert().values(group_id=group_id, user_id=user.id))
