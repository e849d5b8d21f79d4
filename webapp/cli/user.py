"""`./errand user`: who may sign in."""

import sys
from typing import TYPE_CHECKING, Any

import click

from webapp.cli import Place, with_place, with_settings
from webapp.cli.platform import did_you_mean, find_user, platform_session

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from store.settings import Settings
    from webapp.cli.portal import Portal


@click.group()
def user() -> None:
    """Create and list users, let them in, keep them out."""


@user.command()
@click.argument("username", metavar="NAME")
@click.option("--superuser", is_flag=True, help="May do everything.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@with_settings
def create(settings: "Settings", username: str, superuser: bool, password_stdin: bool) -> None:
    """Create a user.

    Without --password-stdin the password is asked for; where there is no terminal to ask at, the user
    gets none, and the path of a link is printed that signs them in once, within a day.
    """
    from store.audit import note
    from store.models import User
    from store.people import sign_in_path

    with platform_session(settings) as session:
        _check_name(session, username)
        # The write turn is not kept while somebody thinks of a password.
        session.rollback()
        password = _ask_password(username, from_stdin=password_stdin)
        created = User(username=username, superuser=superuser, password_hash=_hash(password, username))
        session.add(created)
        note(session, "user.create", username, after={"superuser": superuser})
        _commit_new(session, username)
        click.echo(f"Created {'superuser' if superuser else 'user'} {username}.", err=True)
        if password is None:
            click.echo(sign_in_path(session, created))


@user.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@with_place
def list_users(place: Place, as_json: bool) -> None:
    """List users, one a line."""
    from webapp.cli.printing import show

    columns = (
        ("Name", lambda row: row["username"]),
        ("Kind", lambda row: "superuser" if row["superuser"] else "user"),
        ("State", lambda row: "active" if row["active"] else "disabled"),
    )
    rows = place.elsewhere.every("/users") if place.elsewhere else _all(place.settings)
    show(rows, columns, as_json=as_json)


@user.command()
@click.argument("name", metavar="NAME")
@with_place
def link(place: Place, name: str) -> None:
    """Print the path of a link that signs a user in once, within a day; elsewhere its address."""
    if place.elsewhere is not None:
        click.echo(place.elsewhere.post(f"/users/{_id_of(place.elsewhere, name)}/link")["url"])
    else:
        click.echo(_link(place.settings, name))


def _link(settings: "Settings", username: str) -> str:
    from store.audit import note
    from store.people import sign_in_path

    with platform_session(settings) as session:
        found = find_user(session, username)
        if not found.active:
            raise click.ClickException(
                f"{username} is disabled. Enable first: ./errand user enable {username}"
            )
        note(session, "user.link", username)
        return sign_in_path(session, found)


@user.command()
@click.argument("username", metavar="NAME")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@with_settings
def password(settings: "Settings", username: str, password_stdin: bool) -> None:
    """Set a user's password. Whoever is signed in with the old one is signed out."""
    from sqlalchemy import delete

    from store.audit import note
    from store.models import UserSession

    with platform_session(settings) as session:
        find_user(session, username)
        session.rollback()
        given = _ask_password(username, from_stdin=password_stdin)
        if given is None:
            raise click.ClickException("Give the password with --password-stdin, or at a terminal.")
        found = find_user(session, username)
        found.password_hash = _hash(given, username)
        session.execute(delete(UserSession).where(UserSession.user_id == found.id))
        note(session, "user.password", username)
        session.commit()
    click.echo(f"Set the password of {username}.", err=True)


@user.command()
@click.argument("name", metavar="NAME")
@with_place
def enable(place: Place, name: str) -> None:
    """Let a disabled user in again."""
    _switch(place, name, active=True)
    click.echo(f"Enabled {name}.", err=True)


@user.command()
@click.argument("name", metavar="NAME")
@with_place
def disable(place: Place, name: str) -> None:
    """End a user's sessions and let neither them nor their tokens in any more. What they did stays."""
    _switch(place, name, active=False)
    click.echo(f"Disabled {name}.", err=True)


def _switch(place: Place, username: str, *, active: bool) -> None:
    if place.elsewhere is not None:
        place.elsewhere.patch(f"/users/{_id_of(place.elsewhere, username)}", {"active": active})
        return
    from sqlalchemy import delete

    from store.audit import note
    from store.models import SignInLink, UserSession

    with platform_session(place.settings) as session:
        found = find_user(session, username)
        found.active = active
        if not active:
            session.execute(delete(UserSession).where(UserSession.user_id == found.id))
            session.execute(delete(SignInLink).where(SignInLink.user_id == found.id))
        note(session, "user.change", username, after={"active": active})
        session.commit()


def _id_of(portal: "Portal", username: str) -> int:
    """Return the number by which the API knows somebody."""
    names = {each["username"]: each["id"] for each in portal.every("/users")}
    if username not in names:
        raise click.ClickException(f"There is no user {username!r}.{did_you_mean(username, names)}")
    return int(names[username])


def _all(settings: "Settings") -> list[dict[str, Any]]:
    from sqlalchemy import select

    from store.models import User

    with platform_session(settings) as session:
        found = session.scalars(select(User).order_by(User.username))
        return [{"username": u.username, "superuser": u.superuser, "active": u.active} for u in found]


def _check_name(session: "Session", username: str) -> None:
    from store.people import BadUsername, check_username

    try:
        check_username(session, username)
    except BadUsername as error:
        raise click.ClickException(str(error)) from error


def _commit_new(session: "Session", username: str) -> None:
    from sqlalchemy.exc import IntegrityError

    try:
        session.commit()
    except IntegrityError as error:
        raise click.ClickException(f"There is a user {username!r} already.") from error


def _ask_password(username: str, *, from_stdin: bool) -> str | None:
    if from_stdin:
        return _read_line()
    if _at_a_terminal():
        return str(
            click.prompt(f"Password for {username}", hide_input=True, confirmation_prompt=True, err=True)
        )
    return None


def _read_line() -> str:
    try:
        given = sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise click.ClickException("The password is not UTF-8 text.") from error
    password = given.removesuffix("\n").removesuffix("\r")
    if "\n" in password or "\r" in password:
        raise click.ClickException("The password has more than one line.")
    return password


def _hash(password: str | None, username: str) -> str | None:
    from store.secrets import WeakPassword, check_password_rules, hash_password

    if password is None:
        return None
    try:
        check_password_rules(password, username)
    except WeakPassword as error:
        raise click.ClickException(f"This password cannot be used. {error}") from error
    return hash_password(password)


def _at_a_terminal() -> bool:
    return sys.stdin.isatty()
