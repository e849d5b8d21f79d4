"""Data files as runs meet them: what there is to choose from, whether a choice is one, and a copy when the run begins."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from jobs.data_files import data_file_names
from jobs.errors import InvalidData
from store.data_files import sync
from store.models import DataFile, JobRecord, JobResult, User
from store.permissions import allowed, may_view
from store.settings import Settings

#: A page is no place for more choices, nor a sentence.
MOST_CHOICES = 1_000
MOST_NAMED = 20


class DataFileMissing(Exception):
    """A data file that a run wants and cannot have, as a sentence."""


def choices(engine: Engine, user: User | None) -> list[str]:
    """Return the names of the data files that `user` may see; None: of all."""
    query = select(DataFile.name).order_by(DataFile.name).limit(MOST_CHOICES)
    if user is not None:
        query = query.where(may_view(user, DataFile))
    with engine.execution_options(sqlite_begin="DEFERRED").connect() as connection:
        return list(connection.scalars(query))


def check_chosen(
    settings: Settings,
    engine: Engine,
    variables: Sequence[Mapping[str, Any]],
    data: Mapping[str, Any],
    user: User | None,
) -> None:
    """Raise InvalidData for inputs that name no data file which `user` may see. None: nobody's permission is asked.

    What has changed in the folder is written down first: the caller must not have SQLite's write turn.
    """
    chosen = {name: data[name] for name in data_file_names(variables) if data.get(name)}
    if not chosen:
        return
    sync(settings, engine)
    query = select(DataFile.name).where(DataFile.name.in_(chosen.values()))
    if user is not None:
        query = query.where(may_view(user, DataFile))
    with engine.execution_options(sqlite_begin="DEFERRED").connect() as connection:
        there = set(connection.scalars(query))
    if gone := {name: value for name, value in chosen.items() if value not in there}:
        known = _named(choices(engine, user))
        raise InvalidData(
            {
                name: [f"There is no data file {value} that you may see.{known}"]
                for name, value in gone.items()
            }
        )


def _named(names: Sequence[str]) -> str:
    if not names:
        return " There is none."
    more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
    return f" Choose from: {', '.join(names[:MOST_NAMED])}{more}."


def lend(
    settings: Settings, engine: Engine, result_id: UUID, data: Mapping[str, Any], folder: Path
) -> dict[str, dict[str, str]]:
    """Copy the data files among the inputs of a run to where its job can open them: {variable: what it restores}.

    Raises DataFileMissing, also where who asked for the run may not see one (any more).
    """
    sync(settings, engine)
    with Session(engine.execution_options(sqlite_begin="DEFERRED")) as db:
        result = db.get_one(JobResult, result_id)
        job = db.get(JobRecord, result.job_id) if result.job_id else None
        names = data_file_names(job.variables if job is not None else ())
        chosen = {name: str(data[name]) for name in names if data.get(name)}
        asks = None if result.permitted or result.user_id is None else db.get(User, result.user_id)
        lent = {}
        for number, (variable, name) in enumerate(chosen.items()):
            lent[variable] = _copied(db, name, asks, folder / f"data-{number}")
        return lent


def _copied(db: Session, name: str, asks: User | None, folder: Path) -> dict[str, str]:
    row = db.scalars(select(DataFile).where(DataFile.name == name)).one_or_none()
    if row is None:
        raise DataFileMissing(f"The data file {name} is not there any more.")
    if asks is not None and not allowed(asks, "view", row):
        raise DataFileMissing(f"{asks.username} may not see the data file {name} any more.")
    # In a folder of its own, so that it can have its own name.
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(row.content)
    return {"name": name, "path": str(path)}
