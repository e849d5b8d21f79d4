"""The store of uploads and created files: one behaviour in the databases and wherever fsspec writes."""

import io
import random
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert, make_url, select

from store.files import (
    CHUNK_BYTES,
    DatabaseFiles,
    FileGone,
    FileStore,
    FileTooLarge,
    FsspecFiles,
    file_store,
)
from store.models import FileChunk, now
from store.platform import Platform
from store.settings import Settings, SettingsError, load_settings

NO_KEY = "0" * 40


def platform_on(kind: str, request: pytest.FixtureRequest, settings: Settings) -> Platform:
    if kind == "sqlite":
        return Platform(settings.database_url)
    given = make_url(request.getfixturevalue("postgres_copy"))
    return Platform(given.set(drivername="postgresql+psycopg").render_as_string(hide_password=False))


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Platform]:
    platform = platform_on(request.param, request, settings)
    yield platform
    platform.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres), "file", "memory"])
def files(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Iterator[FileStore]:
    if request.param == "file":
        yield FsspecFiles(f"file://{tmp_path}/some where/files")
    elif request.param == "memory":
        yield FsspecFiles("memory://files")
    else:
        platform = platform_on(request.param, request, settings)
        yield DatabaseFiles(platform.engine)
        platform.dispose()


def some(size: int) -> bytes:
    return random.Random(size).randbytes(size)


class Slow(io.RawIOBase):
    """Gives a little at a time, as a socket does; breaks at the end when told to."""

    def __init__(self, content: bytes, *, breaks: bool = False) -> None:
        self._content = io.BytesIO(content)
        self._breaks = breaks

    def read(self, size: int = -1, /) -> bytes:
        piece = self._content.read(min(size, 50_000))
        if not piece and self._breaks:
            raise ConnectionResetError("the browser went away")
        return piece


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_what_is_put_is_what_is_opened(files: FileStore, size: int):
    content = some(size)
    key = files.put(io.BytesIO(content))
    assert files.size(key) == size
    with files.open(key) as file:
        assert file.read() == content
    with files.open(key) as file:
        assert b"".join(iter(lambda: file.read(70_001), b"")) == content


def test_a_slow_stream_loses_nothing(files: FileStore):
    content = some(CHUNK_BYTES + 5)
    with files.open(files.put(Slow(content))) as file:  # type: ignore[arg-type]
        assert file.read() == content


def test_one_may_seek(files: FileStore):
    content = some(2 * CHUNK_BYTES + 10)
    with files.open(files.put(io.BytesIO(content))) as file:
        file.seek(CHUNK_BYTES - 3)
        assert file.read(6) == content[CHUNK_BYTES - 3 : CHUNK_BYTES + 3]
        file.seek(-4, io.SEEK_END)
        assert (file.read(), file.read()) == (content[-4:], b"")
        assert file.tell() == len(content)
        file.seek(0)
        assert file.read(3) == content[:3]


def test_programs_that_want_a_real_file_get_one(files: FileStore):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("padding", some(CHUNK_BYTES))
        archive.writestr("hello.txt", "hello")
    made.seek(0)
    with files.open(files.put(made)) as file, zipfile.ZipFile(file) as archive:
        assert archive.read("hello.txt") == b"hello"


def test_keys_are_random_and_tell_nothing(files: FileStore):
    keys = {files.put(io.BytesIO(b"the same")) for _ in range(10)}
    assert len(keys) == 10
    assert {len(key) for key in keys} == {40}


def test_what_is_deleted_is_gone(files: FileStore):
    key, other = files.put(io.BytesIO(b"x")), files.put(io.BytesIO(b"y"))
    files.delete(key)
    files.delete(key)
    with pytest.raises(FileGone):
        files.open(key)
    with pytest.raises(FileGone):
        files.size(key)
    assert files.size(other) == 1


@pytest.mark.parametrize("key", [NO_KEY, "", "../../etc/passwd", "/etc/passwd", "a/b"])
def test_what_is_no_key_opens_nothing(files: FileStore, key: str):
    with pytest.raises(FileGone):
        files.open(key)
    with pytest.raises(FileGone):
        files.size(key)
    files.delete(key)


def everything(files: FileStore) -> Any:
    if isinstance(files, FsspecFiles):
        return files._files.find(files._root) if files._files.exists(files._root) else []
    assert isinstance(files, DatabaseFiles)
    with files._engine.connect() as connection:
        return connection.execute(select(FileChunk.key, FileChunk.number)).all()


@pytest.mark.parametrize("over", [1, CHUNK_BYTES * 2])
def test_beyond_its_limit_nothing_of_a_file_is_kept(files: FileStore, over: int):
    before = list(everything(files))
    limit = CHUNK_BYTES + 10
    with pytest.raises(FileTooLarge, match="262,154 bytes"):
        files.put(io.BytesIO(some(limit + over)), most_bytes=limit)
    assert list(everything(files)) == before
    assert files.size(files.put(io.BytesIO(some(limit)), most_bytes=limit)) == limit


def test_of_an_upload_that_breaks_nothing_is_kept(files: FileStore):
    before = list(everything(files))
    with pytest.raises(ConnectionResetError):
        files.put(Slow(some(CHUNK_BYTES * 2), breaks=True))  # type: ignore[arg-type]
    assert list(everything(files)) == before


# --- The database ---


def test_no_statement_carries_more_than_a_piece(database: Platform):
    files = DatabaseFiles(database.engine)
    pieces: list[int] = []

    def note(_c: Any, _cursor: Any, _statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        values = parameters.values() if isinstance(parameters, dict) else parameters
        # Both drivers wrap what goes into a binary column.
        pieces.extend(len(value.obj) for value in values if isinstance(getattr(value, "obj", None), bytes))

    event.listen(database.engine, "before_cursor_execute", note)
    key = files.put(io.BytesIO(some(3 * CHUNK_BYTES + 1)))
    assert pieces == [CHUNK_BYTES] * 3 + [1]
    selects: list[str] = []
    event.listen(
        database.engine, "before_cursor_execute", lambda _c, _cur, statement, *_: selects.append(statement)
    )
    with files.open(key) as file:
        file.seek(CHUNK_BYTES)
        file.read(10)
    assert len([text for text in selects if "SELECT" in text]) == 2, "the size, and the one piece it needs"


def test_a_slow_upload_keeps_no_writer_waiting(database: Platform):
    """Between two pieces another connection writes at once."""
    written: list[int] = []

    class Writing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            with database.engine.begin() as connection:
                row = {"key": "other", "number": len(written), "content": b"x", "created_at": now()}
                connection.execute(insert(FileChunk).values(row))
            written.append(1)
            return super().read(size)

    files = DatabaseFiles(database.engine)
    files.put(Writing(some(2 * CHUNK_BYTES + 1)))
    assert len(written) >= 3


def test_half_a_file_is_an_error_and_not_an_end(database: Platform):
    files = DatabaseFiles(database.engine)
    key = files.put(io.BytesIO(some(3 * CHUNK_BYTES)))
    with files.open(key) as file:
        file.read(10)
        files.delete(key)
        with pytest.raises(FileGone):
            file.read()


# --- The setting ---


def test_the_database_is_the_default_and_a_url_another_place(
    settings: Settings, platform: Platform, tmp_path: Path
):
    assert isinstance(file_store(settings, platform.engine), DatabaseFiles)
    elsewhere = load_settings(tmp_path / "instance", {"ERRAND_FILES_URL": f"file://{tmp_path}/files"})
    files = file_store(elsewhere, platform.engine)
    key = files.put(io.BytesIO(b"x"))
    assert (tmp_path / "files" / key[:2] / key).read_bytes() == b"x"


@pytest.mark.parametrize("url", ["nonsense://h/x", "nonsense://user:hunter2@h/x"])
def test_a_place_that_cannot_be_used_is_told_without_its_password(
    tmp_path: Path, platform: Platform, url: str
):
    settings = load_settings(tmp_path / "instance", {"ERRAND_FILES_URL": url})
    with pytest.raises(SettingsError, match="ERRAND_FILES_URL is nonsense://") as error:
        file_store(settings, platform.engine)
    assert "hunter2" not in str(error.value)
    with pytest.raises(SettingsError, match="Write it like"):
        load_settings(tmp_path / "instance", {"ERRAND_FILES_URL": "/srv/files"})
