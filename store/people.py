"""What there is to say about accounts, whoever makes or changes them: a page, a command."""

import re
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from store.decisions import ME
from store.models import SignInLink, User, now
from store.secrets import new_token

#: As on most systems, so that a name can stand in a URL, a log line and a mail address.
_USERNAME = re.compile(r"[\w.@+-]{1,150}")

LINK_LIFETIME = timedelta(days=1)


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
    taken = db.scalar(select(User.username).where(func.lower(User.username) == username.lower()).limit(1))
    if taken is not None:
        raise BadUsername(f"There is a user {taken!r} already.")


def sign_in_path(db: Session, user: User) -> str:
    """Make a link that signs `user` in, once; return its path. Commits `db`."""
    token, token_hash = new_token("link")
    db.add(SignInLink(user_id=user.id, token_hash=token_hash, expires_at=now() + LINK_LIFETIME))
    db.commit()
    return f"/login/{token}"
