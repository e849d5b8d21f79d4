"""Where uploads and created files live: where every process on every machine reaches them.

That is the PLATFORM database, or with ERRAND_FILES_URL whatever fsspec can write to. A file is known by its key, which
is random: nobody guesses one, and no name that a user chose ever reaches a file system.
"""

import io
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, BinaryIO, Protocol, cast

from sqlalchemy import Engine, delete, func, insert, select

from store.models import FileChunk
from store.settings import Settings, SettingsError
from store.urls import without_password

#: Files are moved in pieces of this size, and the database keeps them so.
CHUNK_BYTES = 256 * 1024

#: For callers that have no limit of their own.
MOST_BYTES = 1024**3

_KEY = re.compile(r"[0-9a-f]{40}")


class FileTooLarge(Exception):
    """A file beyond its limit, as a sentence. Nothing of it was kept."""


class FileGone(Exception):
    """No file has this key (any more)."""


class FileStore(Protocol):
    def put(self, stream: BinaryIO, *, most_bytes: int = MOST_BYTES, key: str = "") -> str:
        """Keep what can be read from `stream` and return its key (`key`, or a new one). Raises FileTooLarge."""

    def open(self, key: str) -> BinaryIO:
        """Open the file for reading; it can seek, and loads what is read only. Raises FileGone."""

    def size(self, key: str) -> int:
        """Return the number of bytes. Raises FileGone."""

    def delete(self, key: str) -> None:
        """Remove the file, if it is there."""


def file_store(settings: Settings, engine: Engine) -> FileStore:
    """Return the store of this instance. Raises SettingsError.

    engine: of the PLATFORM database.
    """
    return FsspecFiles(settings.files_url) if settings.files_url else DatabaseFiles(engine)


class DatabaseFiles:
    """Files as rows of 256 KiB each."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # On SQLite, readers wait for nobody.
        self._reading = engine.execution_options(sqlite_begin="DEFERRED")

    def put(self, stream: BinaryIO, *, most_bytes: int = MOST_BYTES, key: str = "") -> str:
        key = key or new_key()
        try:
            for number, content in enumerate(_chunks(stream, most_bytes)):
                # Each by itself: a slow upload must not keep SQLite's only write turn.
                with self._engine.begin() as connection:
                    connection.execute(insert(FileChunk).values(key=key, number=number, content=content))
        except BaseException:
            with suppress(Exception):
                self.delete(key)
            raise
        return key

    def open(self, key: str) -> BinaryIO:
        return cast(BinaryIO, io.BufferedReader(_Chunks(self._reading, key, self.size(key)), CHUNK_BYTES))

    def size(self, key: str) -> int:
        last = (
            select(FileChunk.number, func.length(FileChunk.content))
            .where(FileChunk.key == key)
            .order_by(FileChunk.number.desc())
            .limit(1)
        )
        with self._reading.connect() as connection:
            row = connection.execute(last).first()
        if row is None:
            raise FileGone(key)
        return int(row[0] * CHUNK_BYTES + row[1])

    def delete(self, key: str) -> None:
        with self._engine.begin() as connection:
            connection.execute(delete(FileChunk).where(FileChunk.key == key))


class _Chunks(io.RawIOBase):
    """Reads a file of the database, one row at a time."""

    def __init__(self, reading: Engine, key: str, size: int) -> None:
        self._engine = reading
        self._key = key
        self._size = size
        self._position = 0
        #: The row that was read last: callers may read in smaller pieces.
        self._held: tuple[int, bytes] = (-1, b"")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("A file begins at 0.")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: Any, /) -> int:
        if self._position >= self._size:
            return 0
        number, offset = divmod(self._position, CHUNK_BYTES)
        piece = self._chunk(number)[offset : offset + len(buffer)]
        buffer[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def _chunk(self, number: int) -> bytes:
        if self._held[0] != number:
            wanted = select(FileChunk.content).where(FileChunk.key == self._key, FileChunk.number == number)
            with self._engine.connect() as connection:
                content = connection.scalar(wanted)
            if content is None:
                # An end that looks like one would be worse: half a file is no file.
                raise FileGone(self._key)
            self._held = (number, content)
        return self._held[1]


class FsspecFiles:
    """Files below a URL: s3://bucket/folder, file:///srv/errand/files, and whatever else fsspec knows.

    Made after a process forks, not before: some kinds have threads of their own.
    """

    def __init__(self, url: str) -> None:
        # Imported late: most instances keep their files in the database.
        from fsspec.core import url_to_fs

        options = {"auto_mkdir": True} if url.startswith(("file:", "local:")) else {}
        try:
            self._files, self._root = url_to_fs(url, **options)
        except (ImportError, ValueError) as error:
            raise SettingsError(
                f"ERRAND_FILES_URL is {without_password(url)}, which cannot be used: {error}."
            ) from error

    def put(self, stream: BinaryIO, *, most_bytes: int = MOST_BYTES, key: str = "") -> str:
        key = key or new_key()
        try:
            with self._files.open(self._path(key), "wb") as file:
                for content in _chunks(stream, most_bytes):
                    file.write(content)
        except BaseException:
            with suppress(Exception):
                self.delete(key)
            raise
        return key

    def open(self, key: str) -> BinaryIO:
        try:
            return cast(BinaryIO, self._files.open(self._path(key), "rb"))
        except FileNotFoundError as error:
            raise FileGone(key) from error

    def size(self, key: str) -> int:
        try:
            return int(self._files.size(self._path(key)))
        except FileNotFoundError as error:
            raise FileGone(key) from error

    def delete(self, key: str) -> None:
        with suppress(FileNotFoundError, FileGone):
            self._files.rm_file(self._path(key))

    def _path(self, key: str) -> str:
        if not _KEY.fullmatch(key):
            raise FileGone(key)
        # Not too many in one folder.
        return f"{self._root.rstrip('/')}/{key[:2]}/{key}"


def new_key() -> str:
    """Return a key that nobody can guess."""
    return secrets.token_hex(20)


def _chunks(stream: BinaryIO, most_bytes: int) -> Iterator[bytes]:
    """Yield the stream in pieces of CHUNK_BYTES, the last one shorter; at least one, if an empty one."""
    total = 0
    while True:
        content = _full_chunk(stream)
        total += len(content)
        if total > most_bytes:
            raise FileTooLarge(f"The file is larger than {most_bytes:,} bytes, which is the limit here.")
        if content or not total:
            yield content
        if len(content) < CHUNK_BYTES:
            return


def _full_chunk(stream: BinaryIO) -> bytes:
    """Read until the piece is full: a socket gives less at a time."""
    pieces: list[bytes] = []
    missing = CHUNK_BYTES
    while missing and (piece := stream.read(missing)):
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)
