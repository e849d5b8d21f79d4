"""Files that come with a request."""

from flask import current_app, request
from werkzeug.datastructures import FileStorage

from jobs.files import Upload, in_units
from store.text import clean_text

#: Of all that is no file: what a person types, and what a program sends beside its files.
LARGEST_REST_BYTES = 1024 * 1024


def expect_files() -> None:
    """Let the body of this request be as large as its files may be together. To be called before anything reads it."""
    request.max_content_length = current_app.extensions["errand"].settings.upload_bytes + LARGEST_REST_BYTES


def too_much() -> str:
    """Say why a body was refused, and what would be taken."""
    if request.max_content_length is not None and request.max_content_length > LARGEST_REST_BYTES + 1:
        most = current_app.extensions["errand"].settings.upload_bytes
        return f"This is more than is accepted here: the files of a run may have {in_units(most)} together."
    return "This is more than is accepted here."


def upload_of(given: FileStorage) -> Upload:
    kind = clean_text(given.mimetype or "")
    return Upload(given.filename or "", given.stream, kind)  # type: ignore[arg-type]
