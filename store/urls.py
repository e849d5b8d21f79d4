"""URLs of databases, Redis and file stores, as they may be shown: without their passwords."""

import re

_SECRET_OPTION = re.compile(r"([?&][^=&]*(?:password|passwd|secret|token)[^=&]*=)[^&]*", re.IGNORECASE)


def without_password(url: str) -> str:
    """Return `url` with *** in place of its password, and of options that hold secrets.

    Works on text alone: a URL that cannot be parsed is the one most likely to be shown.
    """
    scheme, found, rest = url.partition("://")
    if not found:
        return "***"
    # The last @: a password that was not percent-encoded may hold one, and a slash as well.
    person, at, place = rest.rpartition("@")
    user, colon, _ = person.partition(":")
    shown = f"{user}:***@{place}" if colon else f"{person}{at}{place}"
    return f"{scheme}://" + _SECRET_OPTION.sub(r"\1***", shown)
