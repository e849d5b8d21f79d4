"""Who guesses passwords has to wait, longer and longer."""

import hashlib
from datetime import datetime, timedelta
from math import ceil

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from store.models import SignInFailure, now
from webapp.database import reading, writing

#: So many wrong passwords for a name from one address are mistakes; each further one doubles the wait.
FREE_TRIES = 5
FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(hours=1)

#: After so long without one, the count begins anew.
FORGOTTEN_AFTER = timedelta(hours=24)


def seconds_to_wait(username: str, address: str) -> int:
    """Return for how long nobody may try this name from there; 0 for no time."""
    with reading() as db:
        until = db.scalar(
            select(SignInFailure.locked_until).where(SignInFailure.key == _key(username, address))
        )
    return max(0, ceil((until - now()).total_seconds())) if until is not None else 0


def note_failure(username: str, address: str) -> None:
    """Count one more wrong password. Whether there is somebody of that name makes no difference."""
    key, moment = _key(username, address), now()
    try:
        _write(key, moment)
    except IntegrityError:
        # Another one in the same moment made the row.
        _write(key, moment)


def forget_failures(username: str, address: str) -> None:
    with writing() as db:
        db.execute(delete(SignInFailure).where(SignInFailure.key == _key(username, address)))


def _write(key: str, moment: datetime) -> None:
    with writing() as db:
        db.execute(delete(SignInFailure).where(SignInFailure.last_at < moment - FORGOTTEN_AFTER))
        counted = update(SignInFailure).where(SignInFailure.key == key)
        count = db.scalar(
            counted.values(count=SignInFailure.count + 1, last_at=moment).returning(SignInFailure.count)
        )
        if count is None:
            db.add(SignInFailure(key=key, count=1, last_at=moment))
        elif count >= FREE_TRIES:
            db.execute(counted.values(locked_until=moment + _wait(count)))


def _wait(count: int) -> timedelta:
    # Not more doublings than it takes to be longer than the longest.
    doublings: int = 2 ** min(count - FREE_TRIES, 10)
    return min(FIRST_WAIT * doublings, LONGEST_WAIT)


def _key(username: str, address: str) -> str:
    return hashlib.sha256(f"{username.lower()}\0{address}".encode("utf-8", "surrogatepass")).hexdigest()
