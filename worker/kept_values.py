"""What jobs keep between their runs, as it lies in the PLATFORM database: runs ask for it by worker.job_values, people by
pages, the API and commands. Whoever calls has made sure that they may.
"""

import json
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, Text, cast, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from jobs.errors import InvalidData
from jobs.kinds import secret_names
from store.models import JobRecord, JobValue, now
from worker.values import check_key, json_of

T = TypeVar("T")

#: Of one job.
MOST_KEYS = 1_000

HIDDEN = "The inputs of this job are sensitive, so only the keys of what it keeps are shown."


class ValueRefused(Exception):
    """A value that is not kept, as a sentence."""


class Kept(NamedTuple):
    """A value as it is shown."""

    key: str
    #: Its JSON, or as much of it as was asked for.
    text: str
    #: Of its JSON, which is ASCII.
    size_bytes: int
    updated_at: datetime
    #: The run that wrote it; None: a person did, or the run was deleted.
    result_id: uuid.UUID | None

    @property
    def value(self) -> Any:
        """The value; only where all of its JSON was asked for."""
        return json.loads(self.text)

    @property
    def shown(self) -> str:
        """Its JSON as people read it, or the beginning."""
        if len(self.text) < self.size_bytes:
            return f"{self.text}…"
        return json.dumps(self.value, ensure_ascii=False)


def are_hidden(job: JobRecord) -> bool:
    """Tell whether nobody is shown the values of this job: they may say what its inputs were."""
    return job.has_sensitive_variables or bool(secret_names(job.variables))


# Within the caller's transaction


def put(
    connection: Connection, class_path: str, key: str, value: Any, result_id: uuid.UUID | None = None
) -> bool:
    """Keep a value; True where there was none under its key. Raises ValueRefused.

    Raises IntegrityError where somebody makes the same key in the same moment: then it is there the next time.
    """
    values = {"value": value, "updated_at": now(), "result_id": result_id}
    if connection.execute(update(JobValue).where(*_is(class_path, key)).values(values)).rowcount:
        return False
    count = select(func.count()).where(JobValue.class_path == class_path)
    if (connection.scalar(count) or 0) >= MOST_KEYS:
        raise ValueRefused(f"{key} was not kept: a job keeps at most {MOST_KEYS:,} values.")
    connection.execute(insert(JobValue).values(class_path=class_path, key=key, **values))
    return True


def take(connection: Connection, class_path: str, key: str) -> bool:
    """Delete a value; False where there is none."""
    return bool(connection.execute(delete(JobValue).where(*_is(class_path, key))).rowcount)


# For people


def count_kept(db: Session, class_path: str) -> int:
    return db.scalar(select(func.count()).where(JobValue.class_path == class_path)) or 0


def list_kept(
    db: Session, class_path: str, *, after: str = "", limit: int, characters: int | None = None
) -> tuple[list[Kept], str | None]:
    """Return values in the order of their keys, and the key to go on after where there are more.

    characters: as much of their JSON; None: all of it.
    """
    query = _kept(characters).where(JobValue.class_path == class_path, JobValue.key > after)
    rows = [Kept(*row) for row in db.execute(query.order_by(JobValue.key).limit(limit + 1))]
    return rows[:limit], rows[limit - 1].key if len(rows) > limit else None


def find_kept(db: Session, class_path: str, key: str) -> Kept | None:
    if not _is_key(key):
        return None  # No database need be asked for it, and some would refuse.
    row = db.execute(_kept(None).where(*_is(class_path, key))).one_or_none()
    return None if row is None else Kept(*row)


def keep(db: Session, class_path: str, key: str, value: Any) -> bool:
    """Keep what a person gave, a JSON value, with the limits that jobs have; True where it is new. Commits `db`.

    Raises InvalidData.
    """
    for name, check in (("key", lambda: check_key(key)), ("value", lambda: json_of(key, value))):
        try:
            check()
        except ValueError as error:
            raise InvalidData({name: [str(error)]}) from error
    try:
        return _twice(db, lambda connection: put(connection, class_path, key, value))
    except ValueRefused as error:
        db.rollback()
        raise InvalidData({"key": [str(error)]}) from error


def forget(db: Session, class_path: str, key: str) -> bool:
    """Delete a value; False where there is none. Commits `db`."""
    found = _is_key(key) and take(db.connection(), class_path, key)
    db.commit()
    return found


def forget_all(db: Session, class_path: str) -> int:
    """Delete all that a job keeps, and return how many values that were. Commits `db`."""
    count = db.connection().execute(delete(JobValue).where(JobValue.class_path == class_path)).rowcount
    db.commit()
    return count


def _twice(db: Session, act: Callable[[Connection], T]) -> T:
    try:
        done = act(db.connection())
    except IntegrityError:
        # A run has just made the same key.
        db.rollback()
        done = act(db.connection())
    db.commit()
    return done


def _kept(characters: int | None) -> Any:
    text = cast(JobValue.value, Text)
    shown = text if characters is None else func.substr(text, 1, characters)
    return select(JobValue.key, shown, func.length(text), JobValue.updated_at, JobValue.result_id)


def _is(class_path: str, key: str) -> tuple[Any, Any]:
    return JobValue.class_path == class_path, JobValue.key == key


def _is_key(key: str) -> bool:
    try:
        check_key(key)
    except ValueError:
        return False
    return True
