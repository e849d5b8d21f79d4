"""The files of runs: those they are given, lent to their jobs while they run, and those they make.

A file has its row before its content, and gets its run with the run's own row: whatever dies in between, a file that
belongs to nothing is found and removed.
"""

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO
from uuid import UUID

from sqlalchemy import Connection, Engine, delete, insert, or_, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from jobs.errors import InvalidData
from jobs.files import Upload, too_large
from store.files import FileGone, FileStore, FileTooLarge, file_store, new_key
from store.models import FINAL, JobResult, RunFile, Status, now
from store.settings import Settings
from worker.ownership import Claim, hold

PIECE_BYTES = 256 * 1024

LONGEST_TYPE = 100

#: A file that is on its way in belongs to nothing for no longer than this.
ORPHAN_AFTER = timedelta(hours=6)

#: Removed in one pass.
MOST_REMOVED = 200


class FileRefused(Exception):
    """A file that is not kept, as a sentence for the job."""


# --- What a run is given -----------------------------------------------------------------------------------------


class Kept:
    """The files of one request, in the store. They are removed again unless they are `given` to a run."""

    def __init__(self, data: dict[str, Any], keys: Sequence[str]) -> None:
        #: The inputs, with what is said of each file in its place.
        self.data = data
        self.keys = keys
        self.given = False

    def give(self, db: Session, result_id: UUID) -> None:
        """Have them belong to a run, in the transaction that stores it."""
        if self.keys:
            db.flush()
            _give(db.connection(), self.keys, result_id)


@contextmanager
def keeping(settings: Settings, db: Session, data: dict[str, Any]) -> Iterator[Kept]:
    """Keep the files among the inputs while a run that takes them is stored. Commits `db` if there are any."""
    uploads = _uploads(data)
    if not uploads:
        yield Kept(data, ())
        return
    # A large file takes its time, and on SQLite whatever was read so far keeps every other writer waiting.
    db.commit()
    engine = db.get_bind().engine
    files = file_store(settings, engine)
    kept = Kept({**data, **{name: _said_of(upload) for name, upload in uploads.items()}}, keys := [])
    try:
        for name, upload in uploads.items():
            upload.stream.seek(0)
            try:
                keys.append(_keep(engine, files, upload.stream, upload, variable=name))
            except FileRefused as error:
                raise InvalidData({name: [str(error)]}) from error
        yield kept
    finally:
        if not kept.given:
            db.rollback()
            _remove_unless_given(engine, files, keys)


def _remove_unless_given(engine: Engine, files: FileStore, keys: Sequence[str]) -> None:
    """Remove files unless a run has them: a commit whose answer got lost may stand all the same."""
    query = select(RunFile.key).where(RunFile.key.in_(keys), RunFile.result_id.is_(None))
    # Without the database nobody knows: `sweep` will.
    with suppress(OperationalError):
        with engine.connect() as connection:
            ours = list(connection.scalars(query))
        remove(engine, files, ours)


@contextmanager
def on_disk(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give the inputs with each file at a path where another process can open it (see FileVar.restore)."""
    uploads = _uploads(data)
    if not uploads:
        yield data
        return
    with TemporaryDirectory(prefix="errand-") as folder:
        readable = dict(data)
        for number, (name, upload) in enumerate(uploads.items()):
            path = Path(folder, str(number))
            upload.stream.seek(0)
            with path.open("wb") as copy:
                shutil.copyfileobj(upload.stream, copy, PIECE_BYTES)
            readable[name] = {**_said_of(upload), "path": str(path)}
        yield readable


def check_sizes(data: Mapping[str, Any], most_bytes: int) -> None:
    """Raise InvalidData for files that are larger than the portal takes."""
    errors = {
        name: [too_large(most_bytes)]
        for name, upload in _uploads(data).items()
        if upload.size_bytes > most_bytes
    }
    if errors:
        raise InvalidData(errors)


def lend(engine: Engine, files: FileStore, result_id: UUID, folder: Path) -> dict[str, dict[str, Any]]:
    """Copy the files that a run was given to where its job can open them: {variable: what FileVar restores}.

    Raises FileGone.
    """
    query = select(RunFile).where(RunFile.result_id == result_id, RunFile.variable.is_not(None))
    with engine.execution_options(sqlite_begin="DEFERRED").connect() as connection:
        rows = connection.execute(query).all()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lent: dict[str, dict[str, Any]] = {}
    for row in rows:
        path = folder / f"input-{row.id}"
        with files.open(row.key) as content, path.open("wb") as copy:
            shutil.copyfileobj(content, copy, PIECE_BYTES)
        lent[str(row.variable)] = {
            "path": str(path),
            "name": row.name,
            "size": row.size_bytes,
            "content_type": row.content_type,
        }
    return lent


def given(settings: Settings, db: Session, result_id: UUID) -> dict[str, Upload]:
    """Return the files that a run which waits was given, for another one like it: {variable: file}."""
    files = file_store(settings, db.get_bind().engine)
    query = select(RunFile).where(RunFile.result_id == result_id, RunFile.variable.is_not(None))
    try:
        return {
            str(row.variable): Upload(row.name, files.open(row.key), row.content_type)
            for row in db.scalars(query)
        }
    except FileGone as error:
        raise InvalidData(["A file that the run was given is not there any more."]) from error


def take_back(engine: Engine, files: FileStore, result_id: UUID) -> None:
    """Remove what a run was given: it has ended."""
    query = select(RunFile.key).where(RunFile.result_id == result_id, RunFile.variable.is_not(None))
    with engine.connect() as connection:
        keys = list(connection.scalars(query))
    remove(engine, files, keys)


# --- What it makes -----------------------------------------------------------------------------------------------


def keep_made(
    engine: Engine,
    files: FileStore,
    claim: Claim,
    path: Path,
    *,
    name: str,
    content_type: str,
    most_bytes: int,
) -> int:
    """Keep a file that a run has made, and return its id. Raises FileRefused, or Fenced when the run is not ours."""
    with path.open("rb") as content:
        upload = Upload(name, content, content_type)
        if upload.size_bytes > most_bytes:
            raise FileRefused(too_large(most_bytes))
        key = _keep(engine, files, content, upload, variable=None)
    try:
        with engine.begin() as connection:
            hold(connection, claim)
            _give(connection, [key], claim.result_id)
            return int(connection.execute(select(RunFile.id).where(RunFile.key == key)).scalar_one())
    except BaseException:
        remove(engine, files, [key])
        raise


def _uploads(data: Mapping[str, Any]) -> dict[str, Upload]:
    return {name: value for name, value in data.items() if isinstance(value, Upload)}


def _said_of(upload: Upload) -> dict[str, Any]:
    return {
        "name": upload.name,
        "size": upload.size_bytes,
        "content_type": upload.content_type[:LONGEST_TYPE],
    }


# --- Both --------------------------------------------------------------------------------------------------------


def remove(engine: Engine, files: FileStore, keys: Iterable[str]) -> None:
    """Remove files with their rows. What cannot be removed now is found by `sweep`."""
    for key in keys:
        with suppress(Exception):
            files.delete(key)
            with engine.begin() as connection:
                connection.execute(delete(RunFile).where(RunFile.key == key))


def sweep(engine: Engine, files: FileStore) -> int:
    """Remove what belongs to no run, and what was given to runs that have ended; return how much that was."""
    ended = RunFile.variable.is_not(None) & JobResult.status.in_(list(FINAL))
    orphaned = RunFile.result_id.is_(None) & (RunFile.created_at < now() - ORPHAN_AFTER)
    query = (
        select(RunFile.key)
        .outerjoin(JobResult, JobResult.id == RunFile.result_id)
        .where(or_(ended, orphaned))
        .limit(MOST_REMOVED)
    )
    with engine.execution_options(sqlite_begin="DEFERRED").connect() as connection:
        keys = list(connection.scalars(query))
    remove(engine, files, keys)
    return len(keys)


def remove_stale_folders(engine: Engine, folder: Path) -> None:
    """Remove what passed through `folder` for attempts that are over: their worker died before it could."""
    # Before the question: who has a folder has claimed its run.
    found = {path: _attempt_of(path) for path in _inside(folder)}
    ids = {attempt[0] for attempt in found.values() if attempt}
    if not ids:
        return
    query = select(JobResult.id, JobResult.attempt).where(
        JobResult.id.in_(ids), JobResult.status == Status.RUNNING
    )
    with engine.execution_options(sqlite_begin="DEFERRED").connect() as connection:
        going_on = {(row.id, row.attempt) for row in connection.execute(query)}
    for path, attempt in found.items():
        if attempt and attempt not in going_on:
            shutil.rmtree(path, ignore_errors=True)


def folder_of(settings: Settings, claim: Claim) -> Path:
    """Return where the files of one attempt pass through: another attempt may begin before this one is cleared away."""
    return folders_of(settings) / f"{claim.result_id.hex}-{claim.attempt}"


def folders_of(settings: Settings) -> Path:
    return settings.instance / "runs"


def _inside(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _attempt_of(folder: Path) -> tuple[UUID, int] | None:
    key, _, attempt = folder.name.partition("-")
    try:
        return UUID(key), int(attempt)
    except ValueError:
        return None


def _give(connection: Connection, keys: Iterable[str], result_id: UUID) -> None:
    connection.execute(update(RunFile).where(RunFile.key.in_(list(keys))).values(result_id=result_id))


def _keep(
    engine: Engine,
    files: FileStore,
    content: BinaryIO,
    upload: Upload,
    *,
    variable: str | None,
) -> str:
    # The row first, so that no content is ever without one.
    key = new_key()
    row = {
        "key": key,
        "variable": variable,
        "name": upload.name,
        "content_type": upload.content_type[:LONGEST_TYPE],
        "size_bytes": upload.size_bytes,
    }
    with engine.begin() as connection:
        connection.execute(insert(RunFile).values(**row, created_at=now()))
    try:
        files.put(content, key=key, most_bytes=upload.size_bytes)
    except BaseException as error:
        remove(engine, files, [key])
        if isinstance(error, FileTooLarge):
            raise FileRefused("The file grew while it was read.") from error
        raise
    return key
