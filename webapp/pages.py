"""What pages of plugins are made with. What is named here stays; the rest of this room may change at any time."""

from contextlib import AbstractContextManager

from flask import current_app
from sqlalchemy.orm import Session

from webapp.auth import allowed, current_user, require
from webapp.htmx import go_to, nothing_new, wants_fragment

__all__ = ["allowed", "current_user", "data_session", "go_to", "nothing_new", "require", "wants_fragment"]


def data_session() -> AbstractContextManager[Session]:
    """Return a session that reads the objects, for a `with` block; querysets of models find it by themselves."""
    session: AbstractContextManager[Session] = current_app.extensions["errand"].data.session()
    return session
