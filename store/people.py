"""What there is to say about accounts, whoever makes or changes them: a page, a command."""

import re
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from store.audit import note
from store.decisions import ME
from store.models import ApiToken, SignInLink, User, UserSession, now
from store.secrets import new_token

#: As on most systems, so that a name can stand in a URL, a log line and a mail address.
_USERNAME = re.compile(r"[\w.@+-]{1,150}")

LINK_LIFETIME = timedelta(days=1)

#: What every token begins with, so that people, and scanners of repositories, know one when they see it.
PREFIX = "errand"

#: As much of a token as its row shows.
SHOWN_CHARACTERS = 12

LONGEST_TOKEN_NAME = 255
MOST_DAYS = 36_500
MOST_CLASS_PATHS = 50
LONGEST_CLASS_PATH = 400


class BadUsername(ValueError):
    """A name that nobody can have, as a sentence."""


def check_username(db: Session, username: str) -> None:
    """Raise BadUsername where a new account cannot be called so."""
    if not _USERNAME.fullmatch(username):
        raise BadUsername(
            "A user's name has 1 to 150 letters, digits and the characters . @ + - _ and no others."
        )
    if username == ME:
        raise BadUsername(f"Nobody can be called {ME}: in permissions that is whoever asks.")
    # Two names that differ in case only would be taken for one another.
    # Compared here: a database may know only the small letters of English.
    taken = [name for name in db.scalars(select(User.username)) if name.lower() == username.lower()]
    if taken:
        raise BadUsername(f"There is a user {taken[0]!r} already.")


def is_last_superuser(db: Session, user: User) -> bool:
    """Tell whether nobody else could do everything. Until the end of the transaction it stays like that."""
    # In one order, and locked: of two who lose it in the same moment the second finds the first without.
    superusers = select(User.id).where(User.superuser, User.active).order_by(User.id).with_for_update()
    return set(db.scalars(superusers)) == {user.id}


def sign_in_path(db: Session, user: User) -> str:
    """Make a link that signs `user` in, once; return its path. Commits `db`."""
    token, token_hash = new_token("link")
    db.add(SignInLink(user_id=user.id, token_hash=token_hash, expires_at=now() + LINK_LIFETIME))
    db.commit()
    return f"/login/{token}"


def renew_sessions(db: Session, user_ids: Collection[int]) -> None:
    """Have the sessions of people whose rights change get new tokens with their next pages. The caller commits."""
    long_ago = now() - timedelta(days=365)
    renewed = update(UserSession).where(UserSession.user_id.in_(user_ids)).values(rotated_at=long_ago)
    db.execute(renewed, execution_options={"synchronize_session": False})


class BadToken(ValueError):
    """A token that cannot be made: `errors` is {"name", "days" or "class_paths": sentence}."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__(" ".join(errors.values()))
        self.errors = errors


def make_token(
    db: Session,
    user: User,
    *,
    name: str = "",
    days: int | None = None,
    read_only: bool = False,
    class_paths: Sequence[str] = (),
    last: datetime | None = None,
) -> str:
    """Make an API token of this user and return it: only its hash is kept. Commits `db`. Raises BadToken.

    days: for so many it works; None: for ever. class_paths: of jobs only these, with `*` for anything.
    last: when it ends at the latest.
    """
    errors = {}
    if len(name) > LONGEST_TOKEN_NAME or not name.isprintable():
        errors["name"] = f"Use at most {LONGEST_TOKEN_NAME} printable characters."
    if days is not None and not 1 <= days <= MOST_DAYS:
        errors["days"] = f"Enter a whole number from 1 to {MOST_DAYS:,}, or nothing."
    if len(class_paths) > MOST_CLASS_PATHS or any(len(path) > LONGEST_CLASS_PATH for path in class_paths):
        errors["class_paths"] = f"Name at most {MOST_CLASS_PATHS} jobs."
    if errors:
        raise BadToken(errors)
    plain, token_hash = new_token(PREFIX)
    ends = [now() + timedelta(days=days)] if days else []
    note(
        db,
        "token.create",
        user.username,
        after={"name": name, "days": days, "read_only": read_only, "class_paths": list(class_paths)},
    )
    db.add(
        ApiToken(
            user_id=user.id,
            name=name,
            prefix=plain[:SHOWN_CHARACTERS],
            token_hash=token_hash,
            expires_at=min([*ends, *([last] if last else [])], default=None),
            read_only=read_only,
            class_paths=list(class_paths),
        )
    )
    db.commit()
    return plain


def drop_token(db: Session, user: User, token_id: int) -> bool:
    """Delete a token of this user; tell whether there was one. The caller commits."""
    own = (ApiToken.id == token_id, ApiToken.user_id == user.id)
    ended = db.scalar(delete(ApiToken).where(*own).returning(ApiToken.id)) is not None
    if ended:
        note(db, "token.end", str(token_id))
    return ended
