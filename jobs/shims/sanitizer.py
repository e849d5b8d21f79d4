"""The rules of Nautobot that take credentials out of texts, for files that call them themselves."""

import logging
import re
from typing import Any

REDACTED = "(redacted)"

#: (pattern, what takes its place). Both begin only where a word begins, so long texts take no longer than their length.
PATTERNS = [
    (
        re.compile(r"""(?<![^\s"'(<])([a-z][a-z0-9+.-]*+://)?[^\s@/]++@""", re.IGNORECASE),
        r"\1{replacement}@",
    ),
    (
        re.compile(
            r"""\b((?:username|password|passwd|pwd|secrets?)["']?(?:\s++is\b)?[\s:=]++["']?)[^\s"']++""",
            re.IGNORECASE,
        ),
        r"\1{replacement}",
    ),
]


def sanitize(dirty: Any, replacement: str = REDACTED) -> Any:
    """Return the text, or the texts in a list, without what looks like a credential."""
    if isinstance(dirty, list | tuple):
        return type(dirty)(sanitize(part, replacement) for part in dirty)
    if isinstance(dirty, bytes):
        return str(sanitize(dirty.decode("utf-8", "replace"), replacement)).encode()
    if not isinstance(dirty, str):
        logging.getLogger(__name__).warning("Only texts can be sanitized, not a %s.", type(dirty).__name__)
        return dirty
    for pattern, template in PATTERNS:
        dirty = pattern.sub(template.replace("{replacement}", replacement), dirty)
    return dirty
