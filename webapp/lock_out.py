"""Who guesses passwords has to wait, longer and longer."""

import hashlib
from datetime import datetime, timedelta
from math import ceil

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from store.models import SignInFailure, now
from webapp.database import writing

#: So many wrong passwords for a name from one address are mistakes; each further one doubles the wait.
FREE_TRIES = 5
FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(hours=1)

#: Where tries of one's own password are made from: wherever that is.
OWN_ACCOUNT = "own account"

#: After so long without one, the count begins anew.
FORGOTTEN_AFTER = timedelta(hours=24)


def seconds_to_wait(username: str, address: str) -> int:
    """Count a try, and return for how long it may not be made; 0 where it may.

    Counted before anything is compared: of many at once no more than a few get as far. A try that was right is
    forgotten afterwards. Whether there is somebody of that name makes no difference.
    """
    key = _key(username, address)
    try:
        return _count(key, now())
    except IntegrityError:
        # Another one in the same moment made the row.
        return _count(key, now())


def forget_failures(username: str, address: str) -> None:
    with writing() as db:
        db.execute(delete(SignInFailure).where(SignInFailure.key == _key(username, address)))


def _count(key: str, moment: datetime) -> int:
    with writing() as db:
        db.execute(delete(SignInFailure).where(SignInFailure.last_at < moment - FORGOTTEN_AFTER))
        row = db.scalar(select(SignInFailure).where(SignInFailure.key == key).with_for_update())
        if row is None:
            db.add(SignInFailure(key=key, count=1, last_at=moment))
            return 0
        if row.locked_until is not None and row.locked_until > moment:
            return max(1, ceil((row.locked_until - moment).total_seconds()))
        row.count, row.last_at = row.count + 1, moment
        if row.count >= FREE_TRIES:
            row.locked_until = moment + _wait(row.count)
        return 0


def _wait(count: int) -> timedelta:
    # Not more doublings than it takes to be longer than the longest.
    doublings: int = 2 ** min(count - FREE_TRIES, 10)
    return min(FIRST_WAIT * doublings, LONGEST_WAIT)


def _key(username: str, address: str) -> str:
    return hashlib.sha256(f"{username.lower()}\0{address}".encode("utf-8", "surrogatepass")).hexdigest()
