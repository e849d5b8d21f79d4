"""Who calls, by HTTP Basic authentication."""

from flask import Request
from sqlalchemy import select
from werkzeug.exceptions import TooManyRequests

from store.models import User
from store.secrets import verify_password
from store.text import clean_text
from webapp import lock_out
from webapp.database import reading

LONGEST = 1_000


def user_of(request: Request) -> User | None:
    """Return whom the name and the password of a request belong to; None: nobody. Raises TooManyRequests.

    Who guesses has to wait, as on the page where people sign in.
    """
    given = request.authorization
    if given is None or given.type != "basic":
        return None
    username, password = clean_text(given.username or "")[:LONGEST], (given.password or "")[:LONGEST]
    address = request.remote_addr or ""
    if wait := lock_out.seconds_to_wait(username, address):
        raise TooManyRequests(f"Too many wrong passwords. Try again in {wait} seconds.", retry_after=wait)
    with reading() as db:
        user = db.scalars(select(User).where(User.username == username)).one_or_none()
    right = verify_password(user.password_hash if user else None, password)
    if not right or user is None or not user.active:
        return None
    lock_out.forget_failures(username, address)
    return user
