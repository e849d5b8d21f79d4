"""How a URL names a job: by its id or by its class path."""

import uuid

from werkzeug.routing import BaseConverter


class JobKey(BaseConverter):
    """`<source>/<module>/<Class>`, or the id of the job's record."""

    # Exactly three parts, so that what follows the key is never taken for a part of it; and an id first, for the same.
    regex = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[^/]+/[^/]+/[^/]+"
    part_isolating = False
    weight = 200

    def to_url(self, value: object) -> str:
        return "/".join(super(JobKey, self).to_url(part) for part in str(value).split("/"))


class ValueKey(BaseConverter):
    """The key of a value that a job keeps: any text, with slashes and newlines wherever they stand."""

    regex = r"[\s\S]+"
    part_isolating = False
    weight = 300


def as_id(key: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(key) if "/" not in key else None
    except ValueError:
        return None
