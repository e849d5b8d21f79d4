"""Data files: text files that the portal keeps, for many runs to read."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Response, request, url_for
from pydantic import Field
from sqlalchemy import or_, select
from werkzeug.exceptions import Conflict, UnsupportedMediaType

from jobs.files import file_name
from store import data_files as store
from store.data_files import BadDataFile, OutOfDate
from store.models import DataFile
from store.permissions import require, visible
from store.text import clean_text
from webapp.api.bodies import parts
from webapp.api.calls import Content, Query, call
from webapp.api.errors import InvalidRequest
from webapp.api.given import Text
from webapp.api.listing import Order, Sorted, part
from webapp.api.paging import page
from webapp.api.shapes import Page
from webapp.api.shapes.data_files import DataFileShape
from webapp.api.shapes.data_files import data_file as shape
from webapp.api.tokens import user
from webapp.data_file_facts import find_data_file, require_add, settings, sync
from webapp.data_files import send_content
from webapp.database import db
from webapp.uploads import expect_files

ORDER = Order(
    {
        "name": DataFile.name,
        "created_at": DataFile.created_at,
        "updated_at": DataFile.updated_at,
        "entries": DataFile.entries,
        "size_bytes": DataFile.size_bytes,
    },
    DataFile.id,
    "name",
)

_FILE = {"type": "string", "format": "binary"}
UPLOAD = {
    "multipart/form-data": {
        "type": "object",
        "properties": {"file": _FILE, "name": {"type": "string"}},
        "required": ["file"],
    }
}
CONTENT = {"multipart/form-data": {"type": "object", "properties": {"file": _FILE}, "required": ["file"]}}


class DataFiles(Sorted):
    user: list[Text] = Field([], description="Who uploaded them last.")
    q: Text = Field("", description="In their names and descriptions.")


@call(query=DataFiles, answers={200: Page[DataFileShape]}, tag="data files")
def data_files(query: DataFiles) -> Any:
    """List data files."""
    require(user(), "view", DataFile)
    sync()
    wanted = visible(select(DataFile), user(), DataFile)
    if query.user:
        wanted = wanted.where(DataFile.username.in_(query.user))
    if query.q:
        found = (DataFile.name, DataFile.description)
        wanted = wanted.where(or_(*(column.icontains(query.q, autoescape=True) for column in found)))
    rows, more = part(db.session(), wanted, query, ORDER)
    return page([shape(row) for row in rows], more)


@call(takes=UPLOAD, answers={201: DataFileShape}, tag="data files")
def upload_data_file(query: Query) -> Any:
    """Upload a data file; it is called `name`, or as the file is."""
    require(user(), "add", DataFile)
    content, name = _sent(named=True)
    require_add(name)
    with _refusals():
        row = store.add(db.session(), settings(), name, content, user())
    return shape(row), 201, {"Location": url_for("api.data_file", name=row.name)}


@call(answers={200: DataFileShape}, tag="data files")
def data_file(query: Query, name: str) -> Any:
    """Show a data file."""
    sync()
    return shape(find_data_file(name))


@call(answers={200: Content("text/plain")}, tag="data files")
def data_file_content(query: Query, name: str) -> Response:
    """Give the content of a data file."""
    sync()
    return send_content(find_data_file(name, with_content=True))


@call(takes=CONTENT, answers={200: DataFileShape}, headers=("If-Match",), tag="data files")
def replace_data_file(query: Query, name: str) -> Any:
    """Have a data file hold something else."""
    row = find_data_file(name)
    require(user(), "change", row)
    content, _ = _sent(named=False)
    with _refusals():
        row = store.replace(db.session(), settings(), row, content, user(), _expected())
    return shape(row)


@call(answers={204: None}, headers=("If-Match",), tag="data files")
def delete_data_file(query: Query, name: str) -> Any:
    """Delete a data file: runs and schedules that name it cannot begin any more."""
    row = find_data_file(name)
    require(user(), "delete", row)
    with _refusals():
        store.remove(db.session(), settings(), row, user(), _expected())
    return None, 204


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except OutOfDate as error:
        raise Conflict(str(error)) from None
    except BadDataFile as error:
        if str(error) == store.ELSEWHERE:
            raise Conflict(str(error)) from None
        raise InvalidRequest({error.field: [str(error)]}) from None


def _expected() -> str | None:
    """Return the digest of the version that is meant: as the ETag of the content, or as the file itself has it."""
    given = request.headers.get("If-Match", "").strip()
    return None if given in ("", "*") else given.removeprefix("W/").strip('"')


def _sent(*, named: bool) -> tuple[bytes, str]:
    """Return the content that was sent, and a name. Raises InvalidRequest."""
    if request.mimetype != "multipart/form-data":
        raise UnsupportedMediaType("Send multipart/form-data with a part called file.")
    expect_files()
    texts, files = parts()
    known = {"name"} if named else set()
    errors = {
        str(name): ["There is no such part."]
        for name in (*(texts.keys() - known), *(files.keys() - {"file"}))
        if name != "file"
    }
    if len(files.get("file", ())) != 1 or "file" in texts:
        errors["file"] = ["Send one file, with its name."]
    if len(texts.get("name", ())) > 1:
        errors["name"] = ["Give this once."]
    if errors:
        raise InvalidRequest(errors)
    [given] = files["file"]
    name = clean_text((texts.get("name") or [""])[0]).strip() or file_name(clean_text(given.filename or ""))
    # One byte more than is taken tells that it is too large.
    return given.stream.read(settings().data_file_bytes + 1), name
