"""Bodies with files, made in memory: the test client's own way leaves a temporary file open."""

from typing import Any

from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart


def multipart(**parts: Any) -> dict[str, Any]:
    """Return the arguments of a request that sends these parts; (stream, name[, content type]) stands for a file."""
    boundary, body = encode_multipart({name: _values(value) for name, value in parts.items()})
    return {"data": body, "content_type": f"multipart/form-data; boundary={boundary}"}


def _values(value: Any) -> Any:
    if isinstance(value, list):
        return [_values(each) for each in value]
    if isinstance(value, tuple):
        stream, name, *kind = value
        return FileStorage(stream, filename=name, content_type=kind[0] if kind else None)
    return value
