"""The users of an htpasswd file: they become users here, and keep their passwords."""

import re
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.audit import note
from store.models import User
from store.people import BadUsername, check_username
from store.secrets import is_bcrypt

_LINE = re.compile(r"([^:\s]+):(\S+)")


def keep_users(db: Session, path: Path) -> list[str]:
    """Make the users of a file, or give those that came from one their passwords of now; return what it could not do.

    Commits `db`. Raises OSError.
    """
    refused = []
    for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            try:
                _keep(db, line.strip())
            except BadUsername as problem:
                refused.append(f"{path}, line {number}: {problem}")
    db.commit()
    return refused


def _keep(db: Session, line: str) -> None:
    found = _LINE.fullmatch(line)
    if found is None:
        raise BadUsername("A line is a name, a colon and a hash.")
    username, password_hash = found.groups()
    if not is_bcrypt(password_hash):
        raise BadUsername(f"The password of {username} is not hashed with bcrypt: use `htpasswd -B`.")
    user = db.scalars(select(User).where(User.username == username)).one_or_none()
    if user is None:
        check_username(db, username)
        db.add(User(username=username, password_hash=password_hash, active=True))
        db.flush()
        note(db, "user.create", username, after={"superuser": False})
    elif user.password_hash != password_hash:
        if not is_bcrypt(user.password_hash):
            raise BadUsername(f"{username} has a password here, which stays.")
        user.password_hash = password_hash
        note(db, "user.password", username)
