"""Whose account somebody in Slack has: one that was connected by a code, or one that only Slack opens."""

import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from store.audit import note
from store.models import Group, Identity, SlackCode, User, group_members, now
from store.models.identity import SLACK
from store.people import BadUsername, check_username
from store.secrets import hash_token
from store.text import clean_text

#: The group of all who are no guests in Slack (see the migrations); an admin may rename or delete it.
MEMBERS = "Slack members"

CODE_LIFETIME = timedelta(minutes=15)

#: Without those that are taken for one another.
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
CODE_LENGTH = 10

#: So old may be what is written down as somebody's last use: it is no reason to write at each word.
USED_EVERY = timedelta(hours=1)

_NOT_IN_NAMES = re.compile(r"[^\w.@+-]+")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in Slack, as it tells of them."""

    team: str
    #: Their id there; all else may change.
    subject: str
    name: str = ""
    display_name: str = ""
    #: Neither a guest nor a bot; None: it is not known just now.
    full: bool | None = None

    @property
    def issuer(self) -> str:
        return issuer_of(self.team)


def issuer_of(team: str) -> str:
    return f"{SLACK}{team}"


def find(db: Session, person: Person) -> Identity | None:
    query = select(Identity).where(Identity.issuer == person.issuer, Identity.subject == person.subject)
    return db.scalars(query).one_or_none()


def is_up_to_date(db: Session, identity: Identity, person: Person) -> bool:
    """Tell whether there is nothing to write down when this person does something."""
    if identity.last_used_at is None or now() - identity.last_used_at > USED_EVERY:
        return False
    return _step(db, identity, person) is None


def make(db: Session, person: Person) -> Identity:
    """Give somebody who was never here an account that only Slack opens. The caller commits."""
    user = User(username=_username(db, person), display_name=person.display_name[:255])
    identity = Identity(issuer=person.issuer, subject=person.subject, user=user, group_ids=[])
    db.add(identity)
    db.flush()
    note(db, "user.create", user.username, actor=user.username, after=_about(person))
    return identity


def follow(db: Session, identity: Identity, person: Person) -> None:
    """Have somebody be a member of the group, or not any more, as Slack says. The caller commits.

    It takes only what it gave: whom an admin has put there stays.
    """
    identity.last_used_at = now()
    group_id, step = _members(db), _step(db, identity, person)
    if step == "add":
        db.execute(group_members.insert().values(group_id=group_id, user_id=identity.user_id))
        identity.group_ids = [group_id]
    elif step == "take":
        _take(db, identity)
    if step is not None:
        username, is_member = identity.user.username, step == "add"
        before, after = {"member": not is_member}, {"member": is_member}
        note(db, "user.slack-rights", username, actor=username, before=before, after=after)


def _step(db: Session, identity: Identity, person: Person) -> Literal["add", "take"] | None:
    group_id = _members(db)
    if person.full is None or group_id is None:
        return None
    if not person.full:
        return "take" if group_id in (identity.group_ids or []) else None
    both = (group_members.c.user_id == identity.user_id, group_members.c.group_id == group_id)
    return None if db.scalar(select(group_members.c.user_id).where(*both)) is not None else "add"


# --- Codes ----------------------------------------------------------------------------------------------------


def new_code(db: Session, user: User) -> str:
    """Return what `user` sends the bot to say that they are who they are; any before it is void. The caller commits."""
    db.execute(delete(SlackCode).where(SlackCode.user_id == user.id))
    code = "".join(secrets.choice(_LETTERS) for _ in range(CODE_LENGTH))
    db.add(SlackCode(user_id=user.id, code_hash=hash_token(code), expires_at=now() + CODE_LIFETIME))
    note(db, "user.slack-code", user.username)
    return code


def drop_code(db: Session, code: str) -> User | None:
    """Have a code be void; return whose it was, if it was still good. The caller commits."""
    kept = db.scalars(
        select(SlackCode).where(SlackCode.code_hash == hash_token(code.strip().upper()))
    ).one_or_none()
    if kept is None:
        return None
    user = db.get_one(User, kept.user_id)
    db.delete(kept)
    return user if kept.expires_at > now() and user.active else None


def link(db: Session, person: Person, user: User) -> None:
    """Have somebody in Slack be `user` from now on. What they did before stays with the account that did it.

    The caller commits.
    """
    identity = find(db, person)
    if identity is None:
        identity = Identity(issuer=person.issuer, subject=person.subject, user=user, group_ids=[])
        db.add(identity)
    elif identity.user_id != user.id:
        _leave(db, identity)
        identity.user = user
    db.flush()
    note(db, "user.slack-link", user.username, actor=user.username, after=_about(person))
    follow(db, identity, person)


def unlink(db: Session, identity: Identity) -> None:
    """Let somebody in Slack be nobody here. The caller commits."""
    username = identity.user.username
    _take(db, identity)
    db.delete(identity)
    note(db, "user.slack-unlink", username, before={"issuer": identity.issuer, "subject": identity.subject})


def _leave(db: Session, identity: Identity) -> None:
    """Leave an account behind; one that only Slack opened is of no use to anybody any more."""
    left = identity.user
    _take(db, identity)
    if is_only_slacks(db, left, identity):
        left.active = False
        note(db, "user.change", left.username, before={"active": True}, after={"active": False})


def is_only_slacks(db: Session, user: User, identity: Identity) -> bool:
    """Tell whether an account was made for somebody in Slack, and nothing else opens it. identity: theirs there."""
    others = select(Identity.id).where(Identity.user_id == user.id, Identity.id != identity.id)
    made = user.username.startswith(PREFIX) and user.password_hash is None and not user.superuser
    return made and db.scalar(others.limit(1)) is None


def _take(db: Session, identity: Identity) -> None:
    given = (
        group_members.c.user_id == identity.user_id,
        group_members.c.group_id.in_(identity.group_ids or []),
    )
    db.execute(delete(group_members).where(*given))
    identity.group_ids = []


# --- Names ----------------------------------------------------------------------------------------------------

PREFIX = "slack-"


def _username(db: Session, person: Person) -> str:
    name = _NOT_IN_NAMES.sub("-", clean_text(person.name)).strip("-") or person.subject
    for username in (f"{PREFIX}{name}"[:100], f"{PREFIX}{name}"[:100] + f"-{person.subject}".lower()[:50]):
        try:
            check_username(db, username)
        except BadUsername:
            continue
        return username
    return f"{PREFIX}{secrets.token_hex(8)}"


def _about(person: Person) -> dict[str, str]:
    return {"issuer": person.issuer, "subject": person.subject}


def _members(db: Session) -> int | None:
    return db.scalar(select(Group.id).where(Group.name == MEMBERS, ~Group.everyone))
