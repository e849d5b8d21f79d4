"""Snapshots: the files of a source in the database, for workers on machines that do not have them.

A snapshot is a compressed tar with the files of each folder under its number ("0/hello.py"). It is named by a digest
over names and contents: the same files make the same snapshot wherever and whenever it is taken.
"""

import gzip
import hashlib
import io
import os
import re
import shutil
import stat
import tarfile
import tempfile
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from jobs.errors import JobNotFound
from jobs.loading import Source
from store.models import FINAL, JobResult, JobSource, SourceSnapshot, Status
from store.platform import Platform
from store.settings import Settings

#: A larger file is no code; it is left out.
MOST_FILE_BYTES = 5 * 1024**2

#: Of one snapshot, when it is made and when it is unpacked.
MOST_FILES = 5_000
MOST_CONTENT_BYTES = 100 * 1024**2
MOST_ARCHIVE_BYTES = 20 * 1024**2

#: How many snapshots stay that nothing needs: in the database for each source, and unpacked on a machine.
KEPT_ROWS = 3
KEPT_FOLDERS = 10

#: What an unpacking that was killed left behind is removed after this long.
ABANDONED_SECONDS = 3600

LEFT_OUT_FOLDERS = frozenset({"__pycache__", "node_modules"})
LEFT_OUT_SUFFIXES = (".pyc", ".pyo")

_DIGEST = re.compile(r"[0-9a-f]{64}")
_PART = re.compile(r"[^/\0]+")


class TooLarge(Exception):
    """Why a source has no snapshot, as a sentence."""


class NoSnapshot(JobNotFound):
    """Job files that this machine does not have and cannot get, as a sentence."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    source: str
    digest: str
    archive: bytes
    #: Paths of files that are not in it: too large, not readable, or links to somewhere else.
    left_out: tuple[str, ...] = ()


# --- Taking one ---


def take(source: Source) -> Snapshot | None:
    """Return the files of a source's folders as they are now; None where there is no folder. Raises TooLarge."""
    if not any(Path(folder).is_dir() for folder in source.folders):
        return None
    made = _Archive(source)
    for number, folder in enumerate(source.folders):
        made.add_folder(str(number))
        for name, path in _files(os.path.realpath(folder)):
            made.add_file(f"{number}/{name}", path)
    return made.finish()


class _Archive:
    """A snapshot in the making."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._digest = _Digest()
        self._left_out: list[str] = []
        self._bytes = io.BytesIO()
        # No name and no time in the header: the same files are the same bytes.
        self._gzip = gzip.GzipFile(filename="", mode="wb", fileobj=self._bytes, mtime=0)
        self._tar = tarfile.TarFile(fileobj=self._gzip, mode="w", format=tarfile.PAX_FORMAT)
        self._room = _Room()

    def add_folder(self, name: str) -> None:
        member = tarfile.TarInfo(name)
        member.type, member.mode = tarfile.DIRTYPE, 0o755
        self._tar.addfile(member)
        self._digest.add_folder(name)

    def add_file(self, name: str, path: Path | None) -> None:
        found = _read(path) if path else None
        if found is None or not name.isprintable():
            self._left_out.append(name)
            return
        content, executable = found
        if not self._room.has_room_for(content) or self._bytes.tell() > MOST_ARCHIVE_BYTES:
            raise self._too_large()
        member = tarfile.TarInfo(name)
        member.size, member.mode = len(content), 0o755 if executable else 0o644
        self._tar.addfile(member, io.BytesIO(content))
        self._digest.add_file(name, content, executable=executable)

    def finish(self) -> Snapshot:
        self._tar.close()
        self._gzip.close()
        archive = self._bytes.getvalue()
        if len(archive) > MOST_ARCHIVE_BYTES:
            raise self._too_large()
        return Snapshot(self._source.name, self._digest.hexdigest(), archive, tuple(self._left_out))

    def _too_large(self) -> TooLarge:
        return TooLarge(
            f"The files of {self._source.name} are too large to be sent to workers on other machines: at most "
            f"{MOST_FILES:,} files, {MOST_CONTENT_BYTES >> 20} MB, {MOST_ARCHIVE_BYTES >> 20} MB when compressed."
        )


class _Digest:
    """Names a snapshot by what is in it; packing and unpacking count the same."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add_folder(self, name: str) -> None:
        self._add(b"folder", name, b"")

    def add_file(self, name: str, content: bytes, *, executable: bool) -> None:
        self._add(b"program" if executable else b"file", name, content)

    def hexdigest(self) -> str:
        return self._hash.hexdigest()

    def _add(self, kind: bytes, name: str, content: bytes) -> None:
        encoded = name.encode()
        # With lengths: no two sets of files may read the same when strung together.
        self._hash.update(b"%s %d %d\n%s%s" % (kind, len(encoded), len(content), encoded, content))


class _Room:
    """Counts what goes into a snapshot, or comes out of one."""

    def __init__(self) -> None:
        self._files = 0
        self._bytes = 0

    def has_room_for(self, content: bytes) -> bool:
        self._files += 1
        self._bytes += len(content)
        return self._files <= MOST_FILES and self._bytes <= MOST_CONTENT_BYTES


def _files(root: str) -> Iterator[tuple[str, Path | None]]:
    """Yield name and path of what belongs to the source, in order; no path where it leads out of the folder."""
    yield from _files_in(root, root, "", ())


def _files_in(
    root: str, folder: str, prefix: str, above: tuple[str, ...]
) -> Iterator[tuple[str, Path | None]]:
    for name in _listed(folder):
        if _ignored(name):
            continue
        # Links are followed within the folder: the files of a Kubernetes volume lie in a hidden one beside them.
        path = os.path.realpath(os.path.join(folder, name))
        if not path.startswith(f"{root}{os.sep}") or path in above:
            yield prefix + name, None
        elif os.path.isdir(path):
            yield from _files_in(root, path, f"{prefix}{name}/", (*above, path))
        else:
            yield prefix + name, Path(path)


def _listed(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _ignored(name: str) -> bool:
    return name.startswith(".") or name in LEFT_OUT_FOLDERS or name.endswith(LEFT_OUT_SUFFIXES)


def _read(path: Path) -> tuple[bytes, bool] | None:
    """Return a file's content and whether it is a program; None where it cannot or should not be read."""
    try:
        # Without waiting: it may be a pipe that nobody writes to.
        with open(path, "rb", opener=_open_without_waiting) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                return None
            content = file.read(MOST_FILE_BYTES + 1)
    except OSError:
        return None
    return (content, bool(found.st_mode & stat.S_IXUSR)) if len(content) <= MOST_FILE_BYTES else None


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


# --- Keeping them in the database ---


def keep(db: Session, snapshots: Iterable[Snapshot], *, commit: str = "") -> None:
    """Store what is new. commit: of the repository they are from. The caller commits."""
    for snapshot in snapshots:
        row = db.get(SourceSnapshot, snapshot.digest)
        if row is not None:
            row.code_commit = commit or row.code_commit
        else:
            db.add(
                SourceSnapshot(
                    digest=snapshot.digest,
                    source=snapshot.source,
                    archive=snapshot.archive,
                    size_bytes=len(snapshot.archive),
                    code_commit=commit,
                )
            )
            db.flush()


def remove_old(db: Session) -> None:
    """Remove what no source names and no run needs, but for the newest few of each source. The caller commits."""
    needed = set(db.scalars(select(JobSource.digest)))
    needed |= set(
        db.scalars(
            select(JobResult.source_digest).where(
                JobResult.status.not_in(FINAL), JobResult.source_digest.is_not(None)
            )
        )
    )
    spare: dict[str, list[str]] = {}
    rows = select(SourceSnapshot.source, SourceSnapshot.digest).order_by(SourceSnapshot.created_at.desc())
    for source, digest in db.execute(rows):
        if digest not in needed:
            spare.setdefault(source, []).append(digest)
    gone = [digest for digests in spare.values() for digest in digests[KEPT_ROWS:]]
    if gone:
        db.execute(delete(SourceSnapshot).where(SourceSnapshot.digest.in_(gone)))


# --- Unpacking one on another machine ---


def materialise(platform: Platform, settings: Settings, digest: str) -> tuple[str, ...]:
    """Return the folders of a snapshot, unpacked in the instance folder. Raises NoSnapshot.

    Safe when many processes do it at once: a folder appears whole or not at all.
    """
    if not _DIGEST.fullmatch(digest):
        raise NoSnapshot(f"{digest!r} is no snapshot of job files.")
    shelf = settings.instance / "snapshots"
    target = shelf / digest
    if not _touch(target):
        archive = _archive(platform, digest)
        with _new_folder(shelf) as folder:
            _unpack(archive, digest, folder)
            _put(folder, target)
        _tidy(platform, shelf)
    numbers = sorted(int(path.name) for path in target.iterdir() if _is_number(path.name))
    return tuple(str(target / str(number)) for number in numbers)


def _touch(target: Path) -> bool:
    """Say that this folder is in use; False when it is not there."""
    try:
        os.utime(target)
    except FileNotFoundError:
        return False
    return True


def _archive(platform: Platform, digest: str) -> bytes:
    with platform.reading() as db:
        archive = db.scalar(select(SourceSnapshot.archive).where(SourceSnapshot.digest == digest))
    if archive is None:
        raise NoSnapshot(f"The snapshot {digest[:12]} of the job files is not in the database any more.")
    return archive


@contextmanager
def _new_folder(shelf: Path) -> Iterator[Path]:
    shelf.mkdir(mode=0o700, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".new-", dir=shelf))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _put(folder: Path, target: Path) -> None:
    try:
        folder.rename(target)
    except OSError:
        # Somebody else was faster; theirs is the same.
        if not target.is_dir():
            raise


def _unpack(archive: bytes, digest: str, folder: Path) -> None:
    """Write the files into `folder`, trusting nothing the archive says. Raises NoSnapshot."""
    counted = _Digest()
    room = _Room()
    try:
        with (
            gzip.GzipFile(fileobj=io.BytesIO(archive)) as content,
            tarfile.open(fileobj=_Limited(content), mode="r|") as tar,
        ):
            for member in tar:
                if member.isdir():
                    _path_in(folder, member.name, depth=1).mkdir()
                    counted.add_folder(member.name)
                else:
                    _unpack_file(tar, member, folder, counted, room)
    except (OSError, EOFError, ValueError, RecursionError, zlib.error, tarfile.TarError) as error:
        raise NoSnapshot(
            f"The snapshot {digest[:12]} of the job files cannot be unpacked: {error}"
        ) from error
    if counted.hexdigest() != digest:
        raise NoSnapshot(f"The snapshot {digest[:12]} of the job files is damaged. Refresh the jobs.")


def _unpack_file(
    tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, counted: _Digest, room: _Room
) -> None:
    # A sparse file claims to be a plain one, and a few bytes of it can be as large as you like.
    if member.type != tarfile.REGTYPE or member.issparse() or member.size > MOST_FILE_BYTES:
        raise ValueError(f"{member.name!r} is no plain file, or a large one.")
    path = _path_in(folder, member.name)
    reader = tar.extractfile(member)
    content = reader.read() if reader else b""
    if not room.has_room_for(content):
        raise ValueError("it holds more than a snapshot may.")
    executable = bool(member.mode & stat.S_IXUSR)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "xb") as file:
        file.write(content)
    path.chmod(0o755 if executable else 0o644)
    counted.add_file(member.name, content, executable=executable)


def _path_in(folder: Path, name: str, *, depth: int | None = None) -> Path:
    """Return where a member goes: inside `folder`, whatever its name says."""
    parts = name.split("/")
    proper = all(_PART.fullmatch(part) and part not in (".", "..") for part in parts)
    if not proper or not _is_number(parts[0]) or (depth and len(parts) != depth):
        raise ValueError(f"{name!r} is no name for a job file.")
    return folder.joinpath(*parts)


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdecimal()


class _Limited(io.RawIOBase):
    """Reads what a snapshot can be at most, and no more: a small archive may claim to hold terabytes."""

    #: Each file has a header, and a second one where its name is long.
    MOST_BYTES = MOST_CONTENT_BYTES + MOST_FILES * 4096

    def __init__(self, content: gzip.GzipFile) -> None:
        self._content = content
        self._left = self.MOST_BYTES

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        data = self._content.read(min(size, self._left + 1) if size >= 0 else self._left + 1)
        self._left -= len(data)
        if self._left < 0:
            raise ValueError("it holds more than a snapshot may.")
        return data


def _tidy(platform: Platform, shelf: Path) -> None:
    """Remove what was not used for longest, unless a run is at work on it."""
    folders = sorted(_ages(shelf), reverse=True)
    unpacked = [path for _, path in folders if not path.name.startswith(".")]
    if len(unpacked) > KEPT_FOLDERS:
        with platform.reading() as db:
            used = set(
                db.scalars(
                    select(JobResult.source_digest).where(
                        JobResult.status == Status.RUNNING, JobResult.source_digest.is_not(None)
                    )
                )
            )
        for path in unpacked[KEPT_FOLDERS:]:
            if path.name not in used:
                shutil.rmtree(path, ignore_errors=True)
    for used_at, path in folders:
        if path.name.startswith(".") and used_at < time.time() - ABANDONED_SECONDS:
            shutil.rmtree(path, ignore_errors=True)


def _ages(shelf: Path) -> Iterator[tuple[float, Path]]:
    for path in shelf.iterdir():
        try:
            yield path.stat().st_mtime, path
        except FileNotFoundError:
            continue  # Another process tidies as well.
