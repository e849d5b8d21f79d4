"""Data files: what may be one, the folder they lie in, and the table that tells every machine of them.

The content is in the table, where workers on other machines find it; the folder is where people look, and put files by
other means. What lies there is taken over, and what was taken away there is forgotten, each time somebody lists them or a
run wants one. A machine knows its folder by a mark in it, so it never forgets what lies in the folder of another one.
"""

import functools
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from jobs.data_files import problem_of_name
from jobs.files import in_units
from store.audit import note
from store.models import DataFile, User, now
from store.settings import Settings

#: The file in a folder that says which folder it is.
MARK = ".errand-folder"

LONGEST_DESCRIPTION = 255

#: Of those in the folder: what lies beyond is no place for inputs.
MOST_FILES = 5_000

ELSEWHERE = (
    "It lies in the data folder of another machine: change it there, or have all machines share one folder."
)


class BadDataFile(ValueError):
    """What cannot be a data file, or cannot be done with one, as a sentence. `field`: "name", "file" or "digest"."""

    def __init__(self, sentence: str, field: str = "file") -> None:
        super().__init__(sentence)
        self.field = field


class OutOfDate(BadDataFile):
    """Somebody has changed the file meanwhile."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What there is to say of a content."""

    size_bytes: int
    digest: str
    entries: int
    description: str


def judge(content: bytes, most_bytes: int) -> Facts:
    """Return the facts of a content. Raises BadDataFile for what is no text."""
    if len(content) > most_bytes:
        raise BadDataFile(f"A data file has at most {in_units(most_bytes)}.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadDataFile(f"This is not text in UTF-8: line {line} has other bytes.") from None
    lines = text.splitlines()
    for number, each in enumerate(lines, 1):
        if not each.isprintable() and not each.replace("\t", "").isprintable():
            raise BadDataFile(f"Line {number} has a character that is not printable.")
    stripped = [line.strip() for line in lines]
    first = stripped[0] if stripped else ""
    return Facts(
        len(content),
        hashlib.sha256(content).hexdigest(),
        sum(1 for line in stripped if line and not line.startswith("#")),
        first.lstrip("#").strip()[:LONGEST_DESCRIPTION] if first.startswith("#") else "",
    )


# --- The folder -----------------------------------------------------------------------------------------------


class Folder:
    """The folder of this machine. Nothing outside of it is ever opened: names have no way out, and links are not followed."""

    def __init__(self, settings: Settings) -> None:
        self.path = settings.data_files
        self._most_bytes = settings.data_file_bytes

    @functools.cached_property
    def id(self) -> str:
        """What tells this folder from others; "" where there is none, and none can be made."""
        mark = self.path / MARK
        with suppress(OSError):
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            with suppress(FileExistsError):
                self._place(mark, secrets.token_hex(16).encode(), new=True)
            return mark.read_text("ascii").strip()[:64]
        return ""

    def files(self) -> Iterator[tuple[str, os.stat_result]]:
        """Yield what could be data files, by name."""
        with suppress(OSError), os.scandir(self.path) as found:
            for number, entry in enumerate(found):
                if number >= MOST_FILES:
                    return
                with suppress(OSError):
                    if not entry.name.startswith(".") and entry.is_file(follow_symlinks=False):
                        yield entry.name, entry.stat(follow_symlinks=False)

    def read(self, name: str) -> bytes:
        """Raises OSError, or BadDataFile for what is no file in the folder, or too large."""
        if problem := problem_of_name(name):
            raise BadDataFile(problem, "name")
        handle = os.open(self.path / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise BadDataFile("This is not a plain file.")
            return file.read(self._most_bytes + 1)

    def write(self, name: str, content: bytes, *, new: bool) -> int:
        """Put a whole file in its place, and return when it was written. Raises BadDataFile, also where `new` finds one."""
        try:
            if not self.id:
                raise OSError("there is none")
            self._place(self.path / name, content, new=new)
            return (self.path / name).lstat().st_mtime_ns
        except FileExistsError:
            raise BadDataFile(f"There is a data file {name} already.", "name") from None
        except OSError as error:
            raise BadDataFile(
                f"The folder of data files takes nothing: {error.strerror or error}."
            ) from error

    def remove(self, name: str) -> None:
        with suppress(FileNotFoundError):
            (self.path / name).unlink()

    def _place(self, path: Path, content: bytes, *, new: bool) -> None:
        """Have a file there whole or not at all."""
        passing = self.path / f".{secrets.token_hex(8)}.part"
        try:
            with passing.open("xb") as file:
                file.write(content)
            if new:
                os.link(passing, path, follow_symlinks=False)
            else:
                passing.replace(path)
        finally:
            passing.unlink(missing_ok=True)


@functools.lru_cache(maxsize=500)
def _problem_of(folder: Path, name: str, written_ns: int, size: int, most_bytes: int) -> str:
    """Say why a file of the folder is no data file; asked again only when it has changed."""
    if problem := problem_of_name(name):
        return problem
    if size > most_bytes:
        return f"A data file has at most {in_units(most_bytes)}."
    try:
        handle = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            judge(file.read(most_bytes + 1), most_bytes)
    except OSError as error:
        return f"It cannot be read: {error.strerror}."
    except BadDataFile as error:
        return str(error)
    return ""


def left_out(settings: Settings, engine: Engine) -> dict[str, str]:
    """Return what lies in the folder and is no data file, with why not: {name: sentence}."""
    folder = Folder(settings)
    others = {name for name, (of, _, _) in _known(engine).items() if of != folder.id}
    found = {}
    for name, facts in folder.files():
        problem = _problem_of(
            folder.path, name, facts.st_mtime_ns, facts.st_size, settings.data_file_bytes
        ) or ("A data file of another machine is called so." if name in others else "")
        if problem:
            found[name] = problem
    return dict(sorted(found.items()))


# --- The table ------------------------------------------------------------------------------------------------


def sync(settings: Settings, engine: Engine) -> None:
    """Have the table say what lies in the folder. Writes, on a session of its own, only where something has changed."""
    folder = Folder(settings)
    if not folder.id:
        return
    known = _known(engine)
    there = dict(folder.files())
    gone = [name for name, (of, _, _) in known.items() if of == folder.id and name not in there]
    changed = [
        name
        for name, facts in there.items()
        if (before := known.get(name)) is None
        or (before[0] == folder.id and before[1:] != (facts.st_mtime_ns, facts.st_size))
        if not _problem_of(folder.path, name, facts.st_mtime_ns, facts.st_size, settings.data_file_bytes)
    ]
    for name in gone:
        _forget(engine, folder, name)
    for name in changed:
        _take_over(engine, settings, folder, name)


def _known(engine: Engine) -> dict[str, tuple[str, int, int]]:
    query = select(DataFile.name, DataFile.folder, DataFile.written_ns, DataFile.size_bytes)
    with engine.execution_options(sqlite_begin="DEFERRED").connect() as connection:
        return {row.name: (row.folder, row.written_ns, row.size_bytes) for row in connection.execute(query)}


def _forget(engine: Engine, folder: Folder, name: str) -> None:
    with Session(engine) as db, db.begin():
        row = _locked(db, name)
        # Somebody may have put it there in this very moment.
        if row is not None and row.folder == folder.id and not (folder.path / name).exists():
            note(db, "data-file.delete", name, before=_said_of(row), actor="")
            db.delete(row)


def _take_over(engine: Engine, settings: Settings, folder: Folder, name: str) -> None:
    with suppress(OSError, BadDataFile, IntegrityError), Session(engine) as db, db.begin():
        row = _locked(db, name)
        written_ns = (folder.path / name).lstat().st_mtime_ns
        content = folder.read(name)
        facts = judge(content, settings.data_file_bytes)
        if row is None:
            _keep(db, DataFile(name=name), content, facts, None, folder.id, written_ns)
            note(db, "data-file.add", name, after=_said(facts), actor="")
        elif row.digest == facts.digest:
            # It was only touched.
            row.written_ns = written_ns
        else:
            before = _said_of(row)
            _keep(db, row, content, facts, None, folder.id, written_ns)
            note(db, "data-file.replace", name, before=before, after=_said(facts), actor="")


def add(db: Session, settings: Settings, name: str, content: bytes, user: User) -> DataFile:
    """Keep a new data file. Commits `db`; raises BadDataFile. Whether `user` may is asked before."""
    if problem := problem_of_name(name):
        raise BadDataFile(problem, "name")
    facts = judge(content, settings.data_file_bytes)
    folder = Folder(settings)
    if db.scalar(select(DataFile.id).where(DataFile.name == name)) is not None:
        raise BadDataFile(f"There is a data file {name} already.", "name")
    written_ns = folder.write(name, content, new=True)
    try:
        row = _keep(db, DataFile(name=name), content, facts, user, folder.id, written_ns)
        note(db, "data-file.add", name, after=_said(facts), actor=user.username)
        db.commit()
    except IntegrityError:
        # Whoever looked through the folder meanwhile has taken it over already: it becomes this person's.
        db.rollback()
        found = _locked(db, name)
        if found is None or found.digest != facts.digest:
            raise BadDataFile(f"There is a data file {name} already.", "name") from None
        row = found
        row.user_id, row.username = user.id, user.username
        db.commit()
    except BaseException:
        db.rollback()
        folder.remove(name)
        raise
    return row


def replace(
    db: Session, settings: Settings, row: DataFile, content: bytes, user: User, digest: str | None = None
) -> DataFile:
    """Have a data file hold something else. Commits `db`; raises BadDataFile, or OutOfDate.

    digest: of the version that is to be replaced; None: whichever it is.
    """
    facts = judge(content, settings.data_file_bytes)
    folder = Folder(settings)
    _check_mine(row, folder)
    row = _current(db, row, digest)
    before = _said_of(row)
    written_ns = folder.write(row.name, content, new=False)
    _keep(db, row, content, facts, user, folder.id, written_ns)
    note(db, "data-file.replace", row.name, before=before, after=_said(facts), actor=user.username)
    db.commit()
    return row


def remove(db: Session, settings: Settings, row: DataFile, user: User, digest: str | None = None) -> None:
    """Delete a data file. Commits `db`; raises BadDataFile, or OutOfDate."""
    folder = Folder(settings)
    _check_mine(row, folder)
    row = _current(db, row, digest)
    note(db, "data-file.delete", row.name, before=_said_of(row), actor=user.username)
    db.delete(row)
    db.flush()
    try:
        folder.remove(row.name)
    except OSError as error:
        db.rollback()
        raise BadDataFile(f"It cannot be deleted from its folder: {error.strerror}.") from error
    db.commit()


def _check_mine(row: DataFile, folder: Folder) -> None:
    if row.folder != folder.id:
        raise BadDataFile(ELSEWHERE)


def _current(db: Session, row: DataFile, digest: str | None) -> DataFile:
    current = _locked(db, row.name)
    if current is None or (digest is not None and current.digest != digest):
        db.rollback()
        raise OutOfDate(f"Somebody has changed {row.name} meanwhile. Look at it again.", "digest")
    return current


def _locked(db: Session, name: str) -> DataFile | None:
    query = select(DataFile).where(DataFile.name == name).with_for_update()
    return db.scalars(query.execution_options(populate_existing=True)).one_or_none()


def _keep(
    db: Session, row: DataFile, content: bytes, facts: Facts, user: User | None, folder: str, written_ns: int
) -> DataFile:
    row.content, row.size_bytes, row.digest = content, facts.size_bytes, facts.digest
    row.entries, row.description = facts.entries, facts.description
    row.user_id, row.username = (user.id, user.username) if user is not None else (None, "")
    row.folder, row.written_ns, row.updated_at = folder, written_ns, now()
    db.add(row)
    db.flush()
    return row


def _said(facts: Facts) -> dict[str, object]:
    return {"digest": facts.digest, "size_bytes": facts.size_bytes, "entries": facts.entries}


def _said_of(row: DataFile) -> dict[str, object]:
    return {"digest": row.digest, "size_bytes": row.size_bytes, "entries": row.entries}
