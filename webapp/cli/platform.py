"""The PLATFORM database as commands use it: opened, checked, and with a sentence when it cannot be."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.orm import Session

    from store.models import JobRecord, User
    from store.platform import Platform
    from store.settings import Settings


@contextmanager
def platform_session(settings: "Settings") -> "Iterator[Session]":
    """Give a session that may write. The caller commits."""
    with open_platform(settings) as platform, platform.session() as session:
        yield session


@contextmanager
def open_platform(settings: "Settings") -> "Iterator[Platform]":
    from store.audit import Actor, act_as
    from store.platform import Platform

    act_as(Actor(via="command"))

    with upgraded(settings):
        platform = Platform(settings.database_url)
        try:
            yield platform
        finally:
            platform.dispose()


@contextmanager
def upgraded(settings: "Settings") -> Iterator[None]:
    """Give a sentence also where the database is not of this version."""
    from store.schema import misfit

    with clear_errors():
        if why := misfit(settings.database_url):
            raise click.ClickException(why)
        yield


def refuse_behind(settings: "Settings") -> None:
    """End what is about to begin for long on a database that was not upgraded."""
    from store.schema import NOT_UPGRADED, seen_behind

    with clear_errors():
        if seen_behind(settings.database_url):
            raise click.ClickException(NOT_UPGRADED)


@contextmanager
def clear_errors() -> Iterator[None]:
    """Give a sentence where the database cannot be used, or a plugin."""
    from sqlalchemy.exc import DatabaseError, OperationalError

    from store.platform import is_damaged
    from store.plugins import PluginError

    try:
        yield
    except PluginError as error:
        raise click.ClickException(str(error)) from error
    except DatabaseError as error:
        if not isinstance(error, OperationalError) and not is_damaged(error):
            raise
        raise click.ClickException(f"The database cannot be used: {_first_line(error)}") from error


def find_user(session: "Session", username: str) -> "User":
    from sqlalchemy import select

    from store.models import User

    found = session.scalars(select(User).where(User.username == username)).one_or_none()
    if found is None:
        others = session.scalars(select(User.username)).all()
        raise click.ClickException(f"There is no user {username!r}.{did_you_mean(username, others)}")
    return found


def find_job(session: "Session", class_path: str) -> "JobRecord":
    from sqlalchemy import select

    from store.models import JobRecord, class_path_of
    from store.text import clean_text

    # Cleaned: an argument may be bytes that no database takes.
    path = class_path_of(clean_text(class_path))
    found = session.scalars(select(JobRecord).where(JobRecord.class_path == path)).one_or_none()
    if found is None:
        known = session.scalars(select(JobRecord.class_path)).all()
        hint = did_you_mean(class_path, known) or " `./errand jobs list` shows those there are."
        raise click.ClickException(f"There is no job {class_path!r}.{hint}")
    return found


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """Return a sentence, with a space before it, that names what may have been meant; or nothing."""
    import difflib

    names = {name.lower(): name for name in known}
    near = [names[match] for match in difflib.get_close_matches(given.lower(), names, n=3, cutoff=0.5)]
    return f" Did you mean {' or '.join(near)}?" if near else ""


def _first_line(error: "DBAPIError") -> str:
    return str(error.orig).strip().split("\n", 1)[0]
