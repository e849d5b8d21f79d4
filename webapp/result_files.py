"""The files that a run has made."""

from collections.abc import Sequence
from uuid import UUID

from flask import Response, current_app, send_file
from sqlalchemy import select

from jobs.files import file_name
from store.files import FileGone, file_store
from store.models import RunFile
from store.permissions import NotVisible
from webapp.database import db

#: Far more than a run may make.
MOST_FILES = 1000


def file_path(result_id: UUID, file_id: int) -> str:
    """Return the path of a file on the portal, as `create_file` gave it to the job."""
    return f"/results/{result_id}/files/{file_id}"


def made_files(result_id: UUID) -> Sequence[RunFile]:
    """Return them in the order in which they were made. Whether the reader may see the result is asked before."""
    query = select(RunFile).where(RunFile.result_id == result_id, RunFile.variable.is_(None))
    return db.session.scalars(query.order_by(RunFile.id).limit(MOST_FILES)).all()


def file_bytes(row: RunFile) -> bytes | None:
    """Return what a small file holds; None where it is gone."""
    try:
        with file_store(current_app.extensions["errand"].settings, db.engine).open(row.key) as content:
            return content.read()
    except FileGone:
        return None


def send_made_file(result_id: UUID, file_id: int) -> Response:
    """Answer with the file, to be saved: what a job has written is never shown as a page of ours."""
    row = db.session.get(RunFile, file_id) if file_id < 2**31 else None
    if row is None or row.result_id != result_id or row.variable is not None:
        raise NotVisible
    try:
        content = file_store(current_app.extensions["errand"].settings, db.engine).open(row.key)
    except FileGone:
        raise NotVisible from None
    response = send_file(
        content,
        mimetype=row.content_type or "application/octet-stream",
        as_attachment=True,
        # Once more: a backup, or another hand, may have brought the row.
        download_name=file_name(row.name) or "file",
        max_age=0,
        etag=False,
    )
    response.content_length = row.size_bytes
    return response
