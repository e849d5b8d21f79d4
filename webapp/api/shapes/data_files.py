"""Data files."""

from flask import url_for
from typing_extensions import TypedDict

from store.models import DataFile
from webapp.api.shapes import moment, text_id


class DataFileShape(TypedDict):
    """A text file that jobs read."""

    id: str
    #: Of its page.
    url: str
    name: str
    #: Where its content is given.
    content_url: str
    size_bytes: int
    #: SHA-256 of the content: which version it is.
    digest: str
    #: Lines that are neither blank nor comments.
    entries: int
    #: The first line, where that is a comment.
    description: str
    #: Who uploaded it last; null: it was found in the folder.
    user: str | None
    created_at: str
    updated_at: str


def data_file(row: DataFile) -> DataFileShape:
    return {
        "id": text_id(row.id) or "",
        "url": url_for("data_files.show", name=row.name),
        "name": row.name,
        "content_url": url_for("api.data_file_content", name=row.name),
        "size_bytes": row.size_bytes,
        "digest": row.digest,
        "entries": row.entries,
        "description": row.description,
        "user": row.username or None,
        "created_at": moment(row.created_at),
        "updated_at": moment(row.updated_at),
    }
