"""Files of Bots Scheduler: data files."""

from typing import Any

from flask import jsonify, make_response, request
from sqlalchemy import select

from jobs.files import file_name
from store import data_files
from store.models import DataFile
from store.permissions import NotVisible, require, visible
from store.text import clean_text
from webapp.api.bodies import parts
from webapp.api.tokens import user
from webapp.data_file_facts import find_data_file, require_add, sync
from webapp.database import db
from webapp.ndscheduler.errors import Refused
from webapp.ndscheduler.requests import MOST_ROWS, settings
from webapp.ndscheduler.shapes import data_file
from webapp.uploads import expect_files


def list_files() -> Any:
    require(user(), "view", DataFile)
    sync()
    query = visible(select(DataFile), user(), DataFile).order_by(DataFile.name).limit(MOST_ROWS)
    return jsonify({"files": [data_file(row) for row in db.session.scalars(query)]})


def add_file() -> Any:
    require(user(), "add", DataFile)
    if request.mimetype != "multipart/form-data":
        raise Refused("Send multipart/form-data with a part called file.")
    expect_files()
    _, sent = parts()
    if len(sent.get("file", ())) != 1:
        raise Refused("Send one file, in a part called file.")
    [given] = sent["file"]
    if given.mimetype != "text/plain":
        raise Refused("The file needs to be text/plain.")
    name = file_name(clean_text(given.filename or ""))
    require_add(name)
    if db.session.scalar(select(DataFile.id).where(DataFile.name == name)) is not None:
        raise Refused("File exists")
    content = given.stream.read(settings().data_file_bytes + 1)
    row = data_files.add(db.session(), settings(), name, content, user())
    return jsonify({"filename": row.name}), 201


def delete_file(name: str) -> Any:
    row = find_data_file(name)
    require(user(), "delete", row)
    data_files.remove(db.session(), settings(), row, user())
    return jsonify({"filename": name})


def has_file(name: str) -> Any:
    """Tell whether there is a file of this name."""
    sync()
    try:
        find_data_file(name)
    except NotVisible:
        raise Refused(f"File not found: {name}", 404) from None
    return make_response("", 200)
