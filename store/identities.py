"""Who somebody is whom a provider of single sign-on has named, and what it says of their groups."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from store.audit import note
from store.models import Group, Identity, SignInLink, User, group_members, now
from store.models.identity import LONGEST_SUBJECT
from store.oidc_settings import OidcSettings
from store.people import BadUsername, check_username, is_last_superuser
from store.text import clean_text

LONGEST_DISPLAY_NAME = 255


class SignInRefused(Exception):
    """Nobody is signed in, as a sentence for whoever tried. username: what they are said to be called."""

    def __init__(self, sentence: str, username: str = "") -> None:
        super().__init__(sentence)
        self.username = username


@dataclass(frozen=True, slots=True)
class Person:
    """What a provider says of somebody."""

    #: The two that are theirs for ever; all else may change.
    issuer: str
    subject: str
    username: str
    display_name: str
    groups: frozenset[str]


def person_of(claims: Mapping[str, Any], oidc: OidcSettings) -> Person:
    """Read what a provider says of somebody. The claims are those of a token that was found good. Raises SignInRefused."""
    issuer, subject = str(claims.get("iss", "")), claims.get("sub")
    if (
        not isinstance(subject, str)
        or not 0 < len(subject) <= LONGEST_SUBJECT
        or clean_text(subject) != subject
    ):
        raise SignInRefused(f"{oidc.name} did not say who you are.")
    return Person(
        issuer,
        subject,
        _username(claims, oidc),
        _text(claims, "name")[:LONGEST_DISPLAY_NAME],
        _groups(claims.get(oidc.groups_claim)),
    )


def sign_in(db: Session, person: Person, oidc: OidcSettings) -> User:
    """Return whose account it is, with the rights that the provider gives. The caller commits. Raises SignInRefused."""
    identity = _find(db, person) or _make(db, person, oidc)
    user = identity.user
    if not user.active:
        raise SignInRefused("Your account here is disabled. Ask an administrator.", user.username)
    identity.last_used_at = now()
    _follow(db, identity, person, oidc)
    note(db, "sign-in.oidc", user.username, actor=user.username)
    return user


def _find(db: Session, person: Person) -> Identity | None:
    query = select(Identity).where(Identity.issuer == person.issuer, Identity.subject == person.subject)
    return db.scalars(query).one_or_none()


def _make(db: Session, person: Person, oidc: OidcSettings) -> Identity:
    try:
        identity = Identity(issuer=person.issuer, subject=person.subject, user=_account_for(db, person, oidc))
    except SignInRefused:
        # Between the two looks they may have come by another browser: then the account of their name is theirs.
        if (known := _find(db, person)) is None:
            raise
        return known
    db.add(identity)
    return identity


def _account_for(db: Session, person: Person, oidc: OidcSettings) -> User:
    """Return the account that somebody who was never here before gets."""
    if not person.username:
        raise SignInRefused(
            f"{oidc.name} did not say what you are called ({oidc.username_claim}), or has not checked it."
        )
    known = db.scalar(select(User).where(User.username == person.username))
    if known is not None:
        return _linked(db, known, person)
    if not oidc.create:
        raise SignInRefused("You have no account here yet. Ask an administrator for one.", person.username)
    try:
        check_username(db, person.username)
    except BadUsername as error:
        raise SignInRefused(str(error), person.username) from error
    user = User(username=person.username, display_name=person.display_name, active=True, superuser=False)
    db.add(user)
    note(db, "user.create", user.username, actor=user.username, after={"issuer": person.issuer})
    return user


def _linked(db: Session, user: User, person: Person) -> User:
    """Give somebody the account of their name, where an administrator has said that it is theirs."""
    # One statement: of two who come in the same moment only one finds it allowed.
    allowed = update(User).where(User.id == user.id, User.oidc_may_link).values(oidc_may_link=False)
    if db.scalar(allowed.returning(User.id)) is None:
        raise SignInRefused(
            "An account of this name is here already. If it is yours, ask an administrator to allow single sign-on for it.",
            person.username,
        )
    about = {"issuer": person.issuer, "subject": person.subject}
    note(db, "user.oidc-link", user.username, actor=user.username, after=about)
    return user


def _follow(db: Session, identity: Identity, person: Person, oidc: OidcSettings) -> None:
    """Give and take what the provider decides on: memberships, and who may do everything."""
    user = identity.user
    db.flush()
    before = {"groups": _names(db, user), "superuser": user.superuser}
    _follow_groups(db, identity, person, oidc)
    if oidc.admins:
        _follow_superuser(db, user, bool(oidc.admins & person.groups))
    after = {"groups": _names(db, user), "superuser": user.superuser}
    if before != after:
        note(db, "user.oidc-rights", user.username, actor=user.username, before=before, after=after)


def _follow_groups(db: Session, identity: Identity, person: Person, oidc: OidcSettings) -> None:
    ids = {name: id for id, name in db.execute(select(Group.id, Group.name).where(~Group.everyone))}
    pairs = oidc.group_map or [(name, name) for name in ids]
    said = {ids[ours] for theirs, ours in pairs if theirs in person.groups and ours in ids}
    # All of a map; without one, what it says now and what it said the last time. The others are not its business.
    decides_on = (
        {ids[ours] for _, ours in oidc.group_map if ours in ids} | said | set(identity.group_ids or ())
    )
    held = set(
        db.scalars(select(group_members.c.group_id).where(group_members.c.user_id == identity.user_id))
    )
    lost = (group_members.c.user_id == identity.user_id, group_members.c.group_id.in_(decides_on - said))
    db.execute(delete(group_members).where(*lost))
    for group_id in sorted(said - held):
        db.execute(group_members.insert().values(group_id=group_id, user_id=identity.user_id))
    identity.group_ids = sorted(said)


def _follow_superuser(db: Session, user: User, superuser: bool) -> None:
    if superuser == user.superuser or (not superuser and is_last_superuser(db, user)):
        return
    user.superuser, user.oidc_may_link = superuser, False
    # A link that was made for somebody with other rights must not sign in one with these.
    db.execute(delete(SignInLink).where(SignInLink.user_id == user.id))


def _names(db: Session, user: User) -> list[str]:
    names = (
        select(Group.name)
        .join(group_members, Group.id == group_members.c.group_id)
        .where(group_members.c.user_id == user.id)
        .order_by(Group.name)
    )
    return list(db.scalars(names))


def _username(claims: Mapping[str, Any], oidc: OidcSettings) -> str:
    # Whoever may write any mail address into their profile must not get the account of its owner.
    if oidc.username_claim == "email" and claims.get("email_verified") in (False, "false"):
        return ""
    return _text(claims, oidc.username_claim)


def _groups(claim: object) -> frozenset[str]:
    # Some providers send the name alone where there is but one.
    given = claim if isinstance(claim, list) else [claim]
    return frozenset(name for name in given if isinstance(name, str))


def _text(claims: Mapping[str, Any], name: str) -> str:
    given = claims.get(name)
    return clean_text(given).strip() if isinstance(given, str) else ""
